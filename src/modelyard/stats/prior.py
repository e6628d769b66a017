"""Did only the share of the classes change, while the rows of each class look as before (prior shift, label shift)?

The rows of a window are counted by tenths of the calibrated frequency and by what happened. Two stories are told of this
table, each with one parameter fitted by maximum likelihood:

- prior shift: the share of positives is another one, the scores within each class are distributed as at release
  (Saerens, Latinne & Decaestecker 2002; Lipton, Wang & Smola, ICML 2018);
- the world: the same scores come, and the odds behind each have changed by one factor.

The first is told when the share moved enough and by more than chance, it fits the table (χ²), and its likelihood is 50 times
that of the second. Rows that err together count for less: their design effect divides every statistic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from modelyard.stats.calibration import Bins

Floats = npt.NDArray[np.float64]
LEAST = 0.05
"""A share that moved by less is of no interest."""
SURE, FITS = 1e-3, 0.01
BETTER = float(np.log(50))
FEWEST = 5.0
"""Cells that expect fewer rows are pooled with their neighbour."""


@dataclass(frozen=True)
class PriorShift:
    """The share of positives `before` and `after`; `fit` is the p-value of the story that nothing else changed."""

    before: float
    after: float
    fit: float


def prior_shift(known: Bins, now: Bins, *, effect: float = 1.0) -> PriorShift | None:
    """Whether prior shift tells the rows of a window, `known` being those on which the release was judged.

    >>> rng = np.random.default_rng(1)
    >>> def world(share):
    ...     y = (rng.random(4000) < share) * 1.0
    ...     score = 1 / (1 + np.exp(-rng.normal(np.where(y, 1.0, -1.0), 1.4) - np.log(0.25)))
    ...     return Bins.of(score, y)
    >>> found = prior_shift(world(0.2), world(0.35))
    >>> round(found.before, 2), round(found.after, 2)
    (0.2, 0.35)
    >>> prior_shift(world(0.2), world(0.2)) is None
    True
    """
    before, after = _table(known), _table(now)
    n, m = before.sum(), after.sum()
    if min(before.sum(axis=1).min(), after.sum(axis=1).min()) < FEWEST * 2:
        return None
    was, share = before[1].sum() / n, after[1].sum() / m
    pooled = (before[1].sum() + after[1].sum()) / (n + m)
    z = abs(share - was) / np.sqrt(pooled * (1 - pooled) * effect * (1 / n + 1 / m))
    if abs(share - was) < LEAST or 2 * special.ndtr(-z) > SURE:
        return None
    fit = _fit(before, after, effect)
    if fit < FITS:
        return None
    within = before / before.sum(axis=1, keepdims=True)
    prior = within * np.array([[1 - share], [share]])
    gain = (_likelihood(after, prior) - _likelihood(after, _turned(before, after))) / effect
    return PriorShift(float(was), float(share), fit) if gain >= BETTER else None


def _table(bins: Bins) -> Floats:
    """Rows by what happened (2) and tenth (10)."""
    return np.array([bins.rows - bins.happened, bins.happened])


def _fit(before: Floats, after: Floats, effect: float) -> float:
    """How often chance alone makes the scores within both classes so different: χ² of homogeneity."""
    statistic, freedom = 0.0, 0
    for first, second in zip(before, after, strict=True):
        cells = _pooled(np.array([first, second]))
        if cells.shape[1] < 2:
            continue
        expected = cells.sum(axis=1, keepdims=True) * cells.sum(axis=0) / cells.sum()
        statistic += float(((cells - expected) ** 2 / expected).sum()) / effect
        freedom += cells.shape[1] - 1
    return float(special.gammaincc(freedom / 2, statistic / 2)) if freedom else 0.0


def _pooled(cells: Floats) -> Floats:
    """Neighbouring columns taken together until each expects enough in both rows."""
    small, found = cells.sum(axis=1).min() / cells.sum(), []
    total = np.zeros(2)
    for column in cells.T:
        total = total + column
        if total.sum() * small >= FEWEST:
            found.append(total)
            total = np.zeros(2)
    if found:
        found[-1] = found[-1] + total
    return np.array(found).T.reshape(2, -1)


def _turned(before: Floats, after: Floats) -> Floats:
    """Probabilities of the cells when the scores come as at release and all odds have changed by one factor."""
    scores = before.sum(axis=0) / before.sum()
    logit = np.log((before[1] + 0.5) / (before[0] + 0.5))

    def cells(shift: float) -> Floats:
        positive = special.expit(logit + shift)
        return np.array([scores * (1 - positive), scores * positive])

    best = optimize.minimize_scalar(lambda shift: -_likelihood(after, cells(shift)), bounds=(-8, 8), method="bounded")
    return cells(float(best.x))


def _likelihood(counts: Floats, probabilities: Floats) -> float:
    # Half a row in a cell that was empty at release: what is rare is not impossible.
    return float((counts * np.log(np.maximum(probabilities, 1e-4))).sum())
