"""How long labels take to become known, measured on rows some of which still wait for theirs.

Of the youngest rows only the quickly labelled ones are known: their delays alone would be too short. The Kaplan-Meier
estimator counts a waiting row as "at least this long"; its curve is scaled to the rows that ever get a label, because
some never do (a cancelled flight does not land).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def quantiles(delays: np.ndarray, waiting: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Quantiles of the delay in seconds. `delays`: of known labels; `waiting`: how long the others have waited so far.

    >>> quantiles(np.array([1.0, 2.0, 3.0, 4.0]), np.array([]), [0.5, 0.95])
    [2.0, 4.0]
    """
    if not len(delays):
        return [0.0 for _ in shares]
    times, known = np.unique(delays, return_counts=True)
    everyone = np.sort(np.concatenate([delays, waiting]))
    at_risk = len(everyone) - np.searchsorted(everyone, times, side="left")
    reached = 1 - np.cumprod(1 - known / at_risk)
    reached = reached / reached[-1]
    places = [min(int(np.searchsorted(reached, share - 1e-12)), len(times) - 1) for share in shares]
    return [float(times[place]) for place in places]
