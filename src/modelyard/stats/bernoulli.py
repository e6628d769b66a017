"""Exact evidence about a share, and about a quantile, that may be looked at at any time: mixtures of likelihood ratios.

Against "a hit is no more likely than p" the likelihood ratio of any q > p is a supermartingale, and so is their mixture
under a uniform prior on (p, 1): by Ville's inequality it ever reaches 1/α with probability at most α. No normal
approximation. For quantiles this is the beta-binomial confidence sequence of Howard & Ramdas, "Sequential estimation of
quantiles with applications to A/B testing and best-arm identification" (Bernoulli 2022), theorem 2, one-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import betaincc, betaln


def share_above(n: int, hits: int, share: float) -> float:
    """Log e-value against "a row is a hit with probability at most `share`".

    >>> share_above(10, 9, 0.05) > math.log(1000) > 0 > share_above(1000, 45, 0.05)
    True
    """
    if n == 0:
        return 0.0
    a, b = hits + 1, n - hits + 1
    above = float(betaincc(a, b, share))
    if above == 0.0:
        return -math.inf
    mixture = float(betaln(a, b)) + math.log(above) - math.log1p(-share)
    return mixture - hits * math.log(share) - (n - hits) * math.log1p(-share)


def share_below(n: int, hits: int, share: float) -> float:
    """Log e-value against "a row is a hit with probability at least `share`".

    >>> share_below(300, 0, 0.05) > math.log(100) > share_below(50, 0, 0.05)
    True
    """
    return share_above(n, n - hits, 1 - share)


def quantile_bounds(counts: np.ndarray, quantile: float, alpha: float) -> tuple[int, int]:
    """The first and last bin (of a histogram of values in order) that the quantile may lie in, each at level `alpha`.

    They hold for ever, however often one looks; 0 when nothing bounds it from below, len(counts) from above.

    >>> quantile_bounds(np.array([0, 500, 440, 60, 0]), 0.95, 0.01)
    (2, 3)
    """
    total = int(counts.sum())
    wanted = math.log(1 / alpha)
    up_to = np.cumsum(counts)

    def first(reached: Callable[[int], bool]) -> int:
        low, high = 0, len(counts)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(middle) else (middle + 1, high)
        return low

    lower = first(lambda place: share_below(total, int(up_to[place]), quantile) < wanted)
    upper = first(lambda place: share_above(total, int(up_to[place]), quantile) >= wanted)
    return lower, upper
