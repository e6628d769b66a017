"""Per-row losses of the metrics that a guard may name: what lets champion and challenger be compared row by row.

A guard says how much worse a metric may become. As a statement about rows it reads: the mean of
`challenger's loss - scale * champion's loss - shift` is at most 0. Each metric knows its loss, scale and shift. What
is no mean of per-row losses (roc_auc, r2, f1) cannot be a guard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from modelyard.spec.values import Margin

Array = np.ndarray
_CLIP = 1e-15


@dataclass(frozen=True)
class Loss:
    """One metric: `rows(y, p, classes)` is its loss per row, `allowed(margin, champion's mean loss)` scale and shift.

    `size` is the largest loss of a row, if there is one: a few imagined rows of that size keep unanimity from being
    proof.
    """

    tasks: tuple[str, ...]
    rows: Callable[[Array, Array, Sequence[str]], Array]
    allowed: Callable[[Margin, float], tuple[float, float]]
    size: float | None = None


def _more(margin: Margin, champion: float) -> tuple[float, float]:
    """A loss may be larger by a share of it, or by an amount."""
    return (1 + margin.amount, 0.0) if margin.relative else (1.0, margin.amount)


def _more_squared(margin: Margin, champion: float) -> tuple[float, float]:
    """A root mean square may be larger: said of the mean square.

    >>> _more_squared(Margin(0.1, True), 4.0)[0], _more_squared(Margin(1.0, False), 4.0)[1]
    (1.2100000000000002, 5.0)
    """
    if margin.relative:
        return (1 + margin.amount) ** 2, 0.0
    root = math.sqrt(max(champion, 0.0))
    return 1.0, (root + margin.amount) ** 2 - root * root


def _less_right(margin: Margin, champion: float) -> tuple[float, float]:
    """An accuracy may be smaller: said of the share of wrong answers."""
    return (1 - margin.amount, margin.amount) if margin.relative else (1.0, margin.amount)


def _log_loss(y: Array, p: Array, classes: Sequence[str]) -> Array:
    if p.ndim == 2:
        return -np.log(np.clip(p[np.arange(len(y)), _codes(y, classes)], _CLIP, 1))
    p = np.clip(p, _CLIP, 1 - _CLIP)
    return -np.where(y.astype(float) == 1, np.log(p), np.log1p(-p))


def _brier(y: Array, p: Array, classes: Sequence[str]) -> Array:
    if p.ndim == 2:
        return ((p - np.eye(len(classes))[_codes(y, classes)]) ** 2).sum(axis=1)
    return (p - y.astype(float)) ** 2


def _wrong(y: Array, p: Array, classes: Sequence[str]) -> Array:
    if p.ndim == 2:
        return (p.argmax(axis=1) != _codes(y, classes)).astype(float)
    return ((p >= 0.5) != (y.astype(float) == 1)).astype(float)


def _absolute(y: Array, p: Array, classes: Sequence[str]) -> Array:
    return np.abs(p - y.astype(float))


def _squared(y: Array, p: Array, classes: Sequence[str]) -> Array:
    return (p - y.astype(float)) ** 2


def _codes(y: Array, classes: Sequence[str]) -> Array:
    """The number of each label's class; rows of other classes were left out before (`known`)."""
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[str(label)] for label in y], dtype=int)


_CLASSES = ("binary_classification", "multiclass_classification")

LOSSES: dict[str, Loss] = {
    "log_loss": Loss(_CLASSES, _log_loss, _more),
    "brier": Loss(_CLASSES, _brier, _more, size=1.0),
    "accuracy": Loss(_CLASSES, _wrong, _less_right, size=1.0),
    "mae": Loss(("regression",), _absolute, _more),
    "mse": Loss(("regression",), _squared, _more),
    "rmse": Loss(("regression",), _squared, _more_squared),
}
"""Metrics that can guard a rollout."""


def known(y: Iterable[object], classes: Sequence[str]) -> Array:
    """Which labels can be judged: those that are there and, with `classes`, among them.

    >>> known(["a", None, "z"], ["a", "b"]).tolist()
    [True, False, False]
    """
    names = set(classes)
    return np.array([label is not None and (not names or str(label) in names) for label in y], dtype=bool)
