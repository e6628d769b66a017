"""Rows divided into groups (hours, weeks), so that one pass over a column counts all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelyard.stats.tally import Counts


@dataclass(frozen=True)
class Groups:
    """`of[i]` is the group (0 .. size-1) of row i; where `of` is None all rows are of group `one`."""

    size: int = 1
    of: npt.NDArray[np.int64] | None = None
    one: int = 0

    @classmethod
    def by(cls, values: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], Groups]:
        """The distinct values of (n,) integers, increasing, and the rows grouped by them. Values that lie close together (the
        hours of a log) are counted and not sorted."""
        low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
        if len(values) and low == high:
            return np.array([low]), cls()
        if high - low < len(values):
            there = np.flatnonzero(np.bincount(values - low))
            place = np.zeros(high - low + 1, dtype=np.int64)
            place[there] = np.arange(len(there))
            return there + low, cls(len(there), place[values - low])
        distinct, of = np.unique(values, return_inverse=True)
        return distinct, cls(len(distinct), of)

    def part(self, start: int, stop: int) -> Groups:
        """The groups of the rows from `start` to before `stop`. Rows come in order of time: mostly, that is one group, whose
        rows are counted without looking at the group of each."""
        if self.of is None:
            return self
        of = self.of[start:stop]
        alone = len(of) > 0 and of[0] == of[-1] and bool((of == of[0]).all())
        return Groups(self.size, None, int(of[0])) if alone else Groups(self.size, of)

    def take(self, rows: npt.NDArray[np.bool_]) -> Groups:
        """The groups of a selection of rows."""
        return self if self.of is None else Groups(self.size, self.of[rows])

    def count(self, cells: npt.NDArray[np.integer], kinds: int) -> Counts:
        """(size, kinds) counts of rows per group and cell; `cells[i]` in 0 .. kinds-1."""
        if self.of is None:
            return self.alone(np.bincount(cells, minlength=kinds))
        return np.bincount(self.of * kinds + cells, minlength=self.size * kinds).reshape(self.size, kinds)

    def sizes(self, rows: int) -> Counts:
        """(size,) counts of all `rows`."""
        return self.alone(np.int64(rows)) if self.of is None else np.bincount(self.of, minlength=self.size)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Counts:
        """(size,) counts of the rows chosen."""
        if self.of is None:
            return self.alone(np.int64(np.count_nonzero(chosen)))
        return np.bincount(self.of[chosen], minlength=self.size).astype(np.int64)

    def total(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(size,) sums."""
        if self.of is None:
            return self.alone(values.sum())
        return np.bincount(self.of, weights=values, minlength=self.size).astype(np.float64)

    def extremes(self, values: npt.NDArray[np.number]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(size,) smallest and largest; inf and -inf for a group without values, NaN where one is."""
        low, high = np.full(self.size, np.inf), np.full(self.size, -np.inf)
        if self.of is not None:
            with np.errstate(invalid="ignore"):
                np.minimum.at(low, self.of, values)
                np.maximum.at(high, self.of, values)
        elif len(values):
            low[self.one], high[self.one] = values.min(), values.max()
        return low, high

    def only(self, group: int) -> npt.NDArray[np.bool_] | slice:
        """An index of one group's rows."""
        if self.of is None:
            return slice(None) if group == self.one else slice(0)
        return self.of == group

    def each(self, rows: int) -> npt.NDArray[np.int64]:
        """(rows,) the group of each row."""
        return np.full(rows, self.one) if self.of is None else self.of

    def alone(self, figures: npt.NDArray[Any] | np.generic) -> npt.NDArray[Any]:
        """(size, ...) figures of all rows as those of their one group; zeros for the others."""
        made = np.zeros((self.size, *figures.shape), dtype=figures.dtype)
        made[self.one] = figures
        return made
