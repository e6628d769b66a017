"""The ONE conversion from Arrow to what a model is trained on and asked with: the same for a table and for one request.

By type of the signature: number float64, integer int64 (float64 once values are missing), boolean bool (object once
values are missing), category object with NaN for missing, timestamp datetime64[us, UTC], date datetime64[us].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.errors import DataError
from modelyard.models.columns import cast, column, floats, texts


def to_pandas(table: pa.Table, signature: dict[str, Any]) -> pd.DataFrame:
    """The inputs of `signature`, in its order, as a DataFrame; a missing column is a DataError."""
    return pd.DataFrame({item["name"]: _series(table, item) for item in signature["inputs"]}, copy=False)


def to_frame(table: pa.Table, signature: dict[str, Any], kind: str = "pandas") -> Any:
    """The inputs as `pandas`, `polars`, or `numpy` (float64; object when an input is no number)."""
    if kind == "polars":
        return _polars(table, signature)
    frame = to_pandas(table, signature)
    if kind == "pandas":
        return frame
    numeric = all(item["type"] in ("number", "integer", "boolean") for item in signature["inputs"])
    return frame.to_numpy(dtype=np.float64 if numeric else object)


def _series(table: pa.Table, item: dict[str, Any]) -> pd.Series:
    values = column(table, item["name"])
    match item["type"]:
        case "number":
            return pd.Series(floats(values))
        case "integer":
            plain = not item["nullable"] and not values.null_count
            return pd.Series(_integers(values) if plain else floats(values))
        case "boolean":
            return pd.Series(_booleans(values, item["nullable"]))
        case "timestamp":
            return pd.Series(_times(values, "UTC"))
        case "date":
            return pd.Series(_times(values, None))
        case _:
            return pd.Series(texts(values), dtype=object)


def _integers(values: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_floating(values.type) and pc.all(pc.equal(pc.floor(values), values)).as_py() is False:
        return floats(values)
    return cast(values, pa.int64()).to_numpy().astype(np.int64, copy=False)


def _booleans(values: pa.ChunkedArray, nullable: bool) -> np.ndarray:
    values = cast(values, pa.bool_())
    if not nullable and not values.null_count:
        return values.to_numpy().astype(bool, copy=False)
    result = np.array(values.to_pylist(), dtype=object)
    result[[value is None for value in result]] = np.nan
    return result


def _times(values: pa.ChunkedArray, zone: str | None) -> pd.DatetimeIndex:
    if pa.types.is_timestamp(values.type) and values.type.tz is not None and zone is None:
        values = values.cast(pa.timestamp("us", "UTC"))
    naive = cast(values, pa.timestamp("us", values.type.tz if pa.types.is_timestamp(values.type) else None))
    stamps = pd.DatetimeIndex(cast(naive, pa.int64()).fill_null(_NAT).to_numpy().view("datetime64[us]"))
    return stamps.tz_localize(zone) if zone else stamps


_NAT = np.iinfo(np.int64).min


def _polars(table: pa.Table, signature: dict[str, Any]) -> Any:
    """As polars types, which have null for what is missing: Float64, Int64, Boolean, String, Datetime[us, UTC], Date."""
    columns = {item["name"]: _arrow(table, item) for item in signature["inputs"]}
    return polars().from_arrow(pa.table(columns)).fill_nan(None)


def polars() -> Any:
    """The package polars, which is an extra; a DataError says so when it is not there."""
    try:
        import polars
    except ImportError as error:
        raise DataError(
            "`frame: polars` needs the package polars, which is not installed here",
            hint="Install it beside Modelyard (`pip install polars`), or leave out `frame`, which gives pandas.",
        ) from error
    return polars


_ARROW = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
}


def _arrow(table: pa.Table, item: dict[str, Any]) -> pa.ChunkedArray:
    values = column(table, item["name"])
    to = _ARROW.get(item["type"], pa.string())
    if item["type"] == "integer" and pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
        if pc.all(pc.equal(pc.floor(values), values)).as_py() is False:
            to = pa.float64()
    return cast(values, to)
