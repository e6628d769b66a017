"""Tests between two windows of counts, and the effect size that goes with them.

Two-sample chi-squared with rare cells pooled; an exact conditional test for rare events; Benjamini and Hochberg
(1995) over all of them; the population stability index less its expectation under no change, (K-1)(1/n + 1/m).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from modelyard.stats.tally import Counts

EXPECTED = 5.0
PLENTY = 50.0


def pool(first: Counts, second: Counts) -> tuple[Counts, Counts]:
    """Both counts with the cells that expect fewer than 5 rows in the smaller sample thrown together with the next such
    cells, until they expect 5.

    Neighbours stay neighbours: of a hundred rows in twenty bins there are still some to compare.

    >>> pool(np.array([500, 499, 1]), np.array([50, 49, 1]))
    (array([500, 500]), array([50, 50]))
    >>> len(pool(np.full(20, 5000), np.full(20, 4))[0])
    8
    """
    together = first + second
    total = int(together.sum())
    if total == 0:
        return first[:0], second[:0]
    expected = together * (min(int(first.sum()), int(second.sum())) / total)
    rare = expected < EXPECTED
    if not rare.any():
        return first, second
    if expected[rare].sum() < EXPECTED:
        # Too little for a cell of its own: the next smallest go with it.
        order = np.argsort(expected, kind="stable")
        size = int(rare.sum())
        while 0 < size < len(order) and expected[order[:size]].sum() < EXPECTED:
            size += 1
        rare[order[:size]] = True
    if rare.sum() <= 1:
        return first, second
    # Each group begins where the sum passes another ten, so that, short of five at most, it has five.
    upto = np.cumsum(expected[rare])
    tens = np.floor((upto - expected[rare]) / (2 * EXPECTED))
    group = np.concatenate(([0], np.cumsum(tens[1:] != tens[:-1])))
    if group[-1] > 0 and expected[rare][group == group[-1]].sum() < EXPECTED:
        group[group == group[-1]] -= 1
    a, b = (np.bincount(group, weights=each[rare]).astype(each.dtype) for each in (first, second))
    return np.concatenate((first[~rare], a)), np.concatenate((second[~rare], b))


def apart(first: Counts, second: Counts) -> tuple[float, float]:
    """`psi` and `chi_squared` of the same counts."""
    pooled = pool(first, second)
    return _psi(*pooled), _chi_squared(*pooled)


def chi_squared(first: Counts, second: Counts) -> float:
    """The p-value of equal distributions behind two counts, rare cells pooled; 1 when nothing can be said."""
    return _chi_squared(*pool(first, second))


def _chi_squared(a: Counts, b: Counts) -> float:
    n, m = int(a.sum()), int(b.sum())
    used = a + b > 0
    if n == 0 or m == 0 or used.sum() < 2:
        return 1.0
    a, b = a[used], b[used]
    statistic = float(((a * np.sqrt(m / n) - b * np.sqrt(n / m)) ** 2 / (a + b)).sum())
    return float(special.gammaincc((len(a) - 1) / 2, statistic / 2))


def psi(first: Counts, second: Counts) -> float:
    """The debiased population stability index of two samples of counts; about 0 without change, may be below.

    .25 standard deviations of shift of a normal column are about .06, .1 are about .009, .5 about .24.
    """
    return _psi(*pool(first, second))


def _psi(a: Counts, b: Counts) -> float:
    n, m = int(a.sum()), int(b.sum())
    if n == 0 or m == 0 or len(a) < 2:
        return 0.0
    p = (a + 0.5) / (n + 0.5 * len(a))
    q = (b + 0.5) / (m + 0.5 * len(b))
    return float(((p - q) * np.log(p / q)).sum() - (len(a) - 1) * (1 / n + 1 / m))


def proportions(first: tuple[float, float], second: tuple[float, float]) -> float:
    """The two-sided p-value of equal shares, each given as (events, rows).

    Chi-squared where 50 events are expected on both sides, else binomial given their sum, which holds far into the
    tail.
    """
    (a, n), (b, m) = first, second
    if n <= 0 or m <= 0 or a + b == 0 or a + b == n + m:
        return 1.0
    if a + b > (n + m) / 2:
        a, b = n - a, m - b
    if (a + b) * min(n, m) / (n + m) >= PLENTY:
        return _chi_squared(np.array([a, n - a]), np.array([b, m - b]))
    share, events, found = m / (n + m), int(np.ceil(a + b)), int(np.floor(b))
    below = special.bdtr(found, events, share)
    above = special.bdtrc(int(np.ceil(b)) - 1, events, share) if b > 0 else 1.0
    return float(min(1.0, 2 * min(below, above)))


def discoveries(p_values: Sequence[float], q: float) -> npt.NDArray[np.bool_]:
    """Which hypotheses Benjamini and Hochberg reject at false discovery rate `q`.

    >>> discoveries([.001, .5, .02, .9], .05).tolist()
    [True, False, True, False]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if len(p) == 0:
        return np.zeros(0, dtype=bool)
    ordered = np.sort(p)
    passing = np.flatnonzero(ordered <= q * np.arange(1, len(p) + 1) / len(p))
    return p <= (ordered[passing[-1]] if len(passing) else -1.0)
