"""64-bit hashes of columns and rows, the same on every machine and in every order of rows.

Numbers are hashed by value (1 and 1.0 agree, -0.0 is 0.0, every missing value is one value), texts by their UTF-8 bytes
with a multilinear hash (Lemire & Kaser 2014: sum of byte x random weight by position), each finished by splitmix64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mix(values: Hashes) -> Hashes:
    """Scramble 64-bit integers so that every bit of the result depends on every bit given (splitmix64, Steele 2014)."""
    mixed = values + _GOLDEN
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def numbers(values: npt.NDArray[np.float64]) -> Hashes:
    """Hashes of an (n,) float array; NaN is a value like others."""
    plain = np.where(np.isnan(values), np.nan, values + 0.0)
    return mix(plain.view(np.uint64))


def texts(values: pa.Array) -> Hashes:
    """Hashes of an Arrow array of strings without nulls, without a Python loop."""
    array = values.cast(pa.large_string())
    buffers = array.buffers()
    offsets = np.frombuffer(buffers[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    lengths = np.diff(offsets)
    result = mix(lengths.astype(np.uint64))
    filled = lengths > 0
    if not filled.any():
        return result
    data = np.frombuffer(buffers[2], dtype=np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64)
    starts = (offsets[:-1] - offsets[0])[filled]
    position = np.arange(len(data), dtype=np.int64) - np.repeat(starts, lengths[filled])
    weighted = (data + np.uint64(1)) * mix(position.astype(np.uint64))
    result[filled] = mix(result[filled] ^ np.add.reduceat(weighted, starts))
    return result


def combine(rows: Hashes, column: Hashes, name: str) -> Hashes:
    """Fold one column's hashes into the rows' hashes; the order in which columns come does not matter."""
    salt = texts(pa.array([name]))[0]
    return rows + mix(column ^ salt)
