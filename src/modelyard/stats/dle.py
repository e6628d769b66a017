"""A regression's error without labels, from how large errors were where the model answered alike (DLE).

NannyML's direct loss estimation, with the prediction as the only feature: errors that grow with the size of what is
predicted are the rule (heteroscedasticity). Rows are put into quantile bins of the reference's predictions, each with
the mean absolute and the mean squared error of its rows. Blind to concept change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BINS = 20


@dataclass(frozen=True)
class ErrorBins:
    """Inner `edges` of predictions, and per bin the mean absolute and the mean squared error.

    >>> p = np.repeat([1.0, 10.0], 300)
    >>> bins = ErrorBins.fit(p, p + np.tile([0.1, -0.1], 300) * p)
    >>> round(bins.estimate("mae", np.array([10.0] * 50))[0], 3)
    1.0
    """

    edges: tuple[float, ...]
    absolute: tuple[float, ...]
    squared: tuple[float, ...]

    @classmethod
    def fit(cls, p: Floats, y: Floats) -> ErrorBins:
        """From predictions and truths."""
        count = max(1, min(BINS, len(p) // 50))
        edges = np.unique(np.quantile(p, np.linspace(0, 1, count + 1)[1:-1])) if count > 1 else np.array([])
        place = np.searchsorted(edges, p, side="right")
        rows = np.bincount(place, minlength=len(edges) + 1)
        error = np.abs(y - p)
        whole = max(len(p), 1)

        def means(values: Floats) -> tuple[float, ...]:
            sums = np.bincount(place, weights=values, minlength=len(rows))
            return tuple(np.where(rows > 0, sums / np.maximum(rows, 1), values.sum() / whole).tolist())

        return cls(tuple(edges.tolist()), means(error), means(error * error))

    def errors(self, p: Floats) -> tuple[Floats, Floats]:
        """The expected absolute and squared error of each row."""
        place = np.searchsorted(np.array(self.edges), p, side="right")
        return np.array(self.absolute)[place], np.array(self.squared)[place]

    def estimate(self, metric: str, p: Floats, *, error: float = 0.0) -> tuple[float, tuple[float, float]] | None:
        """mae, mse or rmse of unlabelled rows with a 95% interval; None for other metrics."""
        absolute, squared = self.errors(p)
        n = len(p)
        if n == 0:
            return None
        scatter_squared = np.sqrt(2.0) * squared.mean() / np.sqrt(n)
        match metric:
            case "mae":
                value, scatter = absolute.mean(), np.sqrt(max(float((squared - absolute**2).mean()), 0.0) / n)
            case "mse":
                value, scatter = squared.mean(), scatter_squared
            case "rmse":
                value = np.sqrt(squared.mean())
                scatter = scatter_squared / (2 * value) if value > 0 else 0.0
            case _:
                return None
        reach = 1.96 * float(np.hypot(scatter, error))
        return float(value), (float(value) - reach, float(value) + reach)
