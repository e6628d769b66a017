"""What an introduction moved: an interrupted time series, with an interval that knows of autocorrelation.

y_t = a + b t + season + Σ steps + e_t, e_t = ρ e_{t-1} + ε_t (segmented regression; Wagner et al. 2002, Bernal et al. 2017).
The effect is the step at the introduction. For each ρ of a grid the posterior of the step is Student's t in closed form
(generalised least squares, flat priors); weighted by ρ's restricted likelihood (Harville 1974) they are a mixture, whose
quantiles are the interval. Plugging in one estimate of ρ instead covers too rarely in short series. Periods may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
RHO = np.concatenate([np.linspace(-0.4, 0.9, 27), np.array([0.93, 0.96, 0.98])])


@dataclass(frozen=True)
class Effect:
    """An effect in the unit of the series: the median and the ends of the interval."""

    estimate: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def step(
    periods: npt.NDArray[np.int64],
    values: Floats,
    at: int,
    *,
    others: Sequence[int] = (),
    seasons: Sequence[npt.NDArray[np.int64]] = (),
    level: float = 0.95,
    forecast: bool = False,
) -> Effect | None:
    """The step from period `at` on. `periods` ascend and may have gaps; `others` are further introductions in the series;
    `seasons` give each period's place in a cycle (day of the week). None when the series cannot tell it from the rest.

    With `forecast` it is the mean distance from what the periods before `at` foretell: each period after has a column of its
    own, so that what it is like says nothing of how values scatter. A fall that began within them hides nothing then.

    >>> rng = np.random.default_rng(1)
    >>> days = np.arange(120)
    >>> y = 50 + 3 * (days % 7 == 0) + rng.normal(0, 1, 120) + 4 * (days >= 60)
    >>> found = step(days, y, 60, seasons=[days % 7])
    >>> found.low < 4 < found.high, found.shown
    (True, True)
    """
    x = _design(periods, at, others, seasons)
    if forecast and (own := [(periods == period).astype(float) for period in periods[periods >= at]]):
        # Sums of zero: the first column's coefficient stays the mean of all.
        x = np.column_stack([x, *(each - own[-1] for each in own[:-1])])
    return posterior(periods, np.asarray(values, dtype=np.float64), x, 0, level=level)


def mean(periods: npt.NDArray[np.int64], values: Floats, *, level: float = 0.95) -> Effect | None:
    """The mean of an autocorrelated series, such as the difference of two arms period by period."""
    return posterior(periods, np.asarray(values, dtype=np.float64), np.ones((len(values), 1)), 0, level=level)


def _design(
    periods: npt.NDArray[np.int64], at: int, others: Sequence[int], seasons: Sequence[npt.NDArray[np.int64]]
) -> Floats:
    """The step first, then level, trend, other steps, seasons; columns that say nothing new are left out."""
    time = (periods - periods.mean()) / max(float(np.ptp(periods)), 1.0)
    columns = [(periods >= at).astype(float), np.ones(len(periods)), time]
    columns += [(periods >= other).astype(float) for other in others]
    for places in seasons:
        columns += [(places == place).astype(float) for place in np.unique(places)[1:]]
    kept: list[Floats] = []
    for column in columns:
        if np.linalg.matrix_rank(np.column_stack([*kept, column])) > len(kept):
            kept.append(column)
    return np.column_stack(kept)


def posterior(
    periods: npt.NDArray[np.int64], y: Floats, x: Floats, which: int, *, level: float = 0.95
) -> Effect | None:
    """The interval of one coefficient; None when there are too few values for the columns."""
    n, p = x.shape
    degrees = n - p
    if degrees < 3 or not np.isfinite(y).all():
        return None
    scale = float(np.std(y)) or 1.0
    gaps = np.diff(periods)
    weights, centres, widths = (np.empty(len(RHO)) for _ in range(3))
    for i, rho in enumerate(RHO):
        correlation = np.sign(rho) ** gaps * np.abs(rho) ** gaps
        spread = np.sqrt(1 - correlation**2)
        whitened = [_white(each, correlation, spread) for each in (x, y / scale)]
        q, r = np.linalg.qr(whitened[0])
        if np.abs(np.diag(r)).min() < 1e-9:
            return None
        inverse = np.linalg.inv(r)
        beta = inverse @ (q.T @ whitened[1])
        rss = max(float(((whitened[1] - whitened[0] @ beta) ** 2).sum()), 1e-18)
        weights[i] = -np.log(spread).sum() - np.log(np.abs(np.diag(r))).sum() - degrees / 2 * np.log(rss)
        centres[i], widths[i] = beta[which], np.sqrt(rss / degrees * (inverse[which] ** 2).sum())
    weights = np.exp(weights - weights.max())
    weights *= np.gradient(RHO)
    weights /= weights.sum()
    low, middle, high = (
        scale * _quantile(share, weights, centres, widths, degrees) for share in ((1 - level) / 2, 0.5, (1 + level) / 2)
    )
    return Effect(middle, low, high)


def _white(values: Floats, correlation: Floats, spread: Floats) -> Floats:
    """Values whose errors are independent and alike."""
    shape = (-1, *(1,) * (values.ndim - 1))
    rest = (values[1:] - correlation.reshape(shape) * values[:-1]) / spread.reshape(shape)
    return np.concatenate([values[:1], rest])


def _quantile(share: float, weights: Floats, centres: Floats, widths: Floats, degrees: int) -> float:
    """A quantile of a mixture of Student's t, by bisection."""
    reach = 60 * widths.max() + np.ptp(centres)
    low, high = centres.min() - reach, centres.max() + reach
    for _ in range(80):
        middle = (low + high) / 2
        below = float((weights * special.stdtr(degrees, (middle - centres) / widths)).sum())
        low, high = (middle, high) if below < share else (low, middle)
    return float((low + high) / 2)
