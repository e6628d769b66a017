"""Rows cut into slices by one column: a category's values, or fifths of a number."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MOST_SLICES = 50
OTHER, MISSING = "other", "missing"
_FIFTHS = 5


def label(values: pa.ChunkedArray) -> np.ndarray:
    """The slice of each row, as text: its value, `other` beyond the 50 most frequent, `missing`.

    Numbers with more than 50 values are cut into fifths: `< 12`, `12 to 40`, …
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    number = pa.types.is_floating(values.type) or pa.types.is_integer(values.type) or pa.types.is_decimal(values.type)
    if number and pc.count_distinct(values).as_py() > MOST_SLICES:
        return _fifths(values.cast(pa.float64(), safe=False).to_numpy())
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    encoded = pa.chunked_array(values).combine_chunks().dictionary_encode()
    names = np.array([_text(value) for value in encoded.dictionary.to_pylist()] + [MISSING], dtype=object)
    codes = encoded.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(names))
    if len(names) - 1 > MOST_SLICES:
        kept = set(np.argsort(-counts[:-1], kind="stable")[:MOST_SLICES].tolist())
        names[[place for place in range(len(names) - 1) if place not in kept]] = OTHER
    return names[codes]


def _fifths(numbers: np.ndarray) -> np.ndarray:
    known = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _FIFTHS + 1)[1:-1]))
    names = [
        f"< {edges[0]:g}",
        *(f"{a:g} to {b:g}" for a, b in pairwise(edges)),
        f"≥ {edges[-1]:g}",
    ]
    cut = np.array(names, dtype=object)[
        np.searchsorted(edges, np.where(np.isfinite(numbers), numbers, 0), side="right")
    ]
    cut[~np.isfinite(numbers)] = MISSING
    return cut


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
