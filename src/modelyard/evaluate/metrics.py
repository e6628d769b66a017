"""The usual metrics of a task, by name. One that is undefined (one class only, no rows) is absent, never NaN.

>>> scores = score("binary_classification", np.array([0, 1]), np.array([0.2, 0.7]))
>>> scores["roc_auc"], round(scores["brier"], 3)
(1.0, 0.065)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from modelyard.errors import InputError

Array = np.ndarray
_CLIP = 1e-15
_HIGHER = {"accuracy", "average_precision", "f1", "f1_macro", "precision", "r2", "recall", "roc_auc", "roc_auc_ovr"}


def score(
    task: str, y: Array, p: Array, classes: Sequence[Any] | None = None, only: str | None = None
) -> dict[str, float]:
    """All metrics of `task` (or `only` one) that are defined on these rows.

    Binary: `y` 0/1 (or labels of `classes`), `p` the probability of the positive class. Multiclass: `y` labels, `p`
    (n, k) by `classes`. Regression: numbers. InputError for a metric that the task does not have.
    """
    functions = _TASKS[task]
    if only is not None and only not in functions:
        raise InputError(f"{only} is no metric of {task}", hint=f"There are {', '.join(functions)}.")
    if not len(y):
        return {}
    y, p = _as_numbers(task, y, classes), np.asarray(p, dtype=np.float64)
    chosen = functions if only is None else {only: functions[only]}
    found = {name: function(y, p) for name, function in chosen.items()}
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def better(name: str) -> str:
    """Whether a "higher" or a "lower" value of the metric is better (`bias`: the lower distance from 0).

    >>> better("roc_auc"), better("log_loss")
    ('higher', 'lower')
    """
    return "higher" if name in _HIGHER else "lower"


def names(task: str) -> tuple[str, ...]:
    """The metrics of a task."""
    return tuple(_TASKS[task])


def default(task: str) -> str:
    """The metric that stands for all where none is named: log_loss, or rmse."""
    return "rmse" if task == "regression" else "log_loss"


def _as_numbers(task: str, y: Array, classes: Sequence[Any] | None) -> Array:
    y = np.asarray(y)
    if task == "regression":
        return y.astype(np.float64)
    if task == "binary_classification" and (y.dtype.kind in "biuf" or not classes):
        return y.astype(np.int64)
    places = {str(value): place for place, value in enumerate(classes or ())}
    return np.array([places[str(value)] for value in y.tolist()], dtype=np.int64)


# binary: y is 0/1, p the probability of 1


def _roc_auc(y: Array, p: Array) -> float | None:
    """Area under the ROC curve by ranks, ties counted half (Mann-Whitney U)."""
    positives = int(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return None
    return (rankdata(p)[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)


def _average_precision(y: Array, p: Array) -> float | None:
    """Precision summed over the steps of recall, as in scikit-learn."""
    positives = y.sum()
    if not positives:
        return None
    order = np.argsort(-p, kind="stable")
    hits, shown = np.cumsum(y[order]), np.arange(1, len(y) + 1)
    ends = np.append(np.nonzero(np.diff(p[order]))[0], len(y) - 1)
    recall = hits[ends] / positives
    return float(np.sum(np.diff(recall, prepend=0.0) * hits[ends] / shown[ends]))


def _log_loss(y: Array, p: Array) -> float:
    right = np.where(y == 1, p, 1 - p)
    return float(-np.log(np.clip(right, _CLIP, 1)).mean())


def _brier(y: Array, p: Array) -> float:
    return float(((p - y) ** 2).mean())


def _accuracy(y: Array, p: Array) -> float:
    return float(((p >= 0.5) == y).mean())


def _precision(y: Array, p: Array) -> float | None:
    return _share(y[p >= 0.5])


def _recall(y: Array, p: Array) -> float | None:
    return _share(p[y == 1] >= 0.5)


def _f1(y: Array, p: Array) -> float | None:
    return _f1_of(y == 1, p >= 0.5)


def _f1_of(is_class: Array, said: Array) -> float | None:
    both = is_class.sum() + said.sum()
    return 2 * (is_class & said).sum() / both if both else None


def _share(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None


# multiclass: y is the place among the classes, p (n, k)


def _log_loss_many(y: Array, p: Array) -> float:
    total = np.maximum(p.sum(axis=1), _CLIP)
    return float(-np.log(np.clip(p[np.arange(len(y)), y] / total, _CLIP, 1)).mean())


def _accuracy_many(y: Array, p: Array) -> float:
    return float((p.argmax(axis=1) == y).mean())


def _f1_macro(y: Array, p: Array) -> float | None:
    """The mean of the F1 of each class that occurs."""
    said = p.argmax(axis=1)
    each = [_f1_of(y == place, said == place) for place in np.unique(y)]
    return float(np.mean([value or 0.0 for value in each])) if each else None


def _roc_auc_ovr(y: Array, p: Array) -> float | None:
    """The mean over classes of each one's ROC AUC against the rest; undefined when a class does not occur."""
    each = [_roc_auc((y == place).astype(np.int64), p[:, place]) for place in range(p.shape[1])]
    return None if None in each else float(np.mean([value for value in each if value is not None]))


# regression


def _rmse(y: Array, p: Array) -> float:
    return math.sqrt(((p - y) ** 2).mean())


def _mae(y: Array, p: Array) -> float:
    return float(np.abs(p - y).mean())


def _mape(y: Array, p: Array) -> float | None:
    """The mean of |error| / |y|; undefined when a y is 0."""
    return None if (y == 0).any() else float((np.abs(p - y) / np.abs(y)).mean())


def _smape(y: Array, p: Array) -> float:
    """The mean of 2 |error| / (|y| + |p|), from 0 to 2; nothing expected and nothing seen is no error."""
    size = np.abs(y) + np.abs(p)
    return float((2 * np.abs(p - y) / np.where(size == 0, 1, size)).mean())


def _wape(y: Array, p: Array) -> float | None:
    """The sum of |error| by the sum of |y|."""
    total = np.abs(y).sum()
    return float(np.abs(p - y).sum() / total) if total else None


def _r2(y: Array, p: Array) -> float | None:
    spread = ((y - y.mean()) ** 2).sum()
    return float(1 - ((p - y) ** 2).sum() / spread) if spread > 0 else None


def _bias(y: Array, p: Array) -> float:
    return float((p - y).mean())


_TASKS: dict[str, dict[str, Callable[[Array, Array], float | None]]] = {
    "binary_classification": {
        "log_loss": _log_loss,
        "roc_auc": _roc_auc,
        "brier": _brier,
        "accuracy": _accuracy,
        "precision": _precision,
        "recall": _recall,
        "f1": _f1,
        "average_precision": _average_precision,
    },
    "multiclass_classification": {
        "log_loss": _log_loss_many,
        "accuracy": _accuracy_many,
        "f1_macro": _f1_macro,
        "roc_auc_ovr": _roc_auc_ovr,
    },
    "regression": {
        "rmse": _rmse,
        "mae": _mae,
        "mape": _mape,
        "smape": _smape,
        "wape": _wape,
        "r2": _r2,
        "bias": _bias,
    },
}
