"""Runs a command on this machine, in a process group of its own, within limits of time, memory and log."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from modelyard.engines.log import CappedLog
from modelyard.environ import inherited

Reason = Literal["", "timeout", "memory", "crash"]

_POLL, _LOOK = 0.05, 0.02


@dataclass(frozen=True)
class Outcome:
    """How a command ended: exit `status` (negative: the signal), wall `seconds`, and `reason` when it failed.

    `reason` is "" for status 0, "timeout" and "memory" when a limit ended it, else "crash".
    """

    status: int
    seconds: float
    reason: Reason

    @property
    def ok(self) -> bool:
        """Whether the command ended by itself with status 0."""
        return self.reason == ""


class Running:
    """A command under way. A thread holds it to its limits, ends its whole group when it ends or breaks one, and keeps its
    output; `close` ends it at once."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: Path, *, cap: int, timeout: timedelta, memory_mb: int | None
    ) -> None:
        assert process.stdout is not None
        self._process = process
        self._output = CappedLog(process.stdout, log, cap=cap)
        self._outcome: Outcome | None = None
        self._over = threading.Event()
        threading.Thread(
            target=self._hold, args=(timeout.total_seconds(), memory_mb), name="limits", daemon=True
        ).start()

    def wait(self) -> Outcome:
        """How it ended."""
        self._over.wait()
        assert self._outcome is not None, "it was left when all was over"
        return self._outcome

    def until(self, ready: Callable[[], bool], meanwhile: Iterable[object] = ()) -> bool:
        """Wait for what the command is to bring about; False when it ended without. As long as it is not there, the pieces
        of `meanwhile` are worked off one by one: what is left of an iterator can be done later."""
        pieces, nothing = iter(meanwhile), object()
        while not ready():
            idle = next(pieces, nothing) is nothing
            if self._over.wait(_LOOK if idle else 0):
                return ready()
        return True

    def close(self) -> None:
        """End it, if it has not ended."""
        if not self._over.is_set():
            kill_group(self._process)
        self._over.wait()

    def _hold(self, timeout: float, memory_mb: int | None) -> None:
        started = time.monotonic()
        try:
            broken = _watch(self._process, started + timeout, memory_mb)
            kill_group(self._process)
            status = self._process.returncode
            self._outcome = Outcome(status, time.monotonic() - started, broken or ("crash" if status else ""))
        finally:
            self._output.close()
            self._over.set()


class LocalEngine:
    """The engine of a laptop: a child process in a group of its own, killed as a whole when it ends or breaks a limit."""

    def __init__(self, *, log_cap: int = 10_000_000) -> None:
        self.log_cap = log_cap

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        log: Path,
        timeout: timedelta,
        memory_mb: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run `argv` as `running` does, and wait for its end."""
        with self.running(argv, cwd=cwd, log=log, timeout=timeout, memory_mb=memory_mb, env=env) as command:
            return command.wait()

    @contextmanager
    def running(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        log: Path,
        timeout: timedelta,
        memory_mb: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Running]:
        """Run `argv` in `cwd` while the block lasts; output goes to `log`, head and tail when it exceeds `log_cap` bytes.

        `env` is added to this process' environment, without its credentials. `memory_mb` bounds the resident memory
        of the whole group (pages shared by its processes count once for each); it is watched through /proc and not
        enforced where there is none. Whatever ends the block, Ctrl-C included, also ends the group.
        """
        process = self._start(argv, cwd, env or {})
        command = Running(process, log, cap=self.log_cap, timeout=timeout, memory_mb=memory_mb)
        try:
            yield command
        finally:
            command.close()
        self._left(argv, env or {})

    def _start(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return start(argv, cwd, env, stdin=subprocess.DEVNULL)

    def _left(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """What is to be done when a block has ended by itself."""


def start(argv: Sequence[str], cwd: Path, env: Mapping[str, str], *, stdin: int) -> subprocess.Popen[bytes]:
    """A process in a group of its own, both its outputs in one pipe; `env` beside this process' without credentials."""
    return subprocess.Popen(
        list(argv),
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=inherited(env),
    )


def _watch(process: subprocess.Popen[bytes], deadline: float, memory_mb: int | None) -> Reason:
    """Wait for the end of `process`, or for the first limit it breaks."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, min(_POLL, deadline - time.monotonic())))
            return ""
        if time.monotonic() >= deadline:
            return "timeout"
        if memory_mb is not None and resident_bytes(process.pid) > memory_mb * 1_000_000:
            return "memory"


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End every process of the group; helpers that outlive the leader die with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def resident_bytes(group: int) -> int:
    """Resident memory of a process group, in bytes; 0 where there is no /proc."""
    page = os.sysconf("SC_PAGE_SIZE")
    pages = 0
    with suppress(FileNotFoundError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                pages += _resident_pages(entry.path, group)
    return pages * page


def _resident_pages(process: str, group: int) -> int:
    try:
        with open(f"{process}/stat", "rb") as file:
            # The command's name stands in parentheses and may hold anything: fields are counted after the last one.
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[21]) if int(fields[2]) == group else 0
