"""How far two distributions are apart, at any time: a confidence sequence for the Kolmogorov-Smirnov distance."""

from __future__ import annotations

import math

import numpy as np


def band(rows: int, alpha: float) -> float:
    """How far an empirical distribution function of so many rows may lie from the true one, anywhere and at any time.

    0.85 √((log log(e n) + 0.8 log(1612/α))/n): Howard & Ramdas, "Sequential estimation of quantiles" (Bernoulli 2022),
    corollary 2.

    >>> round(band(1000, 0.01), 3), band(0, 0.01)
    (0.092, 1.0)
    """
    if rows < 1:
        return 1.0
    return min(1.0, 0.85 * math.sqrt((math.log(math.log(math.e * rows)) + 0.8 * math.log(1612 / alpha)) / rows))


def distance_bounds(a: np.ndarray, b: np.ndarray, alpha: float) -> tuple[float, float, float]:
    """The largest difference of two distribution functions, with always-valid bounds, each at level `alpha`.

    `a` and `b` are counts over the same bins; a difference within a bin is not seen.

    >>> estimate, low, high = distance_bounds(np.array([9000, 1000]), np.array([1000, 9000]), 0.01)
    >>> estimate, 0.7 < low < 0.8 < high
    (0.8, True)
    """
    n, m = int(a.sum()), int(b.sum())
    if not n or not m:
        return 0.0, 0.0, 1.0
    estimate = float(np.abs(np.cumsum(a) / n - np.cumsum(b) / m).max())
    room = band(n, alpha / 2) + band(m, alpha / 2)
    return estimate, max(0.0, estimate - room), min(1.0, estimate + room)
