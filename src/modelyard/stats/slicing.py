"""Rows cut into the same slices in every window: a category's values, or fifths of a number, as they were at release."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.stats import arrow

MOST = 20
OTHER, MISSING = "other", "missing"


@dataclass(frozen=True)
class Cut:
    """How one column is cut: its most frequent `values`, or the inner `edges` of its fifths."""

    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()

    @classmethod
    def of(cls, array: pa.Array) -> Cut | None:
        """From the rows of the release; None for what makes no slices (a constant, more than 20 names, no scalars).

        >>> Cut.of(pa.array(["a", "b", "a"]))
        Cut(values=('a', 'b'), edges=())
        >>> Cut.of(pa.array([1.0, 1.0])) is None
        True
        """
        if arrow.family(array.type) in ("text", "boolean"):
            counted = sorted(_counts(array).items(), key=lambda each: (-each[1], each[0]))
            return cls(values=tuple(name for name, _ in counted)) if 2 <= len(counted) <= MOST else None
        numbers = arrow.floats(array)
        numbers = numbers[np.isfinite(numbers)] if numbers is not None else np.array([])
        distinct = np.unique(numbers)
        if len(distinct) < 2:
            return None
        if len(distinct) <= 5:
            return cls(edges=tuple(((distinct[:-1] + distinct[1:]) / 2).tolist()))
        edges = np.unique(np.quantile(numbers, [0.2, 0.4, 0.6, 0.8]))
        return cls(edges=tuple(edges.tolist()))

    @property
    def names(self) -> tuple[str, ...]:
        """What the slices are called."""
        if self.values:
            return (*self.values, OTHER, MISSING)
        between = (f"{a:.4g} to {b:.4g}" for a, b in pairwise(self.edges))
        return (f"< {self.edges[0]:.4g}", *between, f"≥ {self.edges[-1]:.4g}", MISSING)

    def place(self, array: pa.Array) -> npt.NDArray[np.int64]:
        """The number of each row's slice, in the order of `names`.

        >>> Cut(values=("a", "b")).place(pa.array(["b", None, "z"])).tolist()
        [1, 3, 2]
        """
        if self.values:
            found = pc.index_in(_text(array), pa.array(self.values)).fill_null(len(self.values))
            places = found.to_numpy(zero_copy_only=False).astype(np.int64)
            places[pc.is_null(array).to_numpy(zero_copy_only=False)] = len(self.values) + 1
            return places
        numbers = arrow.floats(array)
        if numbers is None:
            return np.full(len(array), len(self.edges) + 1)
        return np.where(
            np.isfinite(numbers), np.searchsorted(self.edges, numbers, side="right"), len(self.edges) + 1
        ).astype(np.int64)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"values": list(self.values)} if self.values else {"edges": list(self.edges)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Cut:
        """Read what `to_json` wrote."""
        return cls(tuple(data.get("values", ())), tuple(data.get("edges", ())))


def _text(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array.cast(pa.string())


def _counts(array: pa.Array) -> dict[str, int]:
    found = pc.value_counts(_text(array).drop_null()).to_pylist()
    return {each["values"]: each["counts"] for each in found}
