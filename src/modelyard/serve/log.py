"""The prediction log of one process: every answer is written here before it is given.

Each deployment has a directory of segments; a process appends to one of its own, which it holds by a file lock, so that
whoever gets the lock knows that the segment is closed or its process dead. Promises: `process` (in the kernel before the
answer: survives kill -9), `disk` (fdatasync before the answer, one for all who wait), `best_effort` (buffered).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from modelyard.clock import RealClock
from modelyard.serve.frames import Entry, Many, Shape, pack
from modelyard.serve.moving import directory, move
from modelyard.serve.refusal import Refusal
from modelyard.store import durable

__all__ = ["Spool", "directory", "move"]

ROTATE_BYTES = 64 << 20
ROTATE_SECONDS = 5.0
BUFFER_BYTES = 64 << 10


class Spool:
    """Appends entries to this process's open segment of one deployment; safe to use from several threads."""

    def __init__(
        self,
        place: Path,
        durability: str = "process",
        when_full: str = "refuse",
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self.place = place
        self.durability = durability
        self.when_full = when_full
        self.lost = 0
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._handle: int | None = None
        self._size = 0
        self._synced = 0
        self._opened = 0.0
        self._shapes: set[str] = set()
        self._buffer = bytearray()
        self.segment = ""

    def write(
        self, entries: Sequence[Entry | Many], shapes: Mapping[str, Mapping[str, str]], *, sync: bool = True
    ) -> tuple[str, int]:
        """Append entries, all or none; `shapes` gives the inputs of their releases. Segment and offset behind them.

        With `disk` it waits until they are there, or leaves that to the caller: without `sync`, see `sync`. Refusal 503
        `log_unavailable` when it cannot be done: then nothing may be answered, unless `when_full` is `answer`: then the
        rows are counted as `lost`, and the segment is "".
        """
        with self._lock:
            try:
                handle = self._open()
                new = {entry.release for entry in entries} - self._shapes
                data = b"".join(
                    [pack(Shape(release, dict(shapes[release]))) for release in sorted(new)]
                    + [pack(each) for each in entries]
                )
                self._append(handle, data)
            except OSError as error:
                return self._lose(entries, error)
            self._shapes |= new
            segment, end = self.segment, self._size
        if sync:
            self.sync(segment, end)
        return segment, end

    def _lose(self, entries: Sequence[Entry | Many], error: OSError) -> tuple[str, int]:
        if self.when_full == "refuse":
            raise _unavailable(error) from error
        self.lost += sum(each.n for each in entries)
        return "", 0

    def _append(self, handle: int, data: bytes) -> None:
        if self.durability == "best_effort":
            self._buffer += data
            self._size += len(data)
            if len(self._buffer) >= BUFFER_BYTES:
                self._flush()
            return
        _write_all(handle, data, self._size)
        self._size += len(data)

    def _open(self) -> int:
        if self._handle is not None:
            return self._handle
        durable.make_directory(self.place)
        name = f"{RealClock().now():%Y%m%dT%H%M%S.%f}-{os.getpid()}-{secrets.token_hex(4)}"
        young = self.place / f"{name}.new"
        handle = os.open(young, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Locked before it has its name: a mover that sees it can never take it for a dead one.
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.rename(young, self.place / f"{name}.log")
        if self.durability == "disk":
            durable.sync(self.place)
        self._handle, self.segment, self._size, self._synced = handle, name, 0, 0
        self._opened = self._monotonic()
        self._shapes = set()
        return handle

    def sync(self, segment: str, end: int) -> None:
        """With `disk`, wait until byte `end` is there; whoever comes first does it for all who wait. Refusal as for `write`."""
        if self.durability != "disk" or not segment:
            return
        with self._sync_lock:
            with self._lock:
                if segment != self.segment or self._handle is None or self._synced >= end:
                    return  # rotation syncs what it closes
                handle, size = os.dup(self._handle), self._size
            try:
                os.fdatasync(handle)
            except OSError as error:
                # After a failed fsync the kernel may have dropped the pages: never ask again, start a new segment.
                with self._lock:
                    self._abandon()
                if self.when_full == "refuse":
                    raise _unavailable(error) from error
            finally:
                os.close(handle)
            self._synced = size

    def _flush(self) -> None:
        if self._handle is not None and self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            _write_all(self._handle, data, self._size - len(data))

    def due(self) -> bool:
        """Whether the open segment is large or old enough to be closed."""
        old = self._monotonic() - self._opened >= ROTATE_SECONDS
        return self._handle is not None and self._size > 0 and (old or self._size >= ROTATE_BYTES)

    def rotate(self) -> None:
        """Close the open segment, if any, so that it can be moved; the next write opens another."""
        with self._lock:
            if self._handle is None:
                return
            try:
                self._flush()
                if self.durability == "disk":
                    os.fdatasync(self._handle)
            except OSError as error:
                self._abandon()
                raise _unavailable(error) from error
            self._abandon()

    def _abandon(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None
        self.segment = ""

    def flush(self) -> None:
        """Give the kernel what `best_effort` still buffers."""
        with self._lock:
            self._flush()


def _write_all(handle: int, data: bytes, size: int) -> None:
    """Append `data` to a file of `size` bytes whole, or leave the file as it was."""
    try:
        written = os.write(handle, data)
        while written < len(data):
            written += os.write(handle, data[written:])
    except OSError:
        os.ftruncate(handle, size)
        os.lseek(handle, size, os.SEEK_SET)
        raise


def _unavailable(error: OSError) -> Refusal:
    return Refusal(503, "log_unavailable", f"The prediction log cannot be written: {error.strerror}.", retry_after=1)
