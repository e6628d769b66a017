"""Which rows a model is trained on: the last so long, those since the world changed, or all; and why. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from modelyard.spec.values import show_duration
from modelyard.train.cut import SHARE

ENOUGH = 1000
"""So many rows since a change are enough to leave out what was before, unless `min_rows` says otherwise."""


class Window(Protocol):
    """How far back: see `spec.models.Window`."""

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
    window: timedelta | Window | None,
    times: np.ndarray,
    as_of: datetime,
    change: datetime | None,
    test: timedelta | float | None = 0.0,
) -> tuple[datetime | None, str]:
    """Where the rows begin (None: all), and the sentence that says why.

    `times`: of the rows whose label is known, ascending, in microseconds since 1970; `change`: when the world changed last,
    as far as monitors know; `test`: how long, or which share, is kept to judge by: `min_rows` are beside it.
    """
    if window is None or isinstance(window, timedelta):
        return farthest(window, as_of), _last(window)
    if window.since == "change":
        return _since_change(window, times, as_of, change, test)
    if window.last is not None and window.min_rows is not None:
        return _at_least(window.last, window.min_rows, times, as_of, test)
    return farthest(window, as_of), _last(window.last)


def _last(window: timedelta | None) -> str:
    return f"the last {show_duration(window)}" if window else "all rows"


def _since_change(
    window: Window, times: np.ndarray, as_of: datetime, change: datetime | None, test: timedelta | float | None
) -> tuple[datetime | None, str]:
    fallback, other = farthest(window, as_of), _last(window.last)
    if change is None:
        return fallback, f"{other}: no change is known"
    if fallback is not None and change <= fallback:
        return fallback, f"{other}: the change of {change:%Y-%m-%d} lies before"
    wanted, found = window.min_rows or ENOUGH, _trained(times, change, test)
    if found < wanted:
        said = f"since the change of {change:%Y-%m-%d} there are {found:,} rows to train on, {wanted:,} are needed"
        return fallback, f"{other}: {said}"
    return change, f"the {found:,} rows to train on since the change of {change:%Y-%m-%d}"


def _at_least(
    last: timedelta, wanted: int, times: np.ndarray, as_of: datetime, test: timedelta | float | None
) -> tuple[datetime | None, str]:
    start = as_of - last
    found = _trained(times, start, test)
    if found >= wanted:
        return start, _last(last)
    told = f"the last {show_duration(last)} hold {found:,} rows to train on, {wanted:,} are needed"
    if isinstance(test, timedelta):
        enough = times[: len(times) - _kept(times, test)][-wanted:]
        whole = len(enough) < wanted
    else:
        enough = times[-math.ceil(wanted / (1 - _share(test))) :]
        whole = _trained(enough, None, test) < wanted
    if whole or len(enough) == len(times) or not len(enough):
        return None, f"all rows: {told}"
    begin = datetime.fromtimestamp(int(enough[0]) / 1e6, UTC)
    return begin, f"since {begin:%Y-%m-%d}: {told}"


def _trained(times: np.ndarray, start: datetime | None, test: timedelta | float | None) -> int:
    """How many rows from `start` on are left to train on when those to judge by are kept apart."""
    first = 0 if start is None else int(np.searchsorted(times, round(start.timestamp() * 1e6)))
    if isinstance(test, timedelta):
        return max(len(times) - first - _kept(times, test), 0)
    return int((len(times) - first) * (1 - _share(test)) + 1e-9)


def _kept(times: np.ndarray, test: timedelta) -> int:
    """How many rows lie within the last `test`, counted from the newest."""
    if not len(times):
        return 0
    return len(times) - int(np.searchsorted(times, times[-1] - round(test.total_seconds() * 1e6), side="right"))


def _share(test: float | timedelta | None) -> float:
    return SHARE if test is None else float(test)  # type: ignore[arg-type]
