"""The mean of few values of unknown spread, looked at as often as one likes: always-valid t bounds.

A Gaussian prior on the effect size (mean by spread) and the right Haar prior on the spread give a Bayes factor that is an
e-process whatever the spread is (Lai 1976; Hendriksen, de Heide & Grünwald 2021; Wang & Ramdas 2024). Its inversion is a
confidence sequence in closed form, valid from the second value on: no large-sample argument is needed, only values that
are about Gaussian, such as a business figure's by day. Days hang together: the spread is widened by their autocorrelation.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

SIZE = 0.5
"""Effects of about so many standard deviations are found soonest."""
MOST_CORRELATED = 0.8


def bounds(values: npt.NDArray[np.float64], alpha: float, *, size: float = SIZE) -> tuple[float, float]:
    """Lower and upper bound of the mean of `values` in the order of their time, together at level `alpha`, at any time.

    Infinite while too few are known to say anything.

    >>> rng = np.random.default_rng(0)
    >>> low, high = bounds(rng.normal(1.0, 1.0, 60), 0.05)
    >>> 0.3 < low < 1.0 < high < 1.7
    True
    >>> bounds(np.array([3.0, 4.0]), 0.05)
    (-inf, inf)
    """
    n = len(values)
    if n < 2:
        return -math.inf, math.inf
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    grown = 1 + n * size**2
    ratio = (math.sqrt(grown) / alpha) ** (2 / n)
    if ratio >= grown:
        return -math.inf, math.inf
    t = math.sqrt((n - 1) * (ratio - 1) / (1 - ratio / grown))
    reach = t * spread * math.sqrt(together(values) / n)
    return mean - reach, mean + reach


def together(values: npt.NDArray[np.float64]) -> float:
    """By how much neighbours that resemble each other widen the variance of a mean: (1 + r) / (1 - r), 1 at least."""
    if len(values) < 4:
        return 1.0
    off = values - values.mean()
    scatter = float(off @ off)
    # The estimate is too low by (1 + 3r) / n (Kendall 1954), and looked at often: half its deviation more.
    r = float(off[1:] @ off[:-1]) / scatter if scatter else 0.0
    r += (1 + 3 * max(r, 0.0)) / len(values) + 0.5 / math.sqrt(len(values))
    r = min(MOST_CORRELATED, max(0.0, r))
    return (1 + r) / (1 - r)
