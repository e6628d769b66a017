"""When will a falling metric reach its floor? The date with an interval, or silence.

One value per window, the last 39. A line with autocorrelated errors, y_t = a + b t + e_t, e_t = ρ e_{t-1} + ε_t, Bayesian:
for each ρ of a grid the posterior of (a, b, σ²) is known in closed form (Zellner 1971, ch. 4, flat priors), weighted by
ρ's marginal likelihood and a prior that expects some autocorrelation. Draws of it give the crossing of a + b t.

It speaks only when a line is what the series shows: the slope goes towards the floor with probability .99, and the line
is better by its BIC than a season (a sine of any period, on all of the history) and than a flat series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
FEWEST, LAST, HISTORY = 12, 39, 120
SURE = 0.99
DRAWS = 4_000
RHO = np.linspace(0.0, 0.9, 10)
BETTER = 8.0
"""By so much the BIC of the line must be lower than that of any season: odds of 50 to 1. Half a wave of a year looks like a
line; who has seen less than a year cannot rule it out but by the fit."""
PERIODS = (4.0, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 26.0, 34.0, 43.0, 52.0, 65.0, 80.0)


@dataclass(frozen=True)
class Crossing:
    """Steps from the last value until the line is at the floor: the median, the 80% interval (its end may be infinite);
    `slope` per step, and how probable it is that it goes that way."""

    steps: float
    low: float
    high: float
    slope: float
    probability: float


def crossing(values: Floats, floor: float, *, falling: bool = True) -> Crossing | None:
    """When the series meets `floor`, falling to it (or rising, when not `falling`); None when nothing can be said.

    >>> rng = np.random.default_rng(3)
    >>> line = 0.8 - 0.004 * np.arange(24) + rng.normal(0, 0.004, 24)
    >>> found = crossing(line, 0.65)
    >>> found.low < 14.5 < found.high, round(found.slope, 3)
    (True, -0.004)
    >>> crossing(0.8 + rng.normal(0, 0.004, 24), 0.65) is None
    True
    """
    sign = 1.0 if falling else -1.0
    whole = sign * np.asarray(values, dtype=np.float64)[-HISTORY:]
    y, target = whole[-LAST:], sign * floor
    if len(y) < FEWEST or not np.isfinite(whole).all() or np.ptp(y) == 0:
        return None
    a, b = _posterior(y)
    probability = float((b < 0).mean())
    if probability < SURE or not _straight(y, whole):
        return None
    steps = np.where(b < 0, (target - a) / np.minimum(b, -1e-12), np.inf)
    low, middle, high = np.quantile(np.maximum(steps, 0.0), [0.1, 0.5, 0.9], method="inverted_cdf")
    return Crossing(float(middle), float(low), float(high), sign * float(np.median(b)), probability)


def _posterior(y: Floats) -> tuple[Floats, Floats]:
    """Draws of the line's level at the last value and of its slope."""
    rng = np.random.default_rng(len(y))
    n = len(y)
    design = np.column_stack([np.ones(n), np.arange(n) - (n - 1.0)])
    fits = []
    for rho in RHO:
        # Prais and Winsten: the first row is scaled, the others are differenced.
        scale = np.sqrt(1 - rho * rho)
        x = np.vstack([design[:1] * scale, design[1:] - rho * design[:-1]])
        z = np.append(y[0] * scale, y[1:] - rho * y[:-1])
        inverse = np.linalg.inv(x.T @ x)
        mean = inverse @ x.T @ z
        left = float(((z - x @ mean) ** 2).sum())
        freedom = n - 2
        log_evidence = (
            0.5 * np.log(1 - rho * rho)
            + 0.5 * np.linalg.slogdet(inverse)[1]
            + special.gammaln(freedom / 2)
            - freedom / 2 * np.log(max(left, 1e-300))
        )
        fits.append((log_evidence, mean, inverse, left / freedom, freedom))
    logs = np.array([fit[0] for fit in fits])
    weights = np.exp(logs - logs.max())
    chosen = rng.choice(len(fits), DRAWS, p=weights / weights.sum())
    levels, slopes = np.empty(DRAWS), np.empty(DRAWS)
    for place in np.unique(chosen):
        _, mean, inverse, variance, freedom = fits[place]
        mine = chosen == place
        size = int(mine.sum())
        spread = np.sqrt(variance * freedom / rng.chisquare(freedom, size))
        drawn = mean + spread[:, None] * rng.multivariate_normal(np.zeros(2), inverse, size)
        levels[mine], slopes[mine] = drawn[:, 0], drawn[:, 1]
    return levels, slopes


def _straight(y: Floats, whole: Floats) -> bool:
    """Whether a line tells the series better than a season does: on the last values, and on all there are."""
    return all(
        _bic(part, _line(part)) + BETTER <= min(_bic(part, x) for x in _others(part))
        for part in {len(y): y, len(whole): whole}.values()
    )


def _line(y: Floats) -> Floats:
    return np.column_stack([np.ones(len(y)), np.arange(len(y))])


def _others(y: Floats) -> list[Floats]:
    t = np.arange(len(y))
    waves = [
        np.column_stack([np.ones(len(y)), np.sin(2 * np.pi * t / period), np.cos(2 * np.pi * t / period)])
        for period in PERIODS
    ]
    return [np.ones((len(y), 1)), *waves]


def _bic(y: Floats, x: Floats) -> float:
    found = np.linalg.lstsq(x, y, rcond=None)[0]
    left = float(((y - x @ found) ** 2).sum())
    parameters = x.shape[1] + (1 if x.shape[1] == 3 else 0)
    return len(y) * np.log(max(left / len(y), 1e-300)) + parameters * np.log(len(y))
