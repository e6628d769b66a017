"""The reference for the same hours of the week: what is usual on a Monday at nine is not what is usual on a Sunday.

History is kept as one profile per hour of the week (168 of them, 0 is Monday 00:00 UTC). A window is compared with the
mixture of them that holds the hours in the window's own proportions (post-stratification by hour of the week), so that
half a week, a holiday's gap or a busy evening differs from its reference in nothing but its values.

How far the same hours of one week usually lie from those of the others is learnt with it (`usual`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from modelyard.stats import natural, tally
from modelyard.stats.category import CategoryLayout
from modelyard.stats.distance import Layout
from modelyard.stats.profile import Column, Profile

HOURS = 168
WEEK = 7 * 86_400.0
_EPOCH = 3 * 24
"""1970-01-01 was a Thursday."""
_COVERED = 0.9


def hour_of_week(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """0 (Monday 00:00 UTC) to 167 for times in seconds since 1970.

    >>> hour_of_week(np.array([0.0, 4 * 86400.0 + 3600])).tolist()
    [72, 1]
    """
    return (np.floor(seconds / 3600).astype(np.int64) + _EPOCH) % HOURS


def hour_at(time: datetime) -> int:
    """The hour of the week of one (aware) time."""
    return int(hour_of_week(np.array([time.timestamp()]))[0])


@dataclass(frozen=True)
class Matched:
    """`profile`: the mixture, whose counts say no more than history does; `covered`: the share of the window's rows
    whose hour of the week has history; `weeks`: the fewest weeks of history behind most (90%) of those rows."""

    profile: Profile
    covered: float
    weeks: int


@dataclass(frozen=True)
class Seasonal:
    """Per hour of the week its profile, and how many weeks (hours) went into it."""

    hours: dict[int, Profile]
    weeks: dict[int, int]

    @classmethod
    def of(cls, parts: Iterable[tuple[datetime, Profile]]) -> Seasonal:
        """From hourly profiles with the time at which their hour begins; all laid out by one reference.

        The same hour may come in several parts (segments that overlap); it counts as one week.
        """
        found: dict[int, list[Profile]] = {}
        seen: dict[int, set[int]] = {}
        for start, profile in parts:
            hour = hour_at(start)
            found.setdefault(hour, []).append(profile)
            seen.setdefault(hour, set()).add(int(start.timestamp() // 3600))
        return cls({hour: Profile.merge(some) for hour, some in found.items()}, {h: len(at) for h, at in seen.items()})

    def and_(self, other: Seasonal) -> Seasonal:
        """Both histories as one; they must not share an hour of the calendar."""
        hours = {
            hour: Profile.merge([part.hours[hour] for part in (self, other) if hour in part.hours])
            for hour in self.hours.keys() | other.hours.keys()
        }
        return Seasonal(hours, dict(Counter(self.weeks) + Counter(other.weeks)))

    def matched(self, window: Mapping[int, int], reference: Profile) -> Matched | None:
        """The reference for a window with so many rows per hour of the week; None when history holds none of them.

        `reference` is the profile that laid out all the others; what it knows of natural variation is kept. An hour
        with weight w counts w of its rows, and no weight is above 1, so that tests never see more rows than there
        were (Kish 1965: the effective number of rows is then at least the sum of weights). Hours that would need more
        history than there is, up to a tenth of the window, are represented by all they have.
        """
        known = {hour: rows for hour, rows in window.items() if rows > 0 and self._rows(hour) > 0}
        total = sum(max(rows, 0) for rows in window.values())
        if not known:
            return None
        need = {hour: rows / self._rows(hour) for hour, rows in known.items()}
        most = _quantile(need, known)
        weights = {hour: min(ratio / most, 1.0) for hour, ratio in need.items()}
        weeks = -_quantile({hour: -float(self.weeks[hour]) for hour in known}, known)
        return Matched(_mixture(self.hours, weights, reference), sum(known.values()) / total, int(weeks))

    def _rows(self, hour: int) -> int:
        return self.hours[hour].rows if hour in self.hours else 0


def _quantile(values: Mapping[int, float], rows: Mapping[int, int]) -> float:
    """The value that 90% of rows do not exceed."""
    order = sorted(values, key=lambda hour: values[hour])
    below = np.cumsum([rows[hour] for hour in order])
    return values[order[int(np.searchsorted(below, _COVERED * below[-1]))]]


def _mixture(hours: Mapping[int, Profile], weights: Mapping[int, float], reference: Profile) -> Profile:
    """A column that history does not hold stays as the reference has it, and so do its whole rows."""
    parts = [(hours[hour], weight) for hour, weight in sorted(weights.items())]
    columns: dict[str, Column] = {}
    for name, column in reference.columns.items():
        having = [(part.columns[name].tally, weight) for part, weight in parts if name in part.columns]
        if having:
            mixed = tally.mix([each for each, _ in having], [weight for _, weight in having])
            share = mixed.count / max(column.tally.count, 1)
            column = replace(column, layout=_scaled(column.layout, share), tally=mixed)
        columns[name] = column
    return replace(reference, columns=columns, rows=round(sum(weight * part.rows for part, weight in parts)))


def _scaled(layout: Layout, share: float) -> Layout:
    """So many values that come once as a part of the rows is to be expected to hold."""
    return replace(layout, once=round(layout.once * share)) if isinstance(layout, CategoryLayout) else layout


def usual(profile: Profile, weeks: Sequence[Profile], span: float) -> Profile:
    """A reference of the same hours, with what is usual for windows of `span` seconds: how whole weeks vary (the season
    of the year, the weather), and how the same hours of these `weeks` lay about each other. Without enough of these, part
    of a week is taken to vary as much more than whole ones as if its days were independent."""
    columns = {}
    for name, column in profile.columns.items():
        own = natural.of_same(column.layout, [week.columns[name].tally for week in weeks if name in week.columns])
        weekly = natural.nearest(column.natural, WEEK)
        if own:
            found = weekly.beside(own) if weekly else own
        else:
            found = weekly.widened(float(np.sqrt(max(WEEK / span, 1.0))))
        columns[name] = replace(column, natural={round(span): found} if found else {})
    return replace(profile, columns=columns)
