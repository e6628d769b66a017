"""When will a falling metric reach its floor? The date with an interval, or silence.

One value per window, the last 39. A line with autocorrelated errors, y_t = a + b t + e_t, e_t = ρ e_{t-1} + ε_t, Bayesian:
for each ρ of a grid the posterior of (a, b, σ²) is known in closed form (Zellner 1971, ch. 4, flat priors), weighted by
ρ's marginal likelihood and a prior that expects some autocorrelation. Draws of it give the crossing of a + b t.

It speaks only when a line is what the series shows: the slope goes towards the floor with probability .99, and the line
is better by its BIC than a season (a sine of any period, on all of the history) and than a flat series. A model that was well
for months and fades since is no line: where a bend (flat, then a line) is better than all these and than a step, the values
since the bend are taken for the line. A season that tells the values about as well keeps it silent, unless the floor is near
and that season goes through it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

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
FLAT, FADING = 4, 10
"""So many values at least before a bend and after it."""
BENT = 12.0
"""As `BETTER`, for a bend: its place is chosen, and half a wave looks still more like one."""
NEAR, LATER = 8.0, 1.5
CLEARLY = 1.0
"""A floor that is at most so many steps away: then a season that meets it but little later, and goes through it by so many
standard deviations of what it leaves unexplained, is no reason for silence."""
Rival = tuple[int, Callable[[Floats], Floats]]
"""How many parameters were chosen beside the columns, and the columns at given places."""
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
    found = _met(y, target, sign)
    if found is not None and _straight(y, whole, target, found.steps):
        return found
    bend = _bend(whole)
    if bend is None:
        return None
    found = _met(whole[bend:][-LAST:], target, sign)
    return found if found is not None and _bent(whole, bend, target, found.steps) else None


def _met(y: Floats, target: float, sign: float) -> Crossing | None:
    """Where the line through these values meets the floor; None when it may as well not fall."""
    a, b = _posterior(y)
    probability = float((b < 0).mean())
    if probability < SURE:
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


def _straight(y: Floats, whole: Floats, target: float, steps: float) -> bool:
    """Whether a line tells the series better than a season does, or no season would spare it the floor: on the last values,
    and on all there are."""
    return all(
        _spared(part, _bic(part, _line(part)) + BETTER, _others(len(part)), target, steps) is False
        for part in {len(y): y, len(whole): whole}.values()
    )


def _bent(y: Floats, bend: int, target: float, steps: float) -> bool:
    """The same of a bend, beside steps."""
    n = len(y)
    rivals = [*_others(n), *(_step(n, k) for k in range(2, n - 1))]
    return _spared(y, _bic(y, _bending(n, bend)) + np.log(n) + BENT, rivals, target, steps) is False


def _spared(y: Floats, limit: float, rivals: Sequence[Rival], target: float, steps: float) -> bool:
    """Whether a rival whose BIC is below `limit` stays above the floor for longer than the line takes to reach it."""
    n, far = len(y), len(y) + int(np.ceil(LATER * steps + 2))
    for extra, columns in rivals:
        x = columns(np.arange(far, dtype=np.float64))
        if _bic(y, x[:n]) + extra * np.log(n) >= limit:
            continue
        if steps > NEAR:
            return True
        found = np.linalg.lstsq(x[:n], y, rcond=None)[0]
        if (x[n:] @ found).min() > target - CLEARLY * float(np.std(y - x[:n] @ found)):
            return True
    return False


def _bend(y: Floats) -> int | None:
    """Where a flat series most likely began to be a line; None when it is too short for a bend."""
    places = range(FLAT, len(y) - FADING + 1)
    return min(places, key=lambda k: _bic(y, _bending(len(y), k)), default=None)


def _bending(n: int, k: int) -> Floats:
    return np.column_stack([np.ones(n), np.maximum(np.arange(n) - k, 0)])


def _step(n: int, k: int) -> Rival:
    return 1, lambda t: np.column_stack([np.ones(len(t)), t >= k])


def _line(y: Floats) -> Floats:
    return np.column_stack([np.ones(len(y)), np.arange(len(y))])


def _others(n: int) -> list[Rival]:
    """A flat series, and a wave of each period."""
    flat: Rival = (0, lambda t: np.ones((len(t), 1)))
    return [flat, *((0, partial(_wave, period)) for period in PERIODS)]


def _wave(period: float, t: Floats) -> Floats:
    return np.column_stack([np.ones(len(t)), np.sin(2 * np.pi * t / period), np.cos(2 * np.pi * t / period)])


def _bic(y: Floats, x: Floats) -> float:
    found = np.linalg.lstsq(x, y, rcond=None)[0]
    left = float(((y - x @ found) ** 2).sum())
    parameters = x.shape[1] + (1 if x.shape[1] == 3 else 0)
    return len(y) * np.log(max(left / len(y), 1e-300)) + parameters * np.log(len(y))
