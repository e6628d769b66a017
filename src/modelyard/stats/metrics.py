"""Metrics of predictions against labels, and how exactly a window knows them.

`y`: (n,) labels (0/1 for binary tasks, class names for multiclass, numbers for regression); `p`: (n,) predictions or
probabilities of the positive class, (n, k) for multiclass in the order of `classes`. Rows come in order of time: the
standard error is a jackknife over consecutive blocks (Künsch 1989), so that neighbours that err alike do not feign
certainty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Metric = Callable[[Floats, Floats], float]
BLOCKS = 20
_TINY = 1e-15


@dataclass(frozen=True)
class Estimate:
    """A metric over `rows`, its standard error, and a 95% interval; `why` says what is lacking when `value` is None."""

    value: float | None
    error: float | None
    rows: int
    why: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Mean ± 2.09 standard errors (Student's t with 19 degrees of freedom); None when unknown."""
        if self.value is None or self.error is None:
            return None
        return self.value - 2.09 * self.error, self.value + 2.09 * self.error


def estimate(task: str, metric: str, y: Sequence[Any] | Floats, p: Floats, classes: Sequence[str] = ()) -> Estimate:
    """The metric over all rows, with its error. KeyError for a metric that the task does not have."""
    function = METRICS[task][metric]
    codes, p = encoded(task, y, p, classes)
    why = lacking(task, metric, codes)
    if why:
        return Estimate(None, None, len(codes), why)
    return Estimate(function(codes, p), _jackknife(function, task, metric, codes, p), len(codes))


def encoded(task: str, y: Sequence[Any] | Floats, p: Floats, classes: Sequence[str]) -> tuple[Floats, Floats]:
    """Labels as numbers (a class by its place in `classes`), without rows whose class the model does not know."""
    if task != "multiclass_classification":
        return np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    places = {name: place for place, name in enumerate(classes)}
    codes = np.array([places.get(str(label), -1) for label in y], dtype=np.float64)
    return codes[codes >= 0], np.asarray(p, dtype=np.float64)[codes >= 0]


def lacking(task: str, metric: str, codes: Floats) -> str:
    """Why a metric cannot be computed on these labels, or ""."""
    if len(codes) == 0:
        return "no labelled rows"
    if task != "regression" and len(np.unique(codes)) < 2 and metric in RANKED:
        return "labels of one class only"
    return ""


RANKED = frozenset({"roc_auc", "average_precision", "balanced_accuracy", "precision", "recall", "f1"})
"""Metrics that mean nothing when all labels agree."""


def _jackknife(function: Metric, task: str, metric: str, y: Floats, p: Floats) -> float | None:
    if len(y) < 2 * BLOCKS:
        return None
    block = np.arange(len(y)) * BLOCKS // len(y)
    left = [function(y[block != b], p[block != b]) for b in range(BLOCKS) if not lacking(task, metric, y[block != b])]
    if len(left) < BLOCKS:
        return None
    return float(np.sqrt((BLOCKS - 1) * np.var(left)))


def roc_auc(y: Floats, p: Floats) -> float:
    """The probability that a positive row is ranked above a negative one, ties half."""
    positives = y == 1
    n, m = int(positives.sum()), int((~positives).sum())
    ranks = _ranks(p)
    return float((ranks[positives].sum() - n * (n + 1) / 2) / (n * m))


