"""How new the sources are, and how much comes: the time of the newest row that is visible now, and rows by hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from modelyard import data
from modelyard.errors import DataError
from modelyard.loop.yard import Yard
from modelyard.stats.hourly import Hourly

T = TypeVar("T")


def newest(yard: Yard) -> dict[str, datetime | None]:
    """Per source that has a time: that of its newest visible row, None when it cannot be read."""
    cache = yard.store.files / "cache"
    return _each(yard, lambda name: data.newest(yard.project, name, as_of=yard.now, cache=cache))


def arrivals(yard: Yard, since: datetime) -> dict[str, Hourly]:
    """Per source that has a time and can be read: its visible rows by hour from `since` on."""
    cache = yard.store.files / "cache"
    found = _each(yard, lambda name: data.arrivals(yard.project, name, since=since, as_of=yard.now, cache=cache))
    return {name: hours for name, hours in found.items() if hours is not None}


def _each(yard: Yard, ask: Callable[[str], T]) -> dict[str, T | None]:
    found: dict[str, T | None] = {}
    for name, source in yard.project.spec.sources.items():
        if source.time is None:
            continue
        try:
            found[name] = ask(name)
        except DataError as error:
            yard.progress(f"source.{name}: {error}")
            found[name] = None
    return found
