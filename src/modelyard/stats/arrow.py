"""Arrow columns as what statistics need: the family of a type, numbers with NaN, texts by dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Family = Literal["integer", "number", "boolean", "text", "timestamp", "null", "other"]
Floats = npt.NDArray[np.float64]
PIECE = 1 << 16
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def family(kind: pa.DataType) -> Family:
    """The family of an Arrow type; a dictionary's is its values'."""
    if pa.types.is_dictionary(kind):
        return family(kind.value_type)
    tests: tuple[tuple[Family, bool], ...] = (
        ("null", pa.types.is_null(kind)),
        ("boolean", pa.types.is_boolean(kind)),
        ("integer", pa.types.is_integer(kind)),
        ("number", pa.types.is_floating(kind) or pa.types.is_decimal(kind)),
        ("timestamp", pa.types.is_temporal(kind)),
        ("text", pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)),
    )
    return next((name for name, yes in tests if yes), "other")


def is_list(kind: pa.DataType) -> bool:
    """Whether a type holds lists, of one length or of many."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def texts(array: pa.Array) -> pa.Array | None:
    """The values as texts; None for what has no plain text (lists, structs)."""
    match family(array.type):
        case "other":
            return None
        case "text":
            return plain(array)
        case _:
            return pc.cast(array, pa.string())


def plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One contiguous array, dictionaries decoded."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def pieces(column: pa.ChunkedArray | pa.Array, rows: int = PIECE) -> Iterator[tuple[int, pa.Array]]:
    """The column in slices of at most `rows` that are worked on in the processor's cache, each with its first row."""
    start = 0
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else (column,):
        for offset in range(0, len(chunk), rows):
            piece = chunk.slice(offset, rows)
            yield start, piece
            start += len(piece)


def numbers(array: pa.Array) -> tuple[Floats, npt.NDArray[np.bool_] | None]:
    """The values as float64, missing as NaN, times as seconds; and in which rows there is one that is no number.

    The second is None when all can be read.
    """
    match family(array.type):
        case "other":
            valid = np.asarray(pc.is_valid(array))
            return np.full(len(array), np.nan), valid if valid.any() else None
        case "text":
            return _parsed(plain(array))
        case _:
            values = floats(plain(array))
            assert values is not None, "the other families are numbers"
            return values, None


def _parsed(array: pa.Array) -> tuple[Floats, npt.NDArray[np.bool_] | None]:
    """Texts as numbers; what is empty is missing, what is a time is read as one, of the rest it is said where it is."""
    trimmed = pc.utf8_trim_whitespace(array)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)
    for kind in (pa.float64(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            found = floats(pc.cast(trimmed, kind))
        except pa.ArrowInvalid:
            continue
        assert found is not None, "what was cast is a number"
        return found, None
    fits = pc.match_substring_regex(trimmed, _NUMBER)
    unread = np.asarray(pc.fill_null(pc.invert(fits), False))
    found = floats(pc.cast(pc.if_else(fits, trimmed, pa.scalar(None, trimmed.type)), pa.float64()))
    assert found is not None, "what was cast is a number"
    return found, unread


def floats(array: pa.Array) -> Floats | None:
    """The values as float64, missing as NaN, times as seconds; None when the type cannot be read as numbers.

    Texts are read as numbers only when every one of them is one.
    """
    match family(array.type):
        case "null":
            return np.full(len(array), np.nan)
        case "boolean":
            array = array.cast(pa.int8())
        case "timestamp":
            return _seconds(array)
        case "other":
            return None
        case "text":
            try:
                array = array.cast(pa.float64())
            except pa.ArrowInvalid:
                return None
        case "integer" | "number":
            pass
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def _seconds(array: pa.Array) -> Floats:
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"))
    if pa.types.is_interval(array.type):
        return np.full(len(array), np.nan)
    width = pa.int32() if array.type.bit_width == 32 else pa.int64()
    raw = array.cast(width).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[array.type.unit]
    return np.asarray(raw, dtype=np.float64) / per_second


def codes(array: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Values as (n,) indices into an array of distinct texts; missing is -1."""
    texts = array if family(array.type) == "text" else pc.cast(array, pa.string())
    encoded = texts.dictionary_encode()
    indices = encoded.indices
    if indices.null_count:
        indices = pc.fill_null(indices, -1)
    return indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary


def where(column: pa.ChunkedArray | pa.Array, passes: Callable[[pa.Array], pa.Array]) -> npt.NDArray[np.bool_]:
    """(n,) in which rows there is a text that passes; each distinct text is asked about once."""
    places, words = codes(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    chosen = np.append(np.asarray(pc.fill_null(passes(words), False), dtype=np.bool_), False)
    return chosen[places] if chosen.any() else np.zeros(len(places), dtype=np.bool_)
