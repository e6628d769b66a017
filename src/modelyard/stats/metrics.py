"""Metrics of predictions against labels, by name, and how exactly a window knows them.

`y`: (n,) labels (0/1 for binary tasks, class names for multiclass, numbers for regression); `p`: (n,) predictions or
probabilities of the positive class, (n, k) for multiclass in the order of `classes`. A metric that is undefined on its
rows (one class only, nothing to divide by) is None, never NaN.

>>> scores = score("binary_classification", np.array([0, 1]), np.array([0.2, 0.7]))
>>> scores["roc_auc"], round(scores["brier"], 3)
(1.0, 0.065)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelyard.errors import InputError
from modelyard.spec.metrics import METRICS as WAYS
from modelyard.spec.metrics import Way

Floats = npt.NDArray[np.float64]
Metric = Callable[[Floats, Floats], float | None]
BLOCKS = 20
_TINY = 1e-15


def score(
    task: str, y: Sequence[Any] | Floats, p: Floats, classes: Sequence[Any] | None = None, only: str | None = None
) -> dict[str, float]:
    """All metrics of `task` (or `only` one) that are defined on these rows. InputError for one that the task lacks."""
    functions = METRICS[task] if only is None else {only: _function(task, only)}
    codes, p = encoded(task, y, p, classes)
    if not len(codes):
        return {}
    found = {name: function(codes, p) for name, function in functions.items()}
    return {name: float(value) for name, value in found.items() if value is not None and np.isfinite(value)}


def better(name: str) -> Way:
    """Whether a "higher" or a "lower" value of the metric is better (`bias`: the lower distance from 0).

    >>> better("roc_auc"), better("log_loss")
    ('higher', 'lower')
    """
    return next((ways[name] for ways in WAYS.values() if name in ways), "lower")


def names(task: str) -> tuple[str, ...]:
    """The metrics of a task."""
    return tuple(METRICS[task])


def default(task: str) -> str:
    """The metric that stands for all where none is named: log_loss, or rmse."""
    return "rmse" if task == "regression" else "log_loss"


T95 = 2.09
"""So many standard errors of a jackknife over 20 blocks hold 95%: Student's t with 19 degrees of freedom."""


