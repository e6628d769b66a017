"""What a probability is worth: an isotonic curve from scores to frequencies, and whether frequencies have left it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]
FEWEST = 300
"""Fewer rows than this cannot bend the curve: scores are taken at their word."""
KNOTS = 200
BINS = 10
ENDS = 100
"""Rows that the first and the last step of a curve have at least."""


@dataclass(frozen=True)
class Curve:
    """The frequency behind each score, rising; straight between its knots. Without knots a score is its own frequency.

    Isotonic regression by pool-adjacent-violators (Zadrozny & Elkan, KDD 2002).

    >>> overconfident = Curve.fit(np.repeat([0.1, 0.9], 500), np.tile([1.0, 0, 0, 1, 0], 200))
    >>> overconfident.at(np.array([0.1, 0.5, 0.9])).round(2).tolist()
    [0.4, 0.4, 0.4]
    """

    scores: tuple[float, ...] = ()
    frequencies: tuple[float, ...] = ()

    @classmethod
    def fit(cls, scores: Floats, y: Floats) -> Curve:
        """From scores and what happened (0 or 1)."""
        if len(y) < FEWEST:
            return cls()
        order = np.argsort(scores, kind="stable")
        places, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
        means = np.add.reduceat(y[order], first) / counts
        level = optimize.isotonic_regression(means, weights=counts).x
        starts = _ended(np.flatnonzero(np.append(True, np.diff(level) > 1e-12)), counts)
        # One knot in the middle of each step.
        weight = np.add.reduceat(counts.astype(float), starts)
        knots = np.add.reduceat(places * counts, starts) / weight
        heights = np.add.reduceat(level * counts, starts) / weight
        if len(knots) > KNOTS:
            kept = np.unique(np.linspace(0, len(knots) - 1, KNOTS).astype(int))
            knots, heights = knots[kept], heights[kept]
        return cls(tuple(knots.tolist()), tuple(heights.tolist()))

    def moved(self, by: float) -> Curve:
        """The same frequencies, behind scores that are higher by so much."""
        return Curve(tuple(score + by for score in self.scores), self.frequencies)

    def at(self, scores: Floats) -> Floats:
        """The frequency behind each score."""
        if not self.scores:
            return np.clip(scores, 0.0, 1.0)
        return np.interp(scores, self.scores, self.frequencies)


def _ended(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The steps, those of few rows at both ends taken together: a handful of lucky rows would else be the frequency of every
    score beyond them."""
    upto = np.cumsum(counts)
    low, high = np.searchsorted(upto, ENDS), np.searchsorted(upto, upto[-1] - ENDS, side="right") - 1
    inner = starts[(starts > low) & (starts <= high + 1)]
    return np.concatenate([[0], inner]).astype(np.int64)


def gaps(expected: Floats, happened: Floats, seconds: Floats | None, width: float) -> list[float]:
    """The gap (`Bins.gap`) of each full stretch of `width` seconds, about the frequency that each tenth usually has.

    >>> weeks, expected = np.repeat(np.arange(4.0), 50), np.full(200, 0.5)
    >>> gaps(expected, np.tile([1.0, 0.0], 100), weeks * 604800, 604800.0)
    [0.0, 0.0, 0.0, 0.0]
    >>> np.round(gaps(expected, np.repeat([1.0, 0.0, 1.0, 0.0], 50), weeks * 604800, 604800.0), 2).tolist()
    [0.44, 0.44, 0.44, 0.44]
    """
    if seconds is None or not len(expected):
        return []
    place = _tenth(expected)
    rows = np.maximum(np.bincount(place, minlength=BINS), 1)
    usual = np.bincount(place, weights=happened - expected, minlength=BINS) / rows
    _, stretch, count = np.unique(np.floor(seconds / width), return_inverse=True, return_counts=True)
    full = np.flatnonzero(count >= np.median(count) / 2)
    return [Bins.of(expected[stretch == each], (happened - usual[place])[stretch == each]).gap() for each in full]


def _tenth(expected: Floats) -> npt.NDArray[np.int64]:
    return np.clip((expected * BINS).astype(np.int64), 0, BINS - 1)


@dataclass(frozen=True)
class Bins:
    """Rows by tenths of the expected frequency: how many, what was expected of them, its variance, what happened."""

    rows: Floats
    expected: Floats
    variance: Floats
    happened: Floats

    @classmethod
    def of(cls, expected: Floats, y: Floats) -> Bins:
        """Of rows, by their expected frequency."""
        place = _tenth(expected)

        def total(weights: Floats) -> Floats:
            return np.bincount(place, weights=weights, minlength=BINS).astype(np.float64)

        return cls(total(np.ones(len(y))), total(expected), total(expected * (1 - expected)), total(y))

    def __add__(self, other: Bins) -> Bins:
        return Bins(
            self.rows + other.rows,
            self.expected + other.expected,
            self.variance + other.variance,
            self.happened + other.happened,
        )

    def gap(self) -> float:
        """The mean distance of frequency and expectation over rows, less what chance alone would give."""
        used = self.rows > 0
        if not used.any():
            return 0.0
        chance = np.sqrt(2 / np.pi * self.variance[used]).sum()
        return max(0.0, float((np.abs(self.happened - self.expected)[used].sum() - chance) / self.rows.sum()))

    def p_value(self, effect: float = 1.0, known: Bins | None = None) -> float:
        """How often chance alone leaves the curve as far: chi-squared over bins, with the rows' design effect.

        `known`: the rows from which the curve was learnt; where they were few it is itself uncertain.
        """
        used = self.variance >= 5.0
        variance = self.variance
        if known is not None:
            used &= known.rows > 0
            variance = variance * (1 + self.rows / np.maximum(known.rows, 1.0))
        if not used.any():
            return 1.0
        away = (self.happened - self.expected)[used]
        statistic = (away * away / variance[used]).sum() / max(effect, 1.0)
        return float(special.gammaincc(used.sum() / 2, statistic / 2))

    def to_json(self) -> list[list[float]]:
        """A JSON list."""
        parts = (self.rows, self.expected, self.variance, self.happened)
        return [[round(float(each), 4) for each in part] for part in parts]

    @classmethod
    def from_json(cls, data: list[list[float]] | None) -> Bins:
        """Read what `to_json` wrote."""
        parts: Any = data or [[0.0] * BINS] * 4
        return cls(*(np.array(part, dtype=np.float64) for part in parts))
