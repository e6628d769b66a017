"""What is counted of one column in one window: integer cells and shifted sums, so that merging is addition.

Counts merge exactly, in any order and grouping. `piles` and `fresh` are hints for sentences (the heaviest values),
kept short by dropping the lightest, and are the only fields for which the order of merging may matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
HINTS = 12


def _no_counts() -> Counts:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of one column, laid out by the reference's layout.

    `cells` numbers: under, bins, over, heavy values; categories: top values, other, unseen. `buckets`: values by 64
    hashes of the value. `integers`, `infinite`, `mismatched` (cannot be read as the reference's kind) are counts of
    rows. `total`, `squares`: sums of z and z^2, z = (value - center) / spread of the layout. `outside`: values out of
    the reference's range by logarithmic bucket. `types`: the kinds of Arrow types seen. `parts`: what is measured of
    texts and vectors, each counted like a column of numbers. `ranks`: quantiles of the values themselves, where their rows
    are at hand (`numeric.ranked`); neither merged nor kept.
    """

    rows: int = 0
    nulls: int = 0
    mismatched: int = 0
    cells: Counts = field(default_factory=_no_counts)
    buckets: Counts = field(default_factory=_no_counts)
    integers: int = 0
    infinite: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float | None = None
    high: float | None = None
    outside: dict[str, int] = field(default_factory=dict)
    piles: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    types: frozenset[str] = frozenset()
    parts: dict[str, Tally] = field(default_factory=dict)
    ranks: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """Rows with a usable value."""
        return self.rows - self.nulls - self.mismatched - self.infinite

    def to_json(self) -> dict[str, Any]:
        """A JSON object; what is zero or empty is left out, but for extremes, where zero is a value."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in (*_SUMMED, *_HINTS, "outside")}
        plain |= {"cells": self.cells.tolist(), "buckets": self.buckets.tolist(), "types": sorted(self.types)}
        plain["parts"] = {name: part.to_json() for name, part in self.parts.items()}
        extremes = {name: value for name, value in (("low", self.low), ("high", self.high)) if value is not None}
        return {name: value for name, value in plain.items() if value not in (0, [], {})} | extremes

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tally:
        """Read what `to_json` wrote."""
        arrays = {name: np.array(data.get(name, ()), dtype=np.int64) for name in ("cells", "buckets")}
        parts = {name: cls.from_json(part) for name, part in data.get("parts", {}).items()}
        return cls(**{**data, **arrays, "types": frozenset(data.get("types", ())), "parts": parts})


_SUMMED = ("rows", "nulls", "mismatched", "integers", "infinite", "total", "squares")
_HINTS = ("piles", "fresh")
_sums = attrgetter(*_SUMMED)


def merge(tallies: Sequence[Tally]) -> Tally:
    """The tally of all rows together. All must follow one layout."""
    if not tallies:
        return Tally()
    if len(tallies) == 1:
        return tallies[0]
    lows = [tally.low for tally in tallies if tally.low is not None]
    highs = [tally.high for tally in tallies if tally.high is not None]
    sums: dict[str, Any] = dict(zip(_SUMMED, map(sum, zip(*map(_sums, tallies), strict=True)), strict=True))
    return Tally(
        **sums,
        cells=_add([tally.cells for tally in tallies]),
        buckets=_add([tally.buckets for tally in tallies]),
        low=min(lows, default=None),
        high=max(highs, default=None),
        outside=_sum([tally.outside for tally in tallies]),
        piles=_heaviest(_sum([tally.piles for tally in tallies])),
        fresh=_heaviest(_sum([tally.fresh for tally in tallies])),
        types=frozenset().union(*(tally.types for tally in tallies)),
        parts={name: merge([tally.parts[name] for tally in tallies if tally.parts]) for name in _parts(tallies)},
    )


def _parts(tallies: Sequence[Tally]) -> dict[str, None]:
    return dict.fromkeys(name for tally in tallies for name in tally.parts)


def mix(tallies: Sequence[Tally], weights: Sequence[float]) -> Tally:
    """The tally in which every row of a window counts by its window's weight; counts are rounded once, at the end."""
    pairs = list(zip(tallies, weights, strict=True))
    whole = merge(tallies)

    def counts(name: str) -> Counts:
        filled = [(array, weight) for each, weight in pairs if len(array := getattr(each, name))]
        if not filled:
            return _no_counts()
        arrays, shares = zip(*filled, strict=True)
        return np.rint((np.array(shares)[:, None] * np.stack(arrays)).sum(axis=0)).astype(np.int64)

    numbers = {name: sum(weight * getattr(each, name) for each, weight in pairs) for name in _SUMMED}
    return replace(
        whole,
        **{name: value if name in ("total", "squares") else round(value) for name, value in numbers.items()},
        cells=counts("cells"),
        buckets=counts("buckets"),
        outside=_mix_outside(pairs),
        parts={
            name: mix([each.parts[name] for each, _ in pairs if each.parts], [w for each, w in pairs if each.parts])
            for name in whole.parts
        },
    )


def _mix_outside(pairs: Sequence[tuple[Tally, float]]) -> dict[str, int]:
    total: dict[str, float] = {}
    for each, weight in pairs:
        for place, n in each.outside.items():
            total[place] = total.get(place, 0.0) + weight * n
    return {place: round(n) for place, n in total.items() if round(n)}


def minus(whole: Tally, part: Tally) -> Tally:
    """The counts of `whole` without `part`, which is one of its windows (extremes stay those of the whole)."""
    return Tally(
        **{name: getattr(whole, name) - getattr(part, name) for name in _SUMMED},
        cells=_less(whole.cells, part.cells),
        buckets=_less(whole.buckets, part.buckets),
        low=whole.low,
        high=whole.high,
        types=whole.types,
        parts={name: minus(each, part.parts[name]) if part.parts else each for name, each in whole.parts.items()},
    )


def heaviest(values: Sequence[str], counts: Sequence[int]) -> dict[str, int]:
    """A hint: the heaviest values with their counts."""
    return _heaviest(Counter(dict(zip(values, map(int, counts), strict=True))))


def _heaviest(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:HINTS])


def _sum(parts: Sequence[dict[str, int]]) -> dict[str, int]:
    filled = [part for part in parts if part]
    if not filled:
        return {}
    total: Counter[str] = Counter()
    for part in filled:
        total.update(part)
    return dict(total)


def _less(whole: Counts, part: Counts) -> Counts:
    return whole - part if len(part) else whole


def _add(arrays: Sequence[Counts]) -> Counts:
    filled = [array for array in arrays if len(array)]
    return reduce(np.add, filled) if filled else _no_counts()
