"""Work beside the turns of the controller, which may train for an hour: a thread that looks again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modelyard.errors import YardError

PATIENCE = 2.0
"""Seconds that the end waits for what is under way; all that runs here may be cut off at any point, as by `kill -9`."""


@contextmanager
def beside(what: str, act: Callable[[], None], progress: Callable[[str], None], *, every: float) -> Iterator[None]:
    """Within the block a thread does `act` `every` so many seconds; what fails is told once and tried again."""
    stop = threading.Event()

    def run() -> None:
        told = ""
        while not stop.wait(every):
            failed = ""
            try:
                act()
            except YardError as error:
                failed = f"{what}: {error}"
            except Exception as error:  # a thread that dies would leave its work to the slower turns, or to nobody
                failed = f"{what}: {type(error).__name__}: {error}"
            if failed and failed != told:
                progress(failed)
            told = failed

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
