"""What is usual at an hour of the week: means over the 168 hours, smoothed as far as their rows allow.

The course of the week is taken apart into its waves (Fourier), and each is kept by as much as it stands out from the
noise of the hours' means: weight 1 - 3 V/|c|², none when that is below 0 (positive-part shrinkage, James & Stein 1961,
wave by wave). A stream without a season has hardly a wave left; so it costs nothing to ask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelyard.stats.seasonal import HOURS, hour_of_week

Floats = npt.NDArray[np.float64]
FEWEST_WEEKS = 3
NOISE = 3.0


@dataclass(frozen=True)
class Rhythm:
    """By how much the mean of each hour of the week lies above that of all; zeros where nothing is known.

    >>> rng = np.random.default_rng(1)
    >>> seconds = np.arange(0, 6 * 604800, 600.0)
    >>> high = np.sin(2 * np.pi * hour_of_week(seconds) / 168)
    >>> rhythm = Rhythm.of(seconds, high + rng.normal(0, 0.5, len(seconds)))
    >>> float(rhythm.at(np.array([42 * 3600 - 3 * 86400.0]))[0].round(1)), rhythm.weeks
    (1.0, 6.0)
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
        noise = float((within / rows[used]).sum()) / HOURS**2
        waves = np.fft.rfft(apart) / HOURS
        power = np.abs(waves) ** 2
        kept = np.where(power > NOISE * noise, 1 - NOISE * noise / np.maximum(power, 1e-300), 0.0)
        above = np.fft.irfft(waves * kept * HOURS, HOURS)
        # So that the mean over rows stays what it is.
        return cls(above - float((above * rows).sum() / n), weeks)

    def at(self, seconds: Floats) -> Floats:
        """How far above the mean the hours of these times usually are."""
        return self.above[hour_of_week(seconds)]
