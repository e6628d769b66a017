"""What a model takes and gives, learnt from its training rows: names, types, ranges, categories, classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.errors import DataError
from modelyard.models.columns import column

MOST_CATEGORIES = 1000


def infer(table: pa.Table, inputs: Sequence[str], target: str, task: str, positive: Any = None) -> dict[str, Any]:
    """The signature of a model trained on these rows, as JSON.

    `{"task", "classes", "positive", "inputs": [{"name", "type", "nullable", "missing", "min", "max", "median", "mode",
    "values", "more"}], "target": {"name", "type"}}`; types are number, integer, boolean, category, timestamp, date.
    Binary: `classes` is [negative, positive]. DataError: a column of a type that no model takes, or a wrong target.
    """
    labels = column(table, target)
    classes = _classes(labels, target, task, positive)
    return {
        "task": task,
        "classes": classes,
        "positive": classes[1] if task == "binary_classification" and classes else None,
        "inputs": [describe(column(table, name), name) for name in inputs],
        "target": {"name": target, "type": kind(labels.type, target)},
    }


def kind(dtype: pa.DataType, name: str) -> str:
    """The signature's word for an Arrow type; DataError when models do not take it."""
    if pa.types.is_dictionary(dtype):
        return kind(dtype.value_type, name)
    for word, tests in _KINDS.items():
        if any(test(dtype) for test in tests):
            return word
    raise DataError(
        f"the column {name!r} has the type {dtype}, which models do not take",
        where=name,
        hint="Name it in the model's `exclude`, or turn it into numbers or text in the dataset.",
    )


_KINDS: dict[str, tuple[Any, ...]] = {
    "boolean": (pa.types.is_boolean,),
    "integer": (pa.types.is_integer,),
    "number": (pa.types.is_floating, pa.types.is_decimal, pa.types.is_null),
    "category": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    "timestamp": (pa.types.is_timestamp,),
    "date": (pa.types.is_date,),
}


def describe(values: pa.ChunkedArray, name: str) -> dict[str, Any]:
    """One input: its type, what was missing, its range or its categories."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    word = kind(values.type, name)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    missing = values.null_count / len(values) if len(values) else 0.0
    item: dict[str, Any] = {
        "name": name, "type": word, "nullable": bool(values.null_count), "missing": missing,
        "min": None, "max": None, "median": None, "mode": None, "values": None, "more": False,
    }  # fmt: skip
    present = values.drop_null()
    if not len(present):
        return item
    if word in ("category", "boolean"):
        return item | _categories(present, word)
    return item | _range(present, word)


def _categories(present: pa.ChunkedArray, word: str) -> dict[str, Any]:
    counted = sorted(
        ((entry["counts"], entry["values"]) for entry in present.value_counts().to_pylist()),
        key=lambda pair: (-pair[0], pair[1]),
    )
    if word == "boolean":
        return {"mode": counted[0][1]}
    return {
        "mode": counted[0][1],
        "values": [value for _, value in counted[:MOST_CATEGORIES]],
        "more": len(counted) > MOST_CATEGORIES,
    }


def _range(present: pa.ChunkedArray, word: str) -> dict[str, Any]:
    low, high = (pc.min_max(present)[end].as_py() for end in ("min", "max"))
    if word in ("timestamp", "date"):
        return {"min": _plain(low), "max": _plain(high)}
    numbers = present.cast(pa.float64(), safe=False).to_numpy()
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return {}
    median = float(np.median(finite))
    whole = word == "integer"
    # Of whole numbers as they are: beyond 2^53 a float is another one.
    bounds = (low, high) if whole else (float(finite.min()), float(finite.max()))
    return {"min": bounds[0], "max": bounds[1], "median": round(median) if whole else median, "mode": _mode(present)}


def _mode(present: pa.ChunkedArray) -> Any:
    value = pc.mode(present)[0].as_py()["mode"] if not pa.types.is_decimal(present.type) else None
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value


def _classes(labels: pa.ChunkedArray, target: str, task: str, positive: Any) -> list[Any] | None:
    if task == "regression":
        if kind(labels.type, target) not in ("number", "integer", "boolean"):
            raise DataError(f"the target {target!r} is {labels.type}; a regression needs numbers", where=target)
        return None
    found = distinct(labels)
    if task == "multiclass_classification":
        return found
    return _two(found, target, positive)


def distinct(labels: pa.ChunkedArray) -> list[Any]:
    """The sorted distinct values that are not missing, as JSON values."""
    if pa.types.is_dictionary(labels.type):
        labels = labels.cast(labels.type.value_type)
    if pa.types.is_floating(labels.type):
        labels = pc.if_else(pc.is_nan(labels), pa.scalar(None, labels.type), labels)
    return [_plain(value) for value in sorted(labels.drop_null().unique().to_pylist())]


def _two(found: list[Any], target: str, positive: Any) -> list[Any]:
    if positive is None:
        if any(value not in (0, 1) for value in found):
            raise DataError(
                f"the target {target!r} has the values {_shown(found)}", where=target,
                hint="Say which one is the positive class with `positive:`.",
            )  # fmt: skip
        positive = next((value for value in found if value == 1), True if False in found else 1)
    matches = [value for value in found if value == positive]
    others = [value for value in found if value != positive]
    if found and not matches:
        raise DataError(
            f"the target {target!r} never has its positive value {positive!r}", where=target,
            hint=f"It has {_shown(found)}.",
        )  # fmt: skip
    if len(others) > 1:
        raise DataError(
            f"the target {target!r} has the values {_shown(found)}; a binary target has two", where=target,
            hint="Use multiclass_classification, or make a true/false column of it in the dataset.",
        )  # fmt: skip
    negative = others[0] if others else (False if isinstance(positive, bool) else 0)
    return [negative, matches[0] if matches else positive]


def _shown(values: list[Any]) -> str:
    shown = ", ".join(repr(value) for value in values[:6])
    return shown + (", …" if len(values) > 6 else "")
