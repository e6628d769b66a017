"""Making the compiled (ONNX) form of a model, kept only where it agrees with the model itself.

Agreement is measured, never assumed: over the training rows, and over rows with missing values, unknown categories and
extremes as far as the model itself accepts them. Converters differ: every way is tried until one agrees.
Where the two differ only on values missing from an input that was never missing in training, the model itself answers
for such rows.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelyard.digest import canonical
from modelyard.errors import ModelFormatError, ModelOutputError
from modelyard.models.columns import column
from modelyard.models.estimator import Estimator
from modelyard.models.lightgbm_text import LightGBM
from modelyard.models.onnx_model import Onnx
from modelyard.models.outputs import Model

MOST_BYTES = 6_000_000
MOST_ROWS = 20_000
_SCREEN = 2_000
_FEW = 50
_UNKNOWN = "no such category, surely"
_OPSETS = {"": 18, "ai.onnx.ml": 3}
MATRIX = "all_inputs"
"""The one input of a form that takes a matrix: each input of its own costs some microseconds at every call."""


def compile(
    model: Model, directory: Path, table: pa.Table, signature: dict[str, Any], tolerance: float
) -> dict[str, Any]:
    """Convert `model` (saved in `directory`), compare over `table`, and write `compiled.onnx` where it agrees.

    Returns `{"kept", "largest", "rows", "says"}`. `largest` is the largest difference: of probabilities, or of a
    regression's values relative to the larger of the value and the values' standard deviation.
    """
    reason = _why_not(model, directory)
    if reason:
        return _parity(False, None, 0, f"not compiled: {reason}")
    trial = _trial_rows(model, table, signature)
    expected = model.predict(trial)
    best: tuple[float, bytes, str] | None = None
    failed = "no converter"
    for data, null, error in _conversions(model, signature):
        if data is None:
            failed = error
            continue
        try:
            largest = _compare(Onnx(data, signature, null=null), trial, expected, signature)
        except (ModelFormatError, ModelOutputError) as problem:
            failed = problem.message
            continue
        except Exception as problem:  # onnxruntime's own exceptions derive from Exception only
            failed = str(problem)
            continue
        if best is None or largest < best[0]:
            best = (largest, data, null)
        if largest <= tolerance:
            break
    if best is None:
        return _parity(False, None, 0, f"not compiled: {_short(failed)}")
    largest, data, null = best
    if largest > tolerance:
        says = (
            f"not kept: the compiled form differs by up to {largest:.2g} on {len(trial)} rows (tolerance {tolerance:g})"
        )
        return _parity(False, largest, len(trial), says)
    aside = _aside(model, Onnx(data, signature, null=null), table, signature, tolerance)
    (directory / "compiled.onnx").write_bytes(data)
    (directory / "compiled.json").write_bytes(canonical({"null": null, "native_when_null": aside}))
    says = f"the compiled form agrees within {largest:.2g} on {len(trial)} rows (tolerance {tolerance:g})"
    return _parity(True, largest, len(trial), says)


def warm() -> None:
    """Load the slow libraries that `save`, `load` and `compile` need, so that the first call does not have to."""
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        for name in ("skops.io", "skl2onnx", "onnxruntime"):
            importlib.import_module(name)


def _aside(model: Model, onnx: Onnx, table: pa.Table, signature: dict[str, Any], tolerance: float) -> list[str]:
    """The inputs, never missing in training, whose missing values the two forms read differently."""
    names = [item["name"] for item in signature["inputs"]]
    few = table.select(names).slice(0, _FEW)
    blocks = {item["name"]: _with(few, item["name"], None) for item in signature["inputs"] if not item["nullable"]}
    if blocks and not _accepts(model, pa.concat_tables(blocks.values())):
        blocks = {name: rows for name, rows in blocks.items() if _accepts(model, rows)}
    if not blocks:
        return []
    together = pa.concat_tables(blocks.values()).combine_chunks()
    if not _accepts(onnx, together):
        return list(blocks)
    expected, found = model.predict(together), onnx.predict(together)
    return [
        name
        for name, rows in zip(blocks, _split(len(few), len(blocks)), strict=True)
        if _largest(found[rows], expected[rows], expected, signature) > tolerance
    ]


def _split(size: int, count: int) -> list[slice]:
    return [slice(place * size, (place + 1) * size) for place in range(count)]


def _parity(kept: bool, largest: float | None, rows: int, says: str) -> dict[str, Any]:
    return {"kept": kept, "largest": largest, "rows": rows, "says": says}


def _why_not(model: Model, directory: Path) -> str:
    size = max((path.stat().st_size for path in directory.glob("model.*")), default=0)
    if size > MOST_BYTES:
        return f"the model is large ({size / 1e6:.0f} MB)"
    if isinstance(model, LightGBM):
        return "LightGBM's own categories have no compiled form" if model._categories else ""
    if isinstance(model, Onnx):
        return "it is ONNX already"
    if not isinstance(model, Estimator):
        return "it is made of the project's own code"
    if model.kind != "pandas":
        return f"it takes {model.kind} frames"
    wrong = [item["name"] for item in model.signature["inputs"] if item["type"] in ("timestamp", "date")]
    return f"the input {wrong[0]!r} is a time" if wrong else ""


def _conversions(model: Any, signature: dict[str, Any]) -> Iterator[tuple[bytes | None, str, str]]:
    """(bytes, null text, error) for each way to convert, the likeliest first."""
    nulls = ("nan", "") if any(item["type"] == "category" for item in signature["inputs"]) else ("",)
    ways = (False,) if isinstance(model, LightGBM) else (False, True)
    for double in ways:
        try:
            with warnings.catch_warnings(), _quiet():
                warnings.simplefilter("ignore")
                data = _lightgbm(model) if isinstance(model, LightGBM) else _sklearn(model, double)
        except Exception as error:  # converters raise every type there is for what they do not know
            yield None, "", f"{type(error).__name__}: {error}"
            continue
        for null in nulls:
            yield data, null, ""


class _quiet:
    """Converters log through the root of the logging tree: not below an error while they run."""

    def __enter__(self) -> None:
        self._before = logging.root.manager.disable
        logging.disable(logging.ERROR)

    def __exit__(self, *error: object) -> None:
        logging.disable(self._before)


def _sklearn(model: Estimator, double: bool) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    native = getattr(model.native, "best_estimator_", model.native)
    number = DoubleTensorType if double else FloatTensorType
    kinds = {item["name"]: item["type"] for item in model.signature["inputs"]}
    columns = model._own or list(kinds)
    bare = not hasattr(native, "steps") and not hasattr(native, "transformers")
    whole = bare and columns == list(kinds) and "category" not in kinds.values() and MATRIX not in kinds
    if bare and not whole:
        native = _behind_columns(native, columns)
    types = (
        [(MATRIX, number([None, len(columns)]))]
        if whole
        else [(name, (StringTensorType if kinds[name] == "category" else number)([None, 1])) for name in columns]
    )
    options = {id(native): {"zipmap": False}} if hasattr(native, "predict_proba") else None
    proto = to_onnx(native, initial_types=types, options=options, target_opset=_OPSETS, name="model")
    return serialised(proto)


def _behind_columns(native: Any, columns: list[str]) -> Any:
    """A bare estimator takes one matrix: put the gathering of columns before it."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    gather = ColumnTransformer([("all", "passthrough", columns)])
    gather.fit(pd.DataFrame({name: [0.0, 1.0] for name in columns}))
    return Pipeline([("columns", gather), ("model", native)])


