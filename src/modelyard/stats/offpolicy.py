"""What an arm would have earned on all rows, from rows whose arm was chosen with a known probability (propensity).

IPS weighs each answered row by 1/propensity and divides by all rows; it is unbiased. SNIPS divides by the weights
instead, which scatters less (Swaminathan & Joachims, NeurIPS 2015). Neither is misled by shares that changed while the
world did, as the plain mean per arm is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from modelyard.stats.clusters import Mean, mean
from modelyard.stats.sequential import MIN_ROWS, radius, tau_for


@dataclass(frozen=True)
class Value:
    """One arm: rows that it answered, and both estimates of its mean; `snips` with its variance over groups."""

    ips: float
    snips: Mean


def value(
    arm: int, chosen: np.ndarray, propensity: np.ndarray, reward: np.ndarray, groups: np.ndarray, size: float
) -> Value:
    """The value of `arm` from rows where `chosen` arms answered with `propensity` and earned `reward`.

    >>> chosen, reward = np.array([0, 1, 0, 0]), np.array([1.0, 0.0, 1.0, 0.0])
    >>> value(1, chosen, np.array([0.75, 0.25, 0.75, 0.75]), reward, np.arange(4), 1.0).ips
    0.0
    """
    mine = chosen == arm
    weights = 1 / propensity[mine]
    ips = float((weights * reward[mine]).sum() / len(chosen)) if len(chosen) else 0.0
    return Value(ips, mean(reward[mine], groups[mine], size, weights))


def advantage_bounds(
    arm: int,
    chosen: np.ndarray,
    propensity: np.ndarray,
    reward: np.ndarray,
    groups: np.ndarray,
    alpha: float,
    size: float,
    *,
    least: float = MIN_ROWS,
) -> tuple[float, float]:
    """Always-valid bounds (each at level `alpha`) of how much more `arm` earns per row than arm 0.

    Each row tells the difference without bias, `(reward - c)·(1[arm]/p - 1[0]/p)`, whatever the shares were by then;
    their mean has an asymptotic confidence sequence over groups. Infinite below `least` groups of either arm.
    """
    sign = (chosen == arm).astype(float) - (chosen == 0).astype(float)
    if min(len(np.unique(groups[sign > 0])), len(np.unique(groups[sign < 0]))) < least:
        return -math.inf, math.inf
    weights = np.abs(sign) / propensity
    centre = float((weights * reward).sum() / weights.sum())
    difference = mean((reward - centre) * sign / propensity, groups, size)
    sigma = math.sqrt(difference.variance * difference.groups)
    if sigma == 0.0:
        return difference.value, difference.value
    reach = radius(difference.variance, tau_for(sigma, alpha), alpha)
    return difference.value - reach, difference.value + reach


def chances(means: Sequence[float], variances: Sequence[float]) -> tuple[float, ...]:
    """The probability of each arm that its mean is the highest, the means being normal around their estimates.

    >>> chances([0.5, 0.5], [0.01, 0.01])
    (0.5, 0.5)
    >>> chances([0.5, 0.6, 0.1], [1e-4, 1e-4, 1e-4])
    (0.0, 1.0, 0.0)
    """
    centres, spreads = np.asarray(means), np.sqrt(np.asarray(variances))
    found = []
    for arm in range(len(centres)):
        # One point per quantile of this arm; the others are below it with the product of their distribution functions.
        points = centres[arm] + spreads[arm] * _QUANTILES
        others = [other for other in range(len(centres)) if other != arm]
        below = np.ones_like(points)
        for other in others:
            below *= ndtr((points - centres[other]) / max(spreads[other], 1e-300))
        found.append(float(below.mean()))
    whole = sum(found)
    return tuple(round(each / whole, 4) for each in found)


_QUANTILES = ndtri((np.arange(2000) + 0.5) / 2000)
