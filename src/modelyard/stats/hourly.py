"""Rows by the hour that they came in: what tells how much usually comes, and whether it still does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Hourly:
    """`hours` (n,) with rows, counted since 1970 and ascending, and how many `rows` (n,) came in each.

    >>> day = Hourly.of({datetime(1970, 1, 1, hour, tzinfo=UTC): 10 * hour for hour in range(1, 4)})
    >>> day.part(datetime(1970, 1, 1, 2, tzinfo=UTC), datetime(1970, 1, 1, 2, 30, tzinfo=UTC)).rows.tolist()
    [20.0]
    """

    hours: npt.NDArray[np.int64]
    rows: npt.NDArray[np.float64]

    @classmethod
    def of(cls, counts: Mapping[datetime, float]) -> Hourly:
        """From rows by when an hour began."""
        found = sorted((int((start - _EPOCH) // HOUR), rows) for start, rows in counts.items())
        return cls(np.array([hour for hour, _ in found], np.int64), np.array([rows for _, rows in found], np.float64))

    def __len__(self) -> int:
        return len(self.hours)

    def part(self, start: datetime | None = None, end: datetime | None = None) -> Hourly:
        """The hours that began in [start, end)."""
        low = 0 if start is None else np.searchsorted(self.hours, since_1970(start))
        high = len(self) if end is None else np.searchsorted(self.hours, since_1970(end))
        return Hourly(self.hours[low:high], self.rows[low:high])

    @property
    def total(self) -> float:
        """All rows."""
        return float(sum(self.rows.tolist()))

    @property
    def first(self) -> datetime:
        """When the first hour began."""
        return _EPOCH + int(self.hours[0]) * HOUR

    @property
    def end(self) -> datetime:
        """When the last hour is over."""
        return _EPOCH + int(self.hours[-1] + 1) * HOUR


def since_1970(time: datetime) -> float:
    """Hours."""
    return (time - _EPOCH) / HOUR
