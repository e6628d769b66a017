"""Load slow libraries while the parent of a training run has nothing to do but wait for its child."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.models import compiling
from modelyard.store import Store
from modelyard.train import tracking


@contextmanager
def meanwhile(store: Store, *, tracked: bool) -> Iterator[None]:
    """Within the block, a thread loads what judging, compiling and tracking will need; done when the block ends."""
    thread = threading.Thread(target=_load, args=(store, tracked), name="warm", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _load(store: Store, tracked: bool) -> None:
    compiling.warm()
    if tracked:
        tracking.warm(store)
