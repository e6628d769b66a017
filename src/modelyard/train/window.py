"""Which rows a model is trained on: the last so long, those since the world changed, or all; and why. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np

from modelyard.spec.values import show_duration

ENOUGH = 1000
"""So many rows since a change are enough to leave out what was before, unless `min_rows` says otherwise."""


class Window(Protocol):
    """How far back: see `spec.types.Window`."""

    @property
    def last(self) -> timedelta | None: ...
    @property
    def since(self) -> str | None: ...
    @property
    def min_rows(self) -> int | None: ...


def farthest(window: timedelta | Window | None, as_of: datetime) -> datetime | None:
    """Where reading must begin, whatever is chosen then; None for the first row."""
    if window is None or isinstance(window, timedelta):
        return as_of - window if window else None
    if window.since is None and window.min_rows is not None:
        return None
    return as_of - window.last if window.last else None


def choose(
    window: timedelta | Window | None, times: np.ndarray, as_of: datetime, change: datetime | None
) -> tuple[datetime | None, str]:
    """Where the rows begin (None: all), and the sentence that says why.

    `times`: of the rows whose label is known, ascending, in microseconds since 1970; `change`: when the world changed last,
    as far as monitors know.
    """
    if window is None or isinstance(window, timedelta):
        return farthest(window, as_of), _last(window)
    if window.since == "change":
        return _since_change(window, times, as_of, change)
    if window.last is not None and window.min_rows is not None:
        return _at_least(window.last, window.min_rows, times, as_of)
    return farthest(window, as_of), _last(window.last)


def _last(window: timedelta | None) -> str:
    return f"the last {show_duration(window)}" if window else "all rows"


def _since_change(
    window: Any, times: np.ndarray, as_of: datetime, change: datetime | None
) -> tuple[datetime | None, str]:
    fallback, other = farthest(window, as_of), _last(window.last)
    if change is None:
        return fallback, f"{other}: no change is known"
    if fallback is not None and change <= fallback:
        return fallback, f"{other}: the change of {change:%Y-%m-%d} lies before"
    wanted, found = window.min_rows or ENOUGH, _since(times, change)
    if found < wanted:
        return (
            fallback,
            f"{other}: since the change of {change:%Y-%m-%d} there are {found:,} rows, {wanted:,} are needed",
        )
    return change, f"the {found:,} rows since the change of {change:%Y-%m-%d}"


def _at_least(last: timedelta, wanted: int, times: np.ndarray, as_of: datetime) -> tuple[datetime | None, str]:
    start = as_of - last
    found = _since(times, start)
    if found >= wanted:
        return start, _last(last)
    told = f"the last {show_duration(last)} hold {found:,} rows, {wanted:,} are needed"
    if len(times) <= wanted:
        return None, f"all rows: {told}"
    begin = datetime.fromtimestamp(int(times[-wanted]) / 1e6, UTC)
    return begin, f"since {begin:%Y-%m-%d}: {told}"


def _since(times: np.ndarray, start: datetime) -> int:
    return len(times) - int(np.searchsorted(times, round(start.timestamp() * 1e6)))
