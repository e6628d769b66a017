"""When did a series change, and how: at once, or little by little?

The series is one mean per day with its variance. Three stories are told of it and the Bayesian information criterion
(Schwarz 1978) chooses: nothing happened; a step at k; a ramp that begins at k. The place is that of the largest
likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FEWEST = 4


@dataclass(frozen=True)
class Change:
    """`at`: the index of the first value after the change; `before` and `after`: the levels (after a ramp, its end)."""

    kind: Literal["sudden", "gradual"]
    at: int
    before: float
    after: float


def locate(values: Floats, variances: Floats) -> Change | None:
    """The change in a series of means with their variances, or None.

    Days scatter more than their rows alone would make them: the variances are scaled up until the best story fits
    (quasi-likelihood).

    >>> step = np.array([1.0, 1.1, 0.9, 1.0, 3.0, 3.1, 2.9, 3.0])
    >>> change = locate(step, np.full(8, 0.01))
    >>> change.kind, change.at, round(change.before, 1), round(change.after, 1)
    ('sudden', 4, 1.0, 3.0)
    >>> locate(np.array([1.0, 1.1, 0.9, 1.0, 1.05, 0.95]), np.full(6, 0.01)) is None
    True
    """
    n = len(values)
    if n < FEWEST:
        return None
    weights = 1 / np.maximum(variances, 1e-12)
    flat = _fit(np.ones((n, 1)), values, weights)[1]
    stories = []
    for at in range(1, n):
        step, ramp = (np.arange(n) >= at).astype(np.float64), np.maximum(np.arange(n) - at + 1.0, 0.0)
        for kind, shape in (("sudden", step), ("gradual", ramp)):
            if kind == "gradual" and n - at < 3:
                continue
            level, left = _fit(np.column_stack([np.ones(n), shape]), values, weights)
            stories.append((left, kind, at, level, shape))
    best = min(stories, key=lambda story: story[0])
    left, kind, at, level, shape = best
    scale = max(left / max(n - 3, 1), 1.0)
    # Three parameters more than the flat story: the size, the place and the shape.
    if (flat - left) / scale <= 3 * np.log(n):
        return None
    before, after = float(level[0]), float(level[0] + level[1] * shape[-1])
    return Change("sudden" if kind == "sudden" else "gradual", at, before, after)


def _fit(design: Floats, values: Floats, weights: Floats) -> tuple[Floats, float]:
    """Weighted least squares: the coefficients, and the weighted squares left over."""
    root = np.sqrt(weights)
    found = np.asarray(np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0], dtype=np.float64)
    rest = values - design @ found
    return found, float((weights * rest * rest).sum())
