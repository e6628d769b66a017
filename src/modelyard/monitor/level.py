"""The level of loss that a release is held to: that of its unseen rows, or a lower one that it has shown since it serves.

Unseen rows are often few, their mean is off by chance, and a model that was fitted again on more rows may do better than
they say. It could then become worse by as much before anybody was told. A higher level is never taken: a release is held
to what it was approved for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np

from modelyard.stats.performance import Performance

SURE = 1.64
"""A level is taken this many of its standard errors higher."""
FEWEST = 4
"""Of fewer weeks nothing is said about how weeks differ."""

Days = Mapping[str, np.ndarray]
"""By day (ISO): rows, summed loss, summed excess."""


def merged(looks: Iterable[Days]) -> dict[str, np.ndarray]:
    """The sums by day of all looks together, in order of time."""
    days: dict[str, np.ndarray] = {}
    for each in looks:
        for day, parts in each.items():
            days[day] = days[day] + parts if day in days else parts
    return dict(sorted(days.items()))


def slack(known: Performance) -> float:
    """How much higher a level may lie than the mean of the release's unseen rows says."""
    return SURE * min(known.error, known.spread)


def shown(known: Performance, days: Days, until: date) -> float:
    """The mean excess of unseen rows, or that of the weeks served before `until` where it is lower: as much higher as these
    weeks are less sure of it than unseen rows were.

    The variance of the served mean is that of its weeks, at least that of its rows with their design effect.
    """
    weeks: dict[int, np.ndarray] = {}
    for day, parts in days.items():
        before = (until - date.fromisoformat(day)).days
        if before > 0:
            place = (before - 1) // 7
            weeks[place] = weeks.get(place, np.zeros(3)) + parts
    rows, _, sums = np.array([*weeks.values()]).reshape(-1, 3).T
    full = rows >= np.median(rows) / 2 if len(rows) else np.zeros(0, bool)
    if full.sum() < FEWEST:
        return known.excess
    rows, means = rows[full], sums[full] / rows[full]
    mean = float(np.average(means, weights=rows))
    between = float(np.average((means - mean) ** 2, weights=rows)) / (len(rows) - 1)
    error = max(known.spread**2 * known.effect / float(rows.sum()), between) ** 0.5
    return min(known.excess, mean + max(SURE * error - slack(known), 0.0))
