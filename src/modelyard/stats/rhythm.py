"""What is usual at an hour of the week: means over the 168 hours, believed as far as their rows allow.

An hour's mean is drawn towards the mean of all hours by empirical Bayes: weight w = nτ²/(nτ² + σ²), with τ² the
variance between hours beyond that of chance (Efron & Morris 1973). A stream without a season has τ² = 0, and every
hour is as usual as any other; so it costs nothing to ask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelyard.stats.seasonal import HOURS, hour_of_week

Floats = npt.NDArray[np.float64]
FEWEST_WEEKS = 3


@dataclass(frozen=True)
class Rhythm:
    """By how much the mean of each hour of the week lies above that of all; zeros where nothing is known.

    >>> rng = np.random.default_rng(1)
    >>> seconds = np.arange(0, 6 * 604800, 600.0)
    >>> high = np.sin(2 * np.pi * hour_of_week(seconds) / 168)
    >>> rhythm = Rhythm.of(seconds, high + rng.normal(0, 0.5, len(seconds)))
    >>> float(rhythm.at(np.array([42 * 3600 - 3 * 86400.0]))[0].round(1)), rhythm.weeks
    (0.9, 6.0)
    >>> bool(np.abs(Rhythm.of(seconds, rng.normal(0, 0.5, len(seconds))).above).max() < 0.1)
    True
    """

    above: Floats
    weeks: float

    @classmethod
    def of(cls, seconds: Floats, values: Floats) -> Rhythm:
        """From rows with their times in seconds since 1970."""
        if not len(values):
            return cls(np.zeros(HOURS), 0.0)
        hours = hour_of_week(seconds)
        ones = np.ones(len(values))
        rows, sums, squares = (np.bincount(hours, part, HOURS).astype(float) for part in (ones, values, values**2))
        return cls.summed(rows, sums, squares, float(np.ceil((seconds.max() - seconds.min()) / 604_800)))

    @classmethod
    def summed(cls, rows: Floats, sums: Floats, squares: Floats, weeks: float) -> Rhythm:
        """From (168,) counts, sums and sums of squares over so many weeks."""
        n = rows.sum()
        used = rows > 0
        if used.sum() < 2 or weeks < FEWEST_WEEKS:
            return cls(np.zeros(HOURS), weeks)
        mean = sums.sum() / n
        apart = np.where(used, sums / np.maximum(rows, 1) - mean, 0.0)
        within = max(float(squares.sum() - (sums[used] ** 2 / rows[used]).sum()), 0.0) / max(n - used.sum(), 1)
        between = (float((rows * apart**2).sum()) - (used.sum() - 1) * within) / max(n - (rows**2).sum() / n, 1e-12)
        if between <= 0:
            return cls(np.zeros(HOURS), weeks)
        return cls(apart * rows * between / (rows * between + within), weeks)

    def at(self, seconds: Floats) -> Floats:
        """How far above the mean the hours of these times usually are."""
        return self.above[hour_of_week(seconds)]
