"""Time cut into periods of one length: weeks begin on Monday, days at midnight UTC. Values are gathered by period."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)
Gather = Literal["mean", "sum", "last"]
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def number(time: datetime, every: timedelta) -> int:
    """The number of the period that a time lies in.

    >>> number(datetime(1970, 1, 6, 12, tzinfo=UTC), DAY)
    1
    """
    return (time - ORIGIN) // every


def begin(period: int, every: timedelta) -> datetime:
    """When a period begins."""
    return ORIGIN + period * every


def gathered(values: Iterable[tuple[datetime, float]], every: timedelta, how: Gather) -> dict[int, float]:
    """One value per period, of values in the order of their times.

    >>> gathered([(ORIGIN, 1.0), (ORIGIN + DAY / 2, 3.0), (ORIGIN + DAY, 5.0)], DAY, "mean")
    {0: 2.0, 1: 5.0}
    """
    groups: dict[int, list[float]] = {}
    for time, value in values:
        groups.setdefault(number(time, every), []).append(value)
    made = {"mean": lambda each: sum(each) / len(each), "sum": sum, "last": lambda each: each[-1]}[how]
    return {period: float(made(each)) for period, each in sorted(groups.items())}


def seasons(periods: npt.NDArray[np.int64], every: timedelta) -> list[npt.NDArray[np.int64]]:
    """The place of each period in its week, and below a day in its day; none for periods of a week or more."""
    if every >= WEEK:
        return []
    start = periods * (every / DAY)
    days = (np.floor(start + 1e-9).astype(np.int64)) % 7
    if every >= DAY:
        return [days]
    return [days, np.round((start - np.floor(start + 1e-9)) * 24 * 60).astype(np.int64)]
