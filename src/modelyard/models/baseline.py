"""The heuristic a model must beat, and that answers when the model cannot: a mean (or class shares) per group."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.digest import canonical

PRIOR_ROWS = 20.0


@dataclass(frozen=True)
class Baseline:
    """Group values over the columns `by`, with a global value for groups that were not seen.

    `overall` and the groups' values are a number (regression, P(positive)) or a list of class shares.
    """

    signature: dict[str, Any]
    by: tuple[str, ...]
    overall: Any
    groups: dict[tuple[Any, ...], Any] = field(repr=False)

    @classmethod
    def of(cls, table: pa.Table, y: np.ndarray, by: Sequence[str], signature: dict[str, Any]) -> Baseline:
        """Learn it from `table` (columns `by`) and `y` as `target.encode` gives it.

        A group's value is drawn towards the global one by a prior of 20 rows.
        """
        values = _values(y, signature)
        overall = values.mean(axis=0)
        keys, place = _group(table, by)
        sums = np.zeros((len(keys), *values.shape[1:]))
        np.add.at(sums, place, values)
        counts = np.bincount(place, minlength=len(keys)).astype(float)
        counts = counts.reshape(-1, *([1] * (values.ndim - 1)))
        smooth = (sums + PRIOR_ROWS * overall) / (counts + PRIOR_ROWS)
        groups = dict(zip(keys, smooth.tolist(), strict=True)) if by else {}
        return cls(signature, tuple(by), overall.tolist(), groups)

    def predict(self, table: pa.Table) -> np.ndarray:
        """One value per row; rows of an unknown group, or without the columns, get the global one."""
        overall = np.asarray(self.overall, dtype=np.float64)
        if not self.by or any(name not in table.column_names for name in self.by):
            return np.repeat(overall[None, ...], len(table), axis=0)
        keys, place = _group(table, self.by)
        each = np.array([self.groups.get(key, self.overall) for key in keys], dtype=np.float64)
        return each[place] if len(keys) else np.zeros((0, *overall.shape))

    def to_json(self) -> bytes:
        """The whole value as canonical JSON."""
        groups = [[list(key), value] for key, value in sorted(self.groups.items(), key=lambda pair: repr(pair[0]))]
        slim = {name: self.signature[name] for name in ("task", "classes", "positive")}
        return canonical({"signature": slim, "by": list(self.by), "overall": self.overall, "groups": groups})

    @classmethod
    def from_json(cls, data: bytes) -> Baseline:
        """Read what `to_json` wrote."""
        body = json.loads(data)
        groups = {tuple(key): value for key, value in body["groups"]}
        return cls(body["signature"], tuple(body["by"]), body["overall"], groups)


def _values(y: np.ndarray, signature: dict[str, Any]) -> np.ndarray:
    if signature["task"] != "multiclass_classification":
        return np.asarray(y, dtype=np.float64)
    return np.stack([np.asarray(y == value, dtype=np.float64) for value in signature["classes"]], axis=1)


def _group(table: pa.Table, by: Sequence[str]) -> tuple[list[tuple[Any, ...]], np.ndarray]:
    """The distinct groups as JSON values, and the place of each row among them."""
    place = np.zeros(len(table), dtype=np.int64)
    columns: list[tuple[list[Any], np.ndarray]] = []
    for name in by:
        encoded = pa.chunked_array(table.column(name)).combine_chunks().dictionary_encode(null_encoding="encode")
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        values = [_plain(value) for value in encoded.dictionary.to_pylist()]
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        columns.append((values, codes))
        # Numbered anew after each column: products of many categories would not fit 64 bits.
        place = np.unique(place * max(len(values), 1) + codes, return_inverse=True)[1]
    _, first, inverse = np.unique(place, return_index=True, return_inverse=True)
    keys = [tuple(values[codes[row]] for values, codes in columns) for row in first]
    return keys, inverse


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if isinstance(value, float) and value != value else value
