"""What a model answers, in one shape: regression (n,), binary (n,) P(positive), multiclass (n, k), always float64."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from modelyard.errors import ModelOutputError

_SLACK = 1e-6


class Model(Protocol):
    """Anything that answers for a table of its inputs."""

    signature: dict[str, Any]

    def predict(self, table: pa.Table) -> np.ndarray:
        """Regression (n,); binary (n,), the probability of the positive class; multiclass (n, k) by `classes`."""
        ...


def ask(native: Any, frame: Any, signature: dict[str, Any]) -> np.ndarray:
    """Ask an object with `predict_proba` or `predict`, and read its answer."""
    if signature["task"] == "regression":
        return checked(native.predict(frame), len(frame), signature)
    if hasattr(native, "predict_proba"):
        answer = np.asarray(native.predict_proba(frame))
        return checked(by_class(answer, getattr(native, "classes_", None), signature), len(frame), signature)
    answer = np.asarray(native.predict(frame))
    if signature["task"] == "multiclass_classification" and answer.ndim == 1:
        answer = _one_hot(answer, signature["classes"])
    elif answer.ndim == 2:
        answer = by_class(answer, getattr(native, "classes_", None), signature)
    return checked(answer, len(frame), signature)


def by_class(answer: np.ndarray, classes: Any, signature: dict[str, Any]) -> np.ndarray:
    """Probabilities by the model's own `classes` put into the order of the signature; binary: the positive column."""
    binary = signature["task"] == "binary_classification"
    if answer.ndim != 2:
        return answer
    expected = [0, 1] if binary else signature["classes"]
    own = list(expected) if classes is None else np.asarray(classes).tolist()
    if answer.shape[1] != len(own):
        if binary and answer.shape[1] == 1:
            return answer[:, 0]
        raise ModelOutputError(f"the model gave {answer.shape[1]} columns of probabilities for {len(own)} classes")
    ordered = np.zeros((len(answer), len(expected)))
    for place, value in enumerate(expected):
        if value in own:
            ordered[:, place] = answer[:, own.index(value)]
    return ordered[:, 1] if binary else ordered


def checked(answer: Any, rows: int, signature: dict[str, Any]) -> np.ndarray:
    """The answer as float64 of the right shape, finite, and a probability where it should be; ModelOutputError else."""
    try:
        values = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelOutputError("the model gave something that is no number") from error
    multiclass = signature["task"] == "multiclass_classification"
    if not multiclass and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    shape = (rows, len(signature["classes"])) if multiclass else (rows,)
    if values.shape != shape:
        raise ModelOutputError(f"the model gave the shape {values.shape} where {shape} was expected")
    if not np.isfinite(values).all():
        raise ModelOutputError(
            f"{int((~np.isfinite(values)).sum())} of {values.size} answers of the model are no finite number",
            hint="Look at what it does with missing or extreme inputs.",
        )
    return values if signature["task"] == "regression" else _probabilities(values)


def _probabilities(values: np.ndarray) -> np.ndarray:
    if values.size and (values.min() < -_SLACK or values.max() > 1 + _SLACK):
        raise ModelOutputError(
            f"the model gave {values.min():g} to {values.max():g} where a probability was expected",
            hint="Return a model with predict_proba, or one whose predict gives values from 0 to 1.",
        )
    return np.clip(values, 0.0, 1.0)


def _one_hot(labels: np.ndarray, classes: list[Any]) -> np.ndarray:
    result = np.zeros((len(labels), len(classes)))
    for place, value in enumerate(classes):
        result[:, place] = labels == value
    return result
