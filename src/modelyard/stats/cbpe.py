"""A classifier's metric without labels, from its own calibrated probabilities (CBPE, as in NannyML's documentation).

If the rows scored p turn out positive with frequency c(p), the metric follows from the scores alone: each row is
positive with probability c. That holds while the meaning of a score holds; so it sees harder or easier rows, and is
blind to concept change.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from modelyard.stats.calibration import Curve

Floats = npt.NDArray[np.float64]
DRAWS = 20
MOST = 5_000
"""Rows whose labels are drawn to see how the metric scatters; more are thinned out evenly."""
_TINY = 1e-15


def expected_auc(p: Floats, c: Floats) -> float:
    """The expected area: over pairs of rows, how often the one that is positive is ranked above the one that is not.

    >>> expected_auc(np.array([0.2, 0.8]), np.array([0.0, 1.0]))
    1.0
    """
    values, place = np.unique(p, return_inverse=True)
    positive = np.bincount(place, weights=c, minlength=len(values))
    negative = np.bincount(place, weights=1 - c, minlength=len(values))
    below = np.cumsum(negative) - negative
    whole = positive.sum() * negative.sum()
    return float((positive * (below + negative / 2)).sum() / whole) if whole > 0 else float("nan")


EXPECTED: dict[str, Callable[[Floats, Floats], float]] = {
    "roc_auc": expected_auc,
    "log_loss": lambda p, c: float(
        -(c * np.log(np.clip(p, _TINY, 1)) + (1 - c) * np.log(np.clip(1 - p, _TINY, 1))).mean()
    ),
    "brier": lambda p, c: float((c * (1 - p) ** 2 + (1 - c) * p**2).mean()),
    "accuracy": lambda p, c: float(np.where(p >= 0.5, c, 1 - c).mean()),
}
"""Metrics whose expectation is known in closed form; of others the mean over drawn labels is taken."""


def estimate(
    metric: str,
    of: Callable[[Floats], Callable[[Floats], float | None]],
    p: Floats,
    curve: Curve,
    *,
    error: float = 0.0,
) -> tuple[float, tuple[float, float]] | None:
    """The metric of unlabelled rows with a 95% interval, or None where it cannot be told.

    `of(p)(y)` is the metric on labels; `error` the standard error with which the reference knows it. The
    interval holds the scatter of labels and that error.
    """
    c = curve.at(p)
    rng = np.random.default_rng(len(p))
    thin = np.linspace(0, len(p) - 1, min(len(p), MOST)).astype(int)
    function, drawn = of(p[thin]), []
    for _ in range(DRAWS):
        y = (rng.random(len(thin)) < c[thin]).astype(np.float64)
        if 0 < y.sum() < len(y):
            value = function(y)
            drawn.append(float("nan") if value is None else float(value))
    if len(drawn) < DRAWS // 2:
        return None
    value = EXPECTED[metric](p, c) if metric in EXPECTED else float(np.mean(drawn))
    scatter = float(np.std(drawn, ddof=1)) * np.sqrt(len(thin) / len(p))
    reach = 1.96 * float(np.hypot(scatter, error))
    return value, (value - reach, value + reach)
