"""Stores on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from modelyard.clock import Clock, RealClock
from modelyard.store import Store, open_store


@pytest.fixture
def store_factory(home: str) -> Iterator[Callable[..., Store]]:
    """Opens stores on one fresh home, and closes them."""
    with ExitStack() as stack:

        def make(project: str = "shop", env: str = "dev", clock: Clock | None = None) -> Store:
            return stack.enter_context(open_store(home, project=project, env=env, clock=clock or RealClock()))

        yield make
