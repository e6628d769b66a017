"""64-bit hashes of columns and rows, the same on every machine and in every order of rows.

Numbers are hashed by value (1 and 1.0 agree, -0.0 is 0.0, every missing value is one value), texts by their UTF-8 bytes
with a multilinear hash (Lemire & Kaser 2014: sum of byte x random weight by position), each finished by splitmix64.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]
PIECE = 1 << 14
_27, _30, _31 = np.uint64(27), np.uint64(30), np.uint64(31)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mix(values: Hashes) -> Hashes:
    """Scramble 64-bit integers so that every bit of the result depends on every bit given (splitmix64, Steele 2014)."""
    return _mixed(values + _GOLDEN)


def _mixed(mixed: Hashes) -> Hashes:
    """The same of integers that the golden ratio was added to, in their place."""
    moved = np.empty_like(mixed)
    for shift, factor in ((_30, _FIRST), (_27, _SECOND)):
        mixed ^= np.right_shift(mixed, shift, out=moved)
        mixed *= factor
    mixed ^= np.right_shift(mixed, _31, out=moved)
    return mixed


def numbers(values: npt.NDArray[np.float64]) -> Hashes:
    """Hashes of an (n,) float array; NaN is a value like others."""
    plain = values + 0.0
    missing = np.isnan(plain)
    if missing.any():
        plain[missing] = np.nan
    bits = plain.view(np.uint64)
    bits += _GOLDEN
    return _mixed(bits)


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


@lru_cache(maxsize=1024)
def _factor(name: str) -> np.uint64:
    """The odd number of a column."""
    return np.uint64(texts(pa.array([name]))[0] | np.uint64(1))


class Fold:
    """Folds columns into one hash per row, piece by piece; the order in which columns come does not matter.

    Each column's hashes are multiplied by an odd number of its own, made of its name, and added (a multilinear hash).
    """

    def __init__(self, rows: int) -> None:
        self._total = np.zeros(rows, dtype=np.uint64)

    def add(self, name: str, start: int, hashes: Hashes) -> None:
        """Take in one column's hashes from row `start` on, which are lost by that."""
        hashes *= _factor(name)
        self._total[start : start + len(hashes)] += hashes

    def done(self) -> Hashes:
        """The rows' hashes."""
        return np.concatenate([mix(part) for part in np.array_split(self._total, len(self._total) // PIECE + 1)])
