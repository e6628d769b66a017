"""Means over rows that come in groups, such as the requests of one customer: what scatters is the groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelyard.stats.sequential import MIN_ROWS, radius, tau_for


@dataclass(frozen=True)
class Mean:
    """A mean, its variance over groups, and how many rows and groups it is of."""

    rows: int
    groups: int
    value: float
    variance: float


def mean(values: np.ndarray, groups: np.ndarray, size: float, weights: np.ndarray | None = None) -> Mean:
    """The (weighted) mean of `values`, with the variance of a ratio over independent `groups` (any labels).

    Four imagined groups, two off by `size` each way, keep few values that all agree from being proof (as
    `Moments.smoothed`).

    >>> mean(np.array([1.0, 0.0, 1.0, 0.0]), np.array(["a", "a", "b", "b"]), 0.0)
    Mean(rows=4, groups=2, value=0.5, variance=0.0)
    """
    if not len(values):
        return Mean(0, 0, 0.0, math.inf)
    weight = np.ones(len(values)) if weights is None else weights
    whole = float(weight.sum())
    value = float((weight * values).sum() / whole)
    _, which = np.unique(groups, return_inverse=True)
    residuals = np.bincount(which, weights=weight * (values - value))
    count = len(residuals)
    scatter = float(residuals @ residuals) + 4 * (size * whole / max(len(values), 1)) ** 2
    return Mean(len(values), count, value, count / max(count - 1, 1) * scatter / whole**2)


def difference_bounds(a: Mean, b: Mean, alpha: float, *, least: float = MIN_ROWS) -> tuple[float, float]:
    """Always-valid lower and upper bound (each at level `alpha`) of `a - b`, of disjoint rows.

    Asymptotic confidence sequence (Waudby-Smith et al. 2021) with plugged-in variance; infinite below `least` groups.

    >>> low, high = difference_bounds(Mean(5000, 5000, 0.6, 5e-5), Mean(5000, 5000, 0.5, 5e-5), 0.01)
    >>> 0.05 < low < 0.1 < high
    True
    """
    if min(a.groups, b.groups) < least:
        return -math.inf, math.inf
    variance = a.variance + b.variance
    if variance == 0.0:
        return a.value - b.value, a.value - b.value
    sigma = math.sqrt(variance * (a.groups + b.groups))
    reach = radius(variance, tau_for(sigma, alpha), alpha)
    return a.value - b.value - reach, a.value - b.value + reach


def between(values: np.ndarray, groups: np.ndarray) -> float:
    """The share of the variance that lies between groups (intraclass correlation by analysis of variance, Fisher 1925), at
    least 0; 0 where there is nothing to compare.

    >>> between(np.repeat([1.0, 2.0, 3.0], 10), np.repeat([0, 1, 2], 10))
    1.0
    >>> between(np.tile([1.0, 2.0, 3.0], 10), np.repeat([0, 1, 2], 10)) < 0.01
    True
    """
    _, which = np.unique(groups, return_inverse=True)
    rows = np.bincount(which)
    n, count = len(values), len(rows)
    if count < 2 or n <= count:
        return 0.0
    means = np.bincount(which, weights=values) / rows
    outer = float((rows * (means - values.mean()) ** 2).sum()) / (count - 1)
    inner = float(((values - means[which]) ** 2).sum()) / (n - count)
    size = (n - float((rows**2).sum()) / n) / (count - 1)
    whole = outer + (size - 1) * inner
    return max((outer - inner) / whole, 0.0) if whole > 0 else 0.0
