"""Asking a model for rows, and what answers when it cannot: nothing here raises because of a model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from modelyard.errors import DataError, ModelOutputError
from modelyard.serve.policy import Outcome
from modelyard.serve.releases import Served
from modelyard.spec.deployments import FixedValue

MOST_TRIALS = 64
Instead: TypeAlias = Callable[[np.ndarray], np.ndarray | float]
"""Answers for rows, by their numbers: one each, or one for all; NaN where it has none."""
_log = logging.getLogger(__name__)


@dataclass
class Made:
    """Predictions of some rows: `values` is (n,) or (n, k), NaN where there is none.

    `fallback` marks rows that the fallback answered. `errors` are rows that nothing answered, `failed` those on which the
    model failed and the fallback answered: row to code.
    """

    values: np.ndarray
    fallback: np.ndarray
    errors: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    @property
    def many(self) -> bool:
        """Whether a prediction is a list, one number per class."""
        return self.values.ndim == 2

    def listed(self, rows: np.ndarray) -> list[Any]:
        """The predictions of `rows` as Python values, None where there is none."""
        values = self.values[rows]
        finite = _finite(values)
        listed = values.tolist()
        if finite.all():
            return listed
        return [value if good else None for value, good in zip(listed, finite.tolist(), strict=True)]


def make(served: Served, outcome: Outcome, instead: Instead | None, *, failed: str = "") -> Made:
    """Ask the model for all rows that the policy leaves to it, and what stands in for the others and its failures.

    `failed`: why the model is not even asked (it is too late, it is ejected); all rows are its failures then.
    """
    rows = len(outcome.fallback)
    classes = served.signature.get("classes") or ()
    wide = served.signature["task"] == "multiclass_classification"
    made = Made(np.full((rows, len(classes)) if wide else rows, np.nan), np.zeros(rows, dtype=bool))
    refused = outcome.refused()
    asked = np.array([row for row in np.flatnonzero(~outcome.fallback).tolist() if row not in refused], dtype=np.intp)
    if failed:
        made.errors = dict.fromkeys(asked.tolist(), failed)
    elif len(asked):
        _ask(served, outcome.table if len(asked) == rows else outcome.table.take(pa.array(asked)), asked, made)
    unanswered = [*np.flatnonzero(outcome.fallback).tolist(), *made.errors]
    wanted = np.array(sorted({row for row in unanswered if row not in refused}), dtype=np.intp)
    if len(wanted):
        _fall_back(wanted, made, instead)
    for row in refused:
        made.errors[row] = "input_rejected"
    return made


def _ask(served: Served, table: pa.Table, rows: np.ndarray, made: Made) -> None:
    """Fill in predictions; where the model fails, halve the rows until those that it fails on are alone."""
    waiting = [(0, len(rows))]
    trials = 0
    while waiting:
        low, high = waiting.pop()
        code, values = _try(served, table.slice(low, high - low), made.values.shape[1:])
        if values is not None:
            made.values[rows[low:high]] = values
            for place in np.flatnonzero(~_finite(values)).tolist():
                made.errors[int(rows[low + place])] = "model_output_invalid"
            continue
        trials += 1
        if high - low == 1 or trials > MOST_TRIALS:
            made.errors |= dict.fromkeys(rows[low:high].tolist(), code)
        else:
            middle = (low + high) // 2
            waiting += [(middle, high), (low, middle)]


def _try(served: Served, table: pa.Table, shape: tuple[int, ...]) -> tuple[str, np.ndarray | None]:
    try:
        values = np.asarray(served.model.predict(table), dtype=np.float64)
    except ModelOutputError:
        return "model_output_invalid", None
    except Exception as error:  # a model is somebody's code: whatever it raises is its failure, counted by the guards
        _log.warning("the model of %s failed: %s", served.name, type(error).__name__)
        return "model_failed", None
    return ("", values) if values.shape == (len(table), *shape) else ("model_output_invalid", None)


def _fall_back(rows: np.ndarray, made: Made, instead: Instead | None) -> None:
    values = None if instead is None else np.broadcast_to(instead(rows), made.values[rows].shape)
    good = np.zeros(len(rows), dtype=bool) if values is None else _finite(values)
    if values is not None:
        made.values[rows[good]] = values[good]
        made.fallback[rows[good]] = True
    made.failed = {row: made.errors.pop(row) for row in rows[good].tolist() if row in made.errors}
    for row in rows[~good].tolist():
        made.errors.setdefault(row, "no_fallback")


def _finite(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values).all(axis=1) if values.ndim == 2 else np.isfinite(values)


def stand_in(served: Served, outcome: Outcome, fallback: str | FixedValue | None) -> Instead | None:
    """What the declared `fallback` answers for rows of `outcome`: the release's heuristic, or a fixed value."""
    if isinstance(fallback, FixedValue):
        value = fixed(fallback.value, served.signature)
        return lambda rows: value
    baseline = served.baseline
    if fallback == "baseline" and baseline is not None:
        return lambda rows: np.asarray(baseline.predict(outcome.table.take(pa.array(rows))), dtype=np.float64)
    return None


def fixed(value: Any, signature: Mapping[str, Any]) -> Any:
    """A declared fallback value as a prediction: a number, or the name of a class. DataError when it is neither."""
    classes = list(signature.get("classes") or ())
    if signature["task"] == "multiclass_classification":
        if value in classes:
            return np.array([float(each == value) for each in classes])
    elif isinstance(value, str) and value in classes:
        return float(value == signature.get("positive"))
    elif isinstance(value, int | float) and (0 <= value <= 1 or signature["task"] == "regression"):
        return float(value)
    raise DataError("the fallback's value is no prediction of this model.", where="fallback.value")


def can_fall_back(served: Served, fallback: str | FixedValue | None, champion: str | None) -> bool:
    """Whether there is something to answer with when the model cannot. DataError as for `fixed`."""
    if isinstance(fallback, FixedValue):
        fixed(fallback.value, served.signature)
        return True
    if fallback == "champion":
        return champion is not None and champion != served.digest
    return fallback == "baseline" and served.baseline is not None
