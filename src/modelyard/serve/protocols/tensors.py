"""Tensors of the Open Inference Protocol as columns: datatypes, JSON data, and the binary tensor extension.

Binary data are little-endian and row-major; a BOOL is one byte, a BYTES element is its length in four bytes and then itself.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.serve.columns import Raw
from modelyard.serve.refusal import Fault, Refusal, of_faults

DATATYPES = {
    "number": "FP64",
    "integer": "INT64",
    "boolean": "BOOL",
    "category": "BYTES",
    "timestamp": "BYTES",
    "date": "BYTES",
}
"""The datatype in which an input of a type is described; in requests others that hold the same values are fine too."""
_DTYPES = {
    "BOOL": "u1",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
_PLAIN: dict[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
    "INT": frozenset({int}),
    "FP": frozenset({int, float}),
}
_LENGTH = struct.Struct("<I")


def known(datatype: Any) -> bool:
    """Whether there is such a datatype."""
    return isinstance(datatype, str) and (datatype in _DTYPES or datatype == "BYTES")


def of_json(data: Any, datatype: str, count: int, place: str) -> list[Any]:
    """The `count` elements of JSON `data`, nested or flat; a null is a missing value. Refusal when they are others."""
    if not isinstance(data, list):
        raise _wrong(place, "wrong_shape", "a list")
    flat = _flat(data)
    if len(flat) != count:
        raise _wrong(place, "wrong_shape", f"as many elements as the shape says, {count}")
    family = datatype if datatype in _PLAIN else "FP" if datatype.startswith("FP") else "INT"
    if not set(map(type, flat)) <= _PLAIN[family] | {type(None)}:
        raise _wrong(place, "wrong_type", f"{datatype} elements")
    if family == "INT":
        ends = np.iinfo(_DTYPES[datatype])
        if any(value is not None and not ends.min <= value <= ends.max for value in flat):
            raise _wrong(place, "out_of_bounds", f"{datatype} elements")
    return flat


def _flat(data: list[Any]) -> list[Any]:
    """Elements in row-major order."""
    while data and any(type(each) is list for each in data):
        data = [item for each in data for item in (each if type(each) is list else [each])]
    return data


def of_bytes(data: memoryview, datatype: str, count: int, place: str) -> Raw:
    """The `count` elements of binary `data`. Refusal when it holds others."""
    if datatype == "BYTES":
        return _texts(data, count, place)
    dtype = np.dtype(_DTYPES[datatype])
    if len(data) != count * dtype.itemsize:
        raise _wrong(place, "wrong_shape", f"{count * dtype.itemsize} bytes of data")
    values = np.frombuffer(data, dtype)
    if datatype == "BOOL":
        if count and values.max() > 1:
            raise _wrong(place, "wrong_type", "bytes of value 0 or 1")
        return pa.array(values.astype(bool))
    return pa.array(values.astype("f4") if datatype == "FP16" else values)


def _texts(data: memoryview, count: int, place: str) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(data) and len(found) < count:
        if position + _LENGTH.size > len(data):
            break
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        if length > len(data) - position:
            break
        try:
            found.append(str(data[position : position + length], "utf-8"))
        except UnicodeDecodeError:
            raise _wrong(place, "invalid_string", "UTF-8") from None
        position += length
    if len(found) != count or position != len(data):
        raise _wrong(place, "wrong_shape", f"{count} elements, each its length and its bytes")
    return found


def to_bytes(values: Sequence[Any], datatype: str) -> bytes:
    """Elements as binary data."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    return np.asarray(values, dtype=_DTYPES[datatype]).tobytes()


def _wrong(place: str, code: str, expected: str) -> Refusal:
    return of_faults([Fault(place, code, expected)])
