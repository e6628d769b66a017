"""Any frame as an Arrow table: pandas, Polars, NumPy, a mapping of columns, a list of rows, whatever speaks Arrow's C stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa


def as_table(data: Any) -> pa.Table:
    """Any frame as an Arrow table with names of text; structs become columns of their own ("a.b").

    A pandas column of objects that Arrow finds no type for is taken as text. TypeError for what is no table.
    """
    table = _as_it_is(data)
    _no_name_twice(table)
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    _no_name_twice(table)
    return pa.table([_without_views(column) for column in table.columns], table.column_names)


def _as_it_is(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return _of_pandas(data)
    if isinstance(data, np.ndarray) and (data.dtype.names or data.ndim == 2):
        names = data.dtype.names or range(data.shape[1])
        return _as_it_is({str(name): data[name] if data.dtype.names else data[:, name] for name in names})
    if isinstance(data, Mapping):
        return pa.table({str(name): _array(values) for name, values in data.items()})
    if isinstance(data, list) and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        return pa.table({str(name): _array([row.get(name) for row in data]) for name in names})
    if not hasattr(data, "__arrow_c_stream__"):
        finish = getattr(data, "collect", None) or getattr(data, "to_arrow_table", None)
        if finish is not None:
            return _as_it_is(finish())
    try:
        return pa.table(data)
    except (TypeError, ValueError):
        kind = f"{type(data).__module__}.{type(data).__qualname__}".removeprefix("builtins.")
        raise TypeError(
            f"a table is needed (pandas, Polars, Arrow, a mapping of columns, a list of rows); this is a {kind}"
        ) from None


def _no_name_twice(table: pa.Table) -> None:
    double = [name for name, times in Counter(table.column_names).items() if times > 1]
    if double:
        raise ValueError(f"several columns are called {min(double)!r}; give each a name of its own")


def _without_views(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts that Polars and others keep as views, in the type that Arrow's functions take."""
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
        words = [(chunk.indices, chunk.dictionary.cast(pa.large_string())) for chunk in column.chunks]
        kind = pa.dictionary(column.type.index_type, pa.large_string())
        return pa.chunked_array([pa.DictionaryArray.from_arrays(*each) for each in words], kind)
    return column


def _of_pandas(frame: Any) -> pa.Table:
    names = [str(name) for name in frame.columns]
    arrays = [_array(frame.iloc[:, place]) for place in range(len(names))]
    return pa.Table.from_arrays(arrays, names=names) if names else pa.table({})


def _array(values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    try:
        array = pa.array(values, from_pandas=True)
        if not _extended(array.type):
            return array
        values = list(values)  # periods, intervals, UUIDs: as they are written
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    return pa.array([None if _gone(value) else str(value) for value in values], pa.string())


def _gone(value: Any) -> bool:
    """Whether a value is one of those by which Python and pandas say that there is none."""
    return value is None or (not isinstance(value, str) and str(value) in ("nan", "NaT", "<NA>"))


def _extended(kind: pa.DataType) -> bool:
    return isinstance(kind.value_type if pa.types.is_dictionary(kind) else kind, pa.BaseExtensionType)
