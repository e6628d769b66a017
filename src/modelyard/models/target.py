"""Labels as numbers: what `fit` is given as `y`, and what metrics compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.errors import DataError
from modelyard.models.columns import column, floats


def encode(table: pa.Table, signature: dict[str, Any]) -> np.ndarray:
    """The target for `fit`: 0/1 integers (binary, 1 is the positive class), label values (multiclass), float64.

    Rows whose label is missing, or no known class, are a DataError: they are left out before.
    """
    name = signature["target"]["name"]
    values = column(table, name)
    if signature["task"] == "regression":
        return _finite(floats(values), name)
    index = class_index(values, signature["classes"], name)
    if signature["task"] == "binary_classification":
        return index
    classes = signature["classes"]
    if all(isinstance(value, str) for value in classes):
        return np.array(classes, dtype=object)[index]
    return np.array(classes)[index]


def class_index(values: pa.ChunkedArray | pa.Array, classes: list[Any], name: str = "target") -> np.ndarray:
    """The place of each label among `classes`, int64; a DataError names a label that is none of them."""
    if not isinstance(values, pa.ChunkedArray):
        values = pa.chunked_array([values])
    encoded = values.combine_chunks().dictionary_encode() if not pa.types.is_dictionary(values.type) else (
        values.unify_dictionaries().combine_chunks()
    )  # fmt: skip
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], values.type).dictionary_encode()
    if encoded.null_count:
        raise DataError(f"{encoded.null_count} rows have no label in {name!r}", where=name)
    places = {value: place for place, value in enumerate(classes)}
    labels = [_key(value) for value in encoded.dictionary.to_pylist()]
    unknown = [value for value in labels if value not in places]
    if unknown:
        raise DataError(f"the target {name!r} has the value {unknown[0]!r}, which is no class of the model", where=name)
    table = np.array([places[value] for value in labels], dtype=np.int64)
    return table[encoded.indices.to_numpy()] if len(encoded) else np.zeros(0, dtype=np.int64)


def _key(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise DataError(f"{wrong} rows of the target {name!r} are missing or not finite", where=name)
    return values