def _lightgbm(model: LightGBM) -> bytes:
    import onnx
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    proto = convert_lightgbm(
        model.native, name="model", zipmap=False, target_opset=15,
        initial_types=[("columns", FloatTensorType([None, len(model._columns)]))],
    )  # fmt: skip
    graph = proto.graph
    gather = onnx.helper.make_node("Concat", list(model._columns), ["columns"], name="gather_columns", axis=1)
    nodes = [gather, *graph.node]
    del graph.input[:], graph.node[:]
    one = onnx.TensorProto.FLOAT
    graph.input.extend(onnx.helper.make_tensor_value_info(name, one, [None, 1]) for name in model._columns)
    graph.node.extend(nodes)
    return serialised(proto)


def serialised(proto: Any) -> bytes:
    """An ONNX model as bytes, the same in every process: converters list its operator sets in the order of a set."""
    opsets = sorted(proto.opset_import, key=lambda each: each.domain)
    kept = [each.SerializeToString(deterministic=True) for each in opsets]
    del proto.opset_import[:]
    for each in kept:
        proto.opset_import.add().ParseFromString(each)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _compare(compiled: Onnx, trial: pa.Table, expected: np.ndarray, signature: dict[str, Any]) -> float:
    first = _largest(compiled.predict(trial.slice(0, _SCREEN)), expected[:_SCREEN], expected, signature)
    if len(trial) <= _SCREEN or first > 0.01:
        return first
    return _largest(compiled.predict(trial), expected, expected, signature)


def _largest(answer: np.ndarray, expected: np.ndarray, scale: np.ndarray, signature: dict[str, Any]) -> float:
    difference = np.abs(answer - expected)
    if signature["task"] == "regression":
        difference = difference / np.maximum(np.maximum(np.abs(expected), scale.std()), 1e-12)
    return float(difference.max()) if difference.size else 0.0


def _trial_rows(model: Model, table: pa.Table, signature: dict[str, Any]) -> pa.Table:
    """The odd rows first, as far as the model accepts them, then the training rows (a sample of a long table)."""
    names = [item["name"] for item in signature["inputs"]]
    table = table.select(names)
    if len(table) > MOST_ROWS:
        table = table.take(np.sort(np.random.default_rng(0).choice(len(table), MOST_ROWS, replace=False)))
    odd = [rows for item in signature["inputs"] for rows in _odd(table.slice(0, 3), item)]
    if odd and not _accepts(model, pa.concat_tables(odd)):
        odd = [rows for rows in odd if _accepts(model, rows)]
    return pa.concat_tables([*odd, table]).combine_chunks()


def _odd(rows: pa.Table, item: dict[str, Any]) -> Iterator[pa.Table]:
    """The rows with one input missing, unknown, or far outside its range."""
    values: list[Any] = [None] if item["nullable"] else []
    if item["type"] == "category":
        values.append(_UNKNOWN)
    if item["type"] == "number" and item["min"] is not None:
        span = item["max"] - item["min"] or 1.0
        values += [item["min"] - 10 * span, item["max"] + 10 * span]
    for value in values:
        yield _with(rows, item["name"], value)


def _with(rows: pa.Table, name: str, value: Any) -> pa.Table:
    dtype = column(rows, name).type
    plain = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return rows.set_column(rows.column_names.index(name), name, pa.array([value] * len(rows), plain).cast(dtype))


def _accepts(model: Model, rows: pa.Table) -> bool:
    try:
        model.predict(rows)
    except Exception:  # whatever it raises, it does not accept them
        return False
    return True


def _short(text: str) -> str:
    first = " ".join(text.split())
    return first if len(first) <= 200 else first[:199] + "…"
