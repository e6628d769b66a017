"""Stores on both databases, and real processes that work on them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from modelyard.clock import Clock, RealClock
from modelyard.store import Store, open_store

_BEGIN = """
import sys
from datetime import UTC, datetime
from modelyard.clock import RealClock
from modelyard.store import open_store
def say(text): print(text, flush=True)
def opened(): return open_store(sys.argv[1], project="shop", clock=RealClock())
"""


@pytest.fixture
def store_factory(home: str) -> Iterator[Callable[..., Store]]:
    """Opens stores on one fresh home, and closes them."""
    with ExitStack() as stack:

        def make(project: str = "shop", env: str = "dev", clock: Clock | None = None) -> Store:
            return stack.enter_context(open_store(home, project=project, env=env, clock=clock or RealClock()))

        yield make


class Process:
    """A Python process that runs a script with `opened()`, the store of a home, and `say(text)`."""

    def __init__(self, home: str, script: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", _BEGIN + script, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """The next thing it says; "" when it has ended."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def tell(self) -> None:
        """Let its next `input()` return."""
        assert self.popen.stdin is not None
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def end(self) -> int:
        """Kill it if it runs, and give its exit code."""
        self.popen.kill()
        with self.popen:
            return self.popen.wait()


@pytest.fixture
def python() -> Iterator[Callable[[str, str], Process]]:
    """Starts processes `(home, script)`, and ends them with the test."""
    started: list[Process] = []

    def start(home: str, script: str) -> Process:
        started.append(Process(home, script))
        return started[-1]

    yield start
    for process in started:
        process.end()