@dataclass(frozen=True)
class Estimate:
    """A metric over `rows`, its standard error, and a 95% interval; `why` says what is lacking when `value` is None."""

    value: float | None
    error: float | None
    rows: int
    why: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Mean ± 2.09 standard errors; None when unknown."""
        if self.value is None or self.error is None:
            return None
        return self.value - T95 * self.error, self.value + T95 * self.error


def estimate(task: str, metric: str, y: Sequence[Any] | Floats, p: Floats, classes: Sequence[Any] = ()) -> Estimate:
    """The metric over all rows, with its error; rows come in order of time. InputError for one that the task lacks.

    The error is a jackknife over consecutive blocks (Künsch 1989), so that neighbours that err alike do not feign
    certainty.
    """
    function = _function(task, metric)
    codes, p = encoded(task, y, p, classes)
    if not len(codes):
        return Estimate(None, None, 0, "no labelled rows")
    value = function(codes, p)
    if value is None or (metric in RANKED and len(np.unique(codes)) < 2):
        one = task != "regression" and len(np.unique(codes)) < 2
        why = "labels of one class only" if one else f"{metric} is undefined on these rows"
        return Estimate(None, None, len(codes), why)
    return Estimate(value, _jackknife(function, codes, p), len(codes))


RANKED = frozenset({"roc_auc", "average_precision", "precision", "recall", "f1"})
"""Metrics that tell nothing about a model while all labels agree, even where they are defined."""


def of_labels(task: str, metric: str, p: Floats) -> Callable[[Floats], float | None]:
    """The metric as a function of labels, of predictions that stay the same. InputError for one that the task lacks."""
    function = _function(task, metric)
    if function is roc_auc:
        ranks = _ranks(p)
        return lambda y: _area(y, ranks)
    return lambda y: function(y, p)


def encoded(
    task: str, y: Sequence[Any] | Floats, p: Floats, classes: Sequence[Any] | None = None
) -> tuple[Floats, Floats]:
    """Labels as numbers (a class by its place in `classes`), without rows whose class the model does not know."""
    labels, p = np.asarray(y), np.asarray(p, dtype=np.float64)
    if task == "regression" or (task == "binary_classification" and (labels.dtype.kind in "biuf" or not classes)):
        return labels.astype(np.float64), p
    places = {str(name): place for place, name in enumerate(classes or ())}
    codes = np.array([places.get(str(label), -1) for label in labels.tolist()], dtype=np.float64)
    return codes[codes >= 0], p[codes >= 0]


def _function(task: str, metric: str) -> Metric:
    functions = METRICS[task]
    if metric not in functions:
        raise InputError(f"{metric} is no metric of {task}", hint=f"There are {', '.join(functions)}.")
    return functions[metric]


def _jackknife(function: Metric, y: Floats, p: Floats) -> float | None:
    if len(y) < 2 * BLOCKS:
        return None
    block = np.arange(len(y)) * BLOCKS // len(y)
    if function is roc_auc:
        left = _areas_without(y, p, block)
    else:
        left = [function(y[block != b], p[block != b]) for b in range(BLOCKS)]
    known = [value for value in left if value is not None]
    if len(known) < BLOCKS:
        return None
    return float(np.sqrt((BLOCKS - 1) * np.var(known)))


def _areas_without(y: Floats, p: Floats, block: npt.NDArray[np.int64]) -> list[float | None]:
    """`roc_auc` without each of the blocks, which follow each other: from how many rows of each lie below the positive
    ones of each."""
    values, place = np.unique(p, return_inverse=True)
    shape = len(values), BLOCKS
    rows = np.bincount(place * BLOCKS + block, minlength=len(values) * BLOCKS).reshape(shape)
    below, positive = np.cumsum(rows, axis=0) - rows / 2, np.flatnonzero(y == 1)
    # No product of matrices: threads that wait for such small ones cost more than they save.
    summed = np.cumsum(np.vstack([np.zeros(BLOCKS), below[place[positive]]]), axis=0)
    counts = np.bincount(block[positive], minlength=BLOCKS)
    pairs = np.diff(summed[np.append(0, np.cumsum(counts))], axis=0)
    left = pairs.sum() - pairs.sum(axis=0) - pairs.sum(axis=1) + np.diag(pairs)
    n = counts.sum() - counts
    m = len(y) - rows.sum(axis=0) - n
    return [float((b - n * n / 2) / (n * m)) if n and m else None for b, n, m in zip(left, n, m, strict=True)]


def roc_auc(y: Floats, p: Floats) -> float | None:
    """The probability that a positive row is ranked above a negative one, ties half."""
    return _area(y, _ranks(p))


def _area(y: Floats, ranks: Floats) -> float | None:
    positives = y == 1
    n, m = int(positives.sum()), int((~positives).sum())
    if not n or not m:
        return None
    return float((ranks[positives].sum() - n * (n + 1) / 2) / (n * m))


def average_precision(y: Floats, p: Floats) -> float | None:
    """The area under the precision-recall steps, one step per distinct score."""
    if not (y == 1).any():
        return None
    order = np.argsort(-p, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(y[order] == 1)[ends]
    return float((np.diff(np.append(0, hits)) * hits / (ends + 1)).sum() / hits[-1])


def log_loss(y: Floats, p: Floats) -> float:
    """Mean negative logarithm of the probability of what happened (for many classes, as a share of the row's sum)."""
    if p.ndim == 1:
        given = np.where(y == 1, p, 1 - p)
    else:
        given = p[np.arange(len(y)), y.astype(int)] / np.maximum(p.sum(axis=1), _TINY)
    return float(-np.log(np.clip(given, _TINY, 1)).mean())


def brier(y: Floats, p: Floats) -> float:
    """Mean squared distance of probabilities from what happened."""
    return float(((p - y) ** 2).mean())


def accuracy(y: Floats, p: Floats) -> float:
    """The share of rows whose likeliest class happened."""
    return float((_decided(p) == y).mean())


def precision(y: Floats, p: Floats) -> float | None:
    """Of the rows called positive, the share that were."""
    called = _decided(p) == 1
    return float((y[called] == 1).mean()) if called.any() else None


def recall(y: Floats, p: Floats) -> float | None:
    """Of the positive rows, the share that was called so."""
    positives = y == 1
    return float((_decided(p)[positives] == 1).mean()) if positives.any() else None


def f1(y: Floats, p: Floats) -> float | None:
    """The harmonic mean of precision and recall."""
    return _f1(y == 1, _decided(p) == 1)


def f1_macro(y: Floats, p: Floats) -> float:
    """The mean of the F1 of each class that occurs or is called."""
    called = _decided(p)
    return float(np.mean([_f1(y == each, called == each) for each in np.union1d(y, called)]))


def roc_auc_ovr(y: Floats, p: Floats) -> float | None:
    """The mean over classes of each one's ROC AUC against the rest; of those that occur, and not alone."""
    each = [roc_auc((y == place).astype(float), p[:, place]) for place in range(p.shape[1])]
    known = [value for value in each if value is not None]
    return float(np.mean(known)) if known else None


def rmse(y: Floats, p: Floats) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(((y - p) ** 2).mean()))


def mae(y: Floats, p: Floats) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.abs(y - p).mean())


def mape(y: Floats, p: Floats) -> float | None:
    """Mean absolute error as a share of the true value; undefined when one is 0."""
    return None if (y == 0).any() else float((np.abs(y - p) / np.abs(y)).mean())


def smape(y: Floats, p: Floats) -> float:
    """The mean of 2 |error| / (|y| + |p|), from 0 to 2; nothing expected and nothing seen is no error."""
    size = np.abs(y) + np.abs(p)
    return float((2 * np.abs(p - y) / np.where(size == 0, 1, size)).mean())


def wape(y: Floats, p: Floats) -> float | None:
    """The sum of |error| by the sum of |y|."""
    total = float(np.abs(y).sum())
    return float(np.abs(p - y).sum() / total) if total else None


def r2(y: Floats, p: Floats) -> float | None:
    """The share of the labels' variance that the predictions explain; undefined when the labels do not vary."""
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - p) ** 2).sum()) / spread if spread else None


def bias(y: Floats, p: Floats) -> float:
    """Mean of prediction less truth, in the target's unit."""
    return float((p - y).mean())


METRICS: dict[str, dict[str, Metric]] = {
    "binary_classification": {
        "log_loss": log_loss,
        "roc_auc": roc_auc,
        "brier": brier,
        "accuracy": accuracy,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "average_precision": average_precision,
    },
    "multiclass_classification": {
        "log_loss": log_loss,
        "accuracy": accuracy,
        "f1_macro": f1_macro,
        "roc_auc_ovr": roc_auc_ovr,
    },
    "regression": {
        "rmse": rmse,
        "mae": mae,
        "mape": mape,
        "smape": smape,
        "wape": wape,
        "r2": r2,
        "bias": bias,
    },
}


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _decided(p: Floats) -> Floats:
    return p.argmax(axis=1).astype(float) if p.ndim == 2 else (p >= 0.5).astype(float)


def _f1(truth: npt.NDArray[np.bool_], called: npt.NDArray[np.bool_]) -> Any:
    either = int(truth.sum() + called.sum())
    return 2 * int((truth & called).sum()) / either if either else None
