"""A log that cannot fill the disk: keeps the head and the tail of what a process prints."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from pathlib import Path
from typing import IO

_CHUNK = 1 << 16


class CappedLog:
    """Copies a pipe into a file from a thread; beyond `cap` bytes, the middle is dropped and the file says so.

    The head reaches the file as it comes, so that a running job can be followed; the tail is kept in memory.
    """

    def __init__(self, pipe: IO[bytes], path: Path, *, cap: int) -> None:
        self._pipe = pipe
        self._file = path.open("wb")
        self._head_left = cap // 2
        self._tail_size = cap - cap // 2
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._cut = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._copy, name="log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take what is still in the pipe and finish the file. Call it when the writer is dead."""
        self._ended.set()
        self._thread.join()
        self._pipe.close()
        if self._cut:
            self._file.write(f"\n[... {self._cut} bytes of this log were cut here ...]\n".encode())
        self._file.writelines(self._tail)
        self._file.close()

    def _copy(self) -> None:
        descriptor = self._pipe.fileno()
        while True:
            # A process that left the group may hold the pipe open for ever: after the end, only what is there is read.
            ready, _, _ = select.select([descriptor], [], [], 0.0 if self._ended.is_set() else 0.1)
            if ready:
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    return
                self._take(chunk)
            elif self._ended.is_set():
                return

    def _take(self, chunk: bytes) -> None:
        if self._head_left:
            self._file.write(chunk[: self._head_left])
            self._file.flush()
            chunk, self._head_left = chunk[self._head_left :], max(0, self._head_left - len(chunk))
        if not chunk:
            return
        self._tail.append(chunk)
        self._kept += len(chunk)
        while self._kept - len(self._tail[0]) >= self._tail_size:
            dropped = self._tail.popleft()
            self._kept -= len(dropped)
            self._cut += len(dropped)


def tail(path: Path, size: int = 4000) -> str:
    """The last `size` bytes of a log, as text; "" when there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode("utf-8", errors="replace")