def average_precision(y: Floats, p: Floats) -> float:
    """The area under the precision-recall steps, one step per distinct score."""
    order = np.argsort(-p, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(y[order] == 1)[ends]
    return float((np.diff(np.append(0, hits)) * hits / (ends + 1)).sum() / hits[-1])


def log_loss(y: Floats, p: Floats) -> float:
    """Mean negative logarithm of the probability that was given to what happened."""
    return float(-np.log(np.clip(_given(y, p), _TINY, 1)).mean())


def brier(y: Floats, p: Floats) -> float:
    """Mean squared distance of probabilities from what happened (summed over the classes of a multiclass model)."""
    if p.ndim == 2:
        return float(((p - np.eye(p.shape[1])[y.astype(int)]) ** 2).sum(axis=1).mean())
    return float(((p - y) ** 2).mean())


def accuracy(y: Floats, p: Floats) -> float:
    """The share of rows whose likeliest class happened."""
    return float((_decided(p) == y).mean())


def balanced_accuracy(y: Floats, p: Floats) -> float:
    """The mean over classes of the share of their rows that were found."""
    right = _decided(p) == y
    return float(np.mean([right[y == label].mean() for label in np.unique(y)]))


def precision(y: Floats, p: Floats) -> float:
    """Of the rows called positive, the share that were; 0 when none was called so."""
    called = _decided(p) == 1
    return float((y[called] == 1).mean()) if called.any() else 0.0


def recall(y: Floats, p: Floats) -> float:
    """Of the positive rows, the share that was called so."""
    return float((_decided(p)[y == 1] == 1).mean())


def f1(y: Floats, p: Floats) -> float:
    """The harmonic mean of precision and recall; the plain mean over classes for a multiclass model."""
    called = _decided(p)
    labels: Sequence[float] = [1.0] if p.ndim == 1 else sorted({*y.tolist(), *called.tolist()})
    return float(np.mean([_f1(y == label, called == label) for label in labels]))


def calibration_error(y: Floats, p: Floats) -> float:
    """Mean distance of probability and frequency over ten bins of equal width, weighted by their rows."""
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = np.bincount(bins, weights=p - y, minlength=10)
    return float(np.abs(gaps).sum() / len(y))


def multiclass_auc(y: Floats, p: Floats) -> float:
    """The mean over classes of one class against the rest, over those that came and not alone."""
    present = [c for c in range(p.shape[1]) if 0 < (y == c).sum() < len(y)]
    return float(np.mean([roc_auc((y == c).astype(float), p[:, c]) for c in present]))


def mse(y: Floats, p: Floats) -> float:
    """Mean squared error."""
    return float(((y - p) ** 2).mean())


def rmse(y: Floats, p: Floats) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(mse(y, p)))


def mae(y: Floats, p: Floats) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.abs(y - p).mean())


def mape(y: Floats, p: Floats) -> float:
    """Mean absolute error as a share of the true value."""
    return float((np.abs(y - p) / np.maximum(np.abs(y), np.finfo(float).eps)).mean())


def rmsle(y: Floats, p: Floats) -> float:
    """Root mean squared error of log(1 + value); negative values count as 0."""
    return rmse(np.log1p(np.maximum(y, 0)), np.log1p(np.maximum(p, 0)))


def median_absolute_error(y: Floats, p: Floats) -> float:
    """Median of the absolute errors."""
    return float(np.median(np.abs(y - p)))


def r2(y: Floats, p: Floats) -> float:
    """The share of the labels' variance that the predictions explain; 0 when the labels do not vary."""
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - p) ** 2).sum()) / spread if spread else 0.0


_EVERY: dict[str, Metric] = {
    "log_loss": log_loss,
    "brier": brier,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
}
METRICS: dict[str, dict[str, Metric]] = {
    "binary_classification": {
        **_EVERY,
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "precision": precision,
        "recall": recall,
        "calibration_error": calibration_error,
    },
    "multiclass_classification": {**_EVERY, "roc_auc": multiclass_auc},
    "regression": {
        "rmse": rmse,
        "mse": mse,
        "mae": mae,
        "mape": mape,
        "rmsle": rmsle,
        "median_absolute_error": median_absolute_error,
        "r2": r2,
    },
}


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _given(y: Floats, p: Floats) -> Floats:
    return p[np.arange(len(y)), y.astype(int)] if p.ndim == 2 else np.where(y == 1, p, 1 - p)


def _decided(p: Floats) -> Floats:
    return p.argmax(axis=1).astype(float) if p.ndim == 2 else (p >= 0.5).astype(float)


def _f1(truth: npt.NDArray[np.bool_], called: npt.NDArray[np.bool_]) -> float:
    either = int(truth.sum() + called.sum())
    return 2 * int((truth & called).sum()) / either if either else 0.0
