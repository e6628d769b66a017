"""Rows divided into groups (hours, weeks), so that one pass over a column counts all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelyard.stats.tally import Counts


@dataclass(frozen=True)
class Groups:
    """`of[i]` is the group (0 .. size-1) of row i; `of` is None when all rows are one group."""

    size: int = 1
    of: npt.NDArray[np.int64] | None = None

    def part(self, start: int, stop: int) -> Groups:
        """The groups of the rows from `start` to before `stop`."""
        return self if self.of is None else Groups(self.size, self.of[start:stop])

    def take(self, rows: npt.NDArray[np.bool_]) -> Groups:
        """The groups of a selection of rows."""
        return self if self.of is None else Groups(self.size, self.of[rows])

    def count(self, cells: npt.NDArray[np.integer], kinds: int) -> Counts:
        """(size, kinds) counts of rows per group and cell; `cells[i]` in 0 .. kinds-1."""
        index = cells if self.of is None else self.of * kinds + cells
        return np.bincount(index, minlength=self.size * kinds).reshape(self.size, kinds)

    def sizes(self, rows: int) -> Counts:
        """(size,) counts of all `rows`."""
        return np.array([rows]) if self.of is None else np.bincount(self.of, minlength=self.size)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Counts:
        """(size,) counts of the rows chosen."""
        if self.of is None:
            return np.array([np.count_nonzero(chosen)], dtype=np.int64)
        return np.bincount(self.of[chosen], minlength=self.size).astype(np.int64)

    def total(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(size,) sums."""
        if self.of is None:
            return np.array([values.sum()])
        return np.bincount(self.of, weights=values, minlength=self.size).astype(np.float64)

    def extremes(self, values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(size,) smallest and largest; inf and -inf for a group without values."""
        low, high = np.full(self.size, np.inf), np.full(self.size, -np.inf)
        if len(values) == 0:
            return low, high
        if self.of is None or self.size == 1:
            return np.array([values.min()]), np.array([values.max()])
        np.minimum.at(low, self.of, values)
        np.maximum.at(high, self.of, values)
        return low, high

    def only(self, group: int) -> npt.NDArray[np.bool_] | slice:
        """An index of one group's rows."""
        return slice(None) if self.of is None else self.of == group
