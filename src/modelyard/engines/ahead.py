"""An engine for many runs of the same command: the next process is started ahead, and waits with its libraries loaded.

A child process imports for a second or two before it works. What repeats its trainings (a simulation) has the time, and a
core, to let the next child do that meanwhile. Each process still runs one job: nothing is shared between runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from modelyard.engines import function
from modelyard.engines.local import LocalEngine, kill_group, start

Kind: TypeAlias = tuple[tuple[str, ...], dict[str, str]]


class AheadEngine(LocalEngine):
    """As LocalEngine; a command `python ... -m MODULE JOB`, with a module of `modules`, finds its process started when the
    one before it ended. Such a module calls `awaited_job` when it is given no job. Close it in the end."""

    def __init__(self, modules: Sequence[str], *, log_cap: int = 10_000_000) -> None:
        super().__init__(log_cap=log_cap)
        self._modules = tuple(modules)
        self._waiting: subprocess.Popen[bytes] | None = None
        self._kind: Kind | None = None

    def close(self) -> None:
        """End the process that waits."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            _end(waiting)

    def __enter__(self) -> AheadEngine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """The process that waits, where it is of the same kind, else a new one."""
        kind = self._kind_of(argv, env)
        if kind is not None and kind != self._kind:
            self.close()
        process = self._handed(str(argv[-1]), cwd) if kind is not None else None
        return process or super()._start(argv, cwd, env)

    def _left(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Start the next process, unless commands change from one to the next."""
        kind = self._kind_of(argv, env)
        if kind is not None and self._kind in (None, kind) and self._waiting is None:
            # Without a directory of its own: it goes to that of its job.
            self._waiting = start(argv[:-1], Path("/"), env, stdin=subprocess.PIPE)
        self._kind = kind or self._kind

    def _kind_of(self, argv: Sequence[str], env: Mapping[str, str]) -> Kind | None:
        """What a process must have been started with to do this job; None for a command that takes none."""
        return (tuple(argv[:-1]), dict(env)) if argv[-2:-1] and argv[-2] in self._modules else None

    def _handed(self, job: str, cwd: Path) -> subprocess.Popen[bytes] | None:
        """The process that waits, with its job; None when there is none any more."""
        process, self._waiting = self._waiting, None
        if process is None:
            return None
        assert process.stdin is not None, "it was started with a pipe"
        try:
            with process.stdin:
                process.stdin.write(json.dumps([job, str(cwd)]).encode() + b"\n")
        except BrokenPipeError:  # it has died meanwhile
            _end(process)
            return None
        return process


def awaited_job() -> str:
    """In a process that was started ahead: wait for its job, and be from then on as one that was started with it."""
    function.die_with_parent()
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)  # whoever was to give it a job has none any more
    job, directory = json.loads(line)
    os.chdir(directory)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return str(job)


def _end(process: subprocess.Popen[bytes]) -> None:
    kill_group(process)
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()
