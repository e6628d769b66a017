"""Columns of an Arrow table as numpy arrays: what every model is asked with, whatever library it is made of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.errors import DataError


def column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """One column of `table`; a DataError names it when it is not there."""
    if name not in table.column_names:
        raise DataError(f"the column {name!r} is not in the table", hint=f"It has {', '.join(table.column_names)}.")
    return table.column(name)


def floats(values: pa.ChunkedArray) -> np.ndarray:
    """Numbers as float64; null becomes NaN."""
    if pa.types.is_null(values.type):
        return np.full(len(values), np.nan)
    return cast(values, pa.float64()).to_numpy().astype(np.float64, copy=False)


def texts(values: pa.ChunkedArray) -> np.ndarray:
    """Text as an object array of str; null becomes NaN."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        values = cast(values, pa.string())
    result = np.asarray(values.to_numpy(), dtype=object)
    if values.null_count:
        result = result.copy()
        result[pc.is_null(values).to_numpy()] = np.nan
    return result


def cast(values: pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray:
    """A column as another type; one that loses digits on the way too, a DataError where it cannot be read."""
    if values.type == to:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    try:
        return values.cast(to, safe=False) if pa.types.is_decimal(values.type) else values.cast(to)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _loosely(values, to)


def _loosely(values: pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray:
    """Casts that Arrow calls unsafe (an integer beyond 2^53 as float), or a clear error."""
    try:
        return values.cast(to, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"a column of type {values.type} cannot be read as {to}", hint=str(error)) from error
