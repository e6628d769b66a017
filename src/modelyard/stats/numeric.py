"""Numbers: how a reference divides the number line, and how a window is counted in it.

Twenty quantile bins of the reference, with counts of what falls under and over its range; values that hold 5% of the
reference or more get a cell of their own, so that a heap never blurs a quantile. Sixty-four buckets by hash of the
value show heaps and lost digits that quantiles cannot see (a stuck sensor inside its range, rounding).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.stats import arrow, hashing
from modelyard.stats.groups import Groups
from modelyard.stats.tally import Tally, heaviest

BINS = 20
HEAVY = 0.05
BUCKETS = 64
PILE = 0.02
IQR_OF_NORMAL = 1.349
NARROWEST = 0.1
_GROWTH = np.log(1.1)
FAR = 1e100

Kind = Literal["number", "integer", "timestamp", "text"]


@dataclass(frozen=True)
class NumberLayout:
    """`edges`: increasing, from the smallest to the largest of the reference; `heavy`: values with a cell of their own.

    `smooth`: values are spread over so many that no hash bucket stands out, so a heap in a window is news.
    For text the number is its length in characters; of timestamps only range and nulls are judged.
    """

    kind: Kind
    edges: tuple[float, ...]
    heavy: tuple[float, ...]
    center: float
    spread: float
    smooth: bool

    @property
    def size(self) -> int:
        """Number of cells: under, bins, over, heavy."""
        return max(len(self.edges) - 1, 1) + 2 + len(self.heavy)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NumberLayout:
        """Read what `to_json` wrote."""
        return cls(**{**data, "edges": tuple(data["edges"]), "heavy": tuple(data["heavy"])})


def read(array: pa.Array, kind: Kind) -> arrow.Floats | None:
    """The column as numbers by the layout's kind; None when it cannot be read so."""
    if kind != "text":
        return arrow.floats(array)
    if arrow.family(array.type) in ("other", "null"):
        return None if array.null_count < len(array) else np.full(len(array), np.nan)
    lengths = pc.utf8_length(pc.cast(array, pa.string()))
    return arrow.floats(lengths)


def layout(values: arrow.Floats, kind: Kind, *, computed: bool = False) -> NumberLayout:
    """Divide the number line by a reference's values (n,).

    `computed`: they are a model's answers. That two are exactly alike says nothing (leaves of trees), nor does a step
    from one to its close neighbour: no value has a cell of its own, and no bin is narrower than a tenth of a (robust)
    standard deviation.
    """
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return NumberLayout(kind, (), (), 0.0, 1.0, False)
    if kind == "timestamp":
        return NumberLayout(kind, (float(finite.min()), float(finite.max())), (), float(finite.min()), 86400.0, False)
    distinct, counts = np.unique(finite, return_counts=True)
    is_heavy = (counts >= HEAVY * len(finite)) & (not computed)
    heavy = tuple(distinct[is_heavy].tolist())
    edges = _edges(distinct[~is_heavy], counts[~is_heavy], float(distinct[0]), float(distinct[-1]), len(finite))
    if computed:
        edges = _apart(edges, NARROWEST * _scale(finite))
    buckets = np.bincount(_buckets(finite), minlength=BUCKETS)
    tolerance = 5 * np.sqrt(len(finite) / BUCKETS) + 0.25 * len(finite) / BUCKETS
    smooth = len(finite) >= 200 and bool(np.abs(buckets - len(finite) / BUCKETS).max() <= tolerance)
    clipped = np.clip(finite, -FAR, FAR)
    spread = float(clipped.std())
    center = float(clipped.mean())
    return NumberLayout(kind, edges, heavy, center, spread if spread > abs(center) * 1e-12 else 1.0, smooth)


def _scale(values: arrow.Floats) -> float:
    """The standard deviation, or that of a normal column with the same quartiles if it is smaller and not zero."""
    low, high = np.quantile(values, (0.25, 0.75))
    robust = float(high - low) / IQR_OF_NORMAL
    return min(float(values.std()), robust) if robust > 0 else float(values.std())


def _apart(edges: tuple[float, ...], width: float) -> tuple[float, ...]:
    """The edges without those less than `width` behind the one before; the ends stay."""
    kept = list(edges[:1])
    for edge in edges[1:-1]:
        if edge - kept[-1] >= width and edges[-1] - edge >= width:
            kept.append(edge)
    return (*kept, edges[-1])


def _edges(
    distinct: arrow.Floats, counts: npt.NDArray[np.int64], low: float, high: float, rows: int
) -> tuple[float, ...]:
    light = int(counts.sum())
    bins = max(1, round(BINS * light / rows))
    if light == 0 or bins == 1:
        return (low, high)
    ranks = np.arange(1, bins) / bins * light
    inner = distinct[np.searchsorted(np.cumsum(counts), ranks, side="left")]
    inner = np.unique(inner[(inner > low) & (inner < high)])
    return (low, *inner.tolist(), high)


def tallies(array: pa.Array, layout: NumberLayout, groups: Groups) -> list[Tally]:
    """Count a column per group of rows."""
    kinds = {arrow.family(array.type)} - {"null"}
    values = read(array, layout.kind)
    rows = groups.count(np.zeros(len(array), dtype=np.int64), 1)[:, 0]
    if values is None:
        valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
        usable = groups.where(valid)
        return [
            Tally(rows=int(n), nulls=int(n - bad), mismatched=int(bad), types=frozenset(kinds))
            for n, bad in zip(rows, usable, strict=True)
        ]
    present = ~np.isnan(values)
    infinite = np.isinf(values)
    good = present & ~infinite
    kept, inside = values[good], groups.take(good)
    cells = inside.count(_cells(kept, layout), layout.size)
    numbers = _Moments(kept, layout, inside)
    shares = inside.count(_buckets(kept), BUCKETS) if layout.kind in ("number", "integer") else None
    nulls, infinities = groups.where(~present), groups.where(infinite)
    return [
        Tally(
            rows=int(rows[g]),
            nulls=int(nulls[g]),
            infinite=int(infinities[g]),
            cells=cells[g],
            types=frozenset(kinds),
            **numbers.of(g),
            **({} if shares is None else {"buckets": shares[g], "piles": _piles(kept, layout, inside, g, shares[g])}),
            outside=_outside(kept, layout, inside, g, cells[g]),
        )
        for g in range(groups.size)
    ]


class _Moments:
    """Shifted sums and extremes of every group, computed in one pass."""

    def __init__(self, values: arrow.Floats, layout: NumberLayout, groups: Groups) -> None:
        with np.errstate(over="ignore"):
            z = np.clip((np.clip(values, -FAR, FAR) - layout.center) / layout.spread, -FAR, FAR)
        self.total = groups.total(z)
        self.squares = groups.total(z**2)
        self.low, self.high = groups.extremes(values)
        self.integers = groups.where(values == np.floor(values))

    def of(self, group: int) -> dict[str, Any]:
        """One group's part of a tally."""
        seen = self.low[group] <= self.high[group]
        return {
            "total": float(self.total[group]),
            "squares": float(self.squares[group]),
            "low": float(self.low[group]) if seen else None,
            "high": float(self.high[group]) if seen else None,
            "integers": int(self.integers[group]),
        }


def _cells(values: arrow.Floats, layout: NumberLayout) -> npt.NDArray[np.int64]:
    if not layout.edges:
        return np.full(len(values), layout.size - 1, dtype=np.int64)
    bins = max(len(layout.edges) - 1, 1)
    edges = np.array(layout.edges)
    cells = np.searchsorted(edges, values, side="right")
    cells[values == edges[-1]] = bins
    for place, value in enumerate(layout.heavy):
        cells[values == value] = bins + 2 + place
    return cells


def _buckets(values: arrow.Floats) -> npt.NDArray[np.int64]:
    return (hashing.numbers(values) >> np.uint64(58)).astype(np.int64)


def _piles(
    values: arrow.Floats, layout: NumberLayout, groups: Groups, group: int, shares: npt.NDArray[np.int64]
) -> dict[str, int]:
    """The values that make a bucket stand out, as a hint which value it is."""
    rows = int(shares.sum())
    if not layout.smooth or rows == 0:
        return {}
    usual = rows / BUCKETS
    high = np.flatnonzero(shares > usual + np.maximum(PILE * rows, 4 * np.sqrt(usual) + 2))
    if len(high) == 0:
        return {}
    own = values[groups.only(group)]
    suspects, counts = np.unique(own[np.isin(_buckets(own), high)], return_counts=True)
    heavy = counts >= PILE * rows
    return heaviest([repr(float(value)) for value in suspects[heavy]], counts[heavy].tolist())


def _outside(
    values: arrow.Floats, layout: NumberLayout, groups: Groups, group: int, cells: npt.NDArray[np.int64]
) -> dict[str, int]:
    """Values out of range by sign and power of 1.1, so that quantiles there stay known within 5%."""
    bins = max(len(layout.edges) - 1, 1)
    if not layout.edges or cells[0] + cells[bins + 1] == 0:
        return {}
    own = values[groups.only(group)]
    far = own[(own < layout.edges[0]) | (own > layout.edges[-1])]
    powers = np.ceil(np.log(np.maximum(np.abs(far), 1e-300)) / _GROWTH).astype(np.int64)
    keys, counts = np.unique(np.stack([np.sign(far).astype(np.int64), powers]), axis=1, return_counts=True)
    return {f"{sign},{power}": int(n) for (sign, power), n in zip(keys.T.tolist(), counts, strict=True)}


def quantiles(tally: Tally, layout: NumberLayout, at: tuple[float, ...] = (0.25, 0.5, 0.75)) -> list[float] | None:
    """Quantiles of a window from its counts, interpolated inside bins; None without values."""
    points = _points(tally, layout)
    if not points:
        return None
    points.sort()
    highs = np.array([high for _, high, _ in points])
    lows = np.array([low for low, _, _ in points])
    counts = np.array([count for _, _, count in points], dtype=np.float64)
    ends = np.cumsum(counts)
    result = []
    for q in at:
        place = min(int(np.searchsorted(ends, q * ends[-1], side="left")), len(points) - 1)
        share = (q * ends[-1] - (ends[place] - counts[place])) / counts[place]
        share = min(max(share, 0.0), 1.0)
        result.append(float(lows[place] * (1 - share) + highs[place] * share))
    return result


def _points(tally: Tally, layout: NumberLayout) -> list[tuple[float, float, int]]:
    if tally.count == 0 or tally.low is None or tally.high is None:
        return []
    if not layout.edges:
        return [(tally.low, tally.high, tally.count)]
    bins = max(len(layout.edges) - 1, 1)
    points = [
        (layout.edges[i], layout.edges[min(i + 1, len(layout.edges) - 1)], int(n))
        for i, n in enumerate(tally.cells[1 : bins + 1])
        if n
    ]
    points += [(value, value, int(n)) for value, n in zip(layout.heavy, tally.cells[bins + 2 :], strict=True) if n]
    points += [(size, size, n) for size, n in far(tally)]
    return points


def far(tally: Tally) -> list[tuple[float, int]]:
    """Values outside the reference's range, within 5% of their size, with their numbers of rows."""
    if tally.low is None or tally.high is None:
        return []
    found = []
    for key, n in tally.outside.items():
        sign, power = map(int, key.split(","))
        found.append((min(max(sign * float(np.exp((power - 0.5) * _GROWTH)), tally.low), tally.high), n))
    return found


def mean(tally: Tally, layout: NumberLayout) -> float | None:
    """The mean of a window's finite values."""
    return None if tally.count == 0 else layout.center + layout.spread * tally.total / tally.count


def deviation(tally: Tally, layout: NumberLayout) -> float | None:
    """The standard deviation of a window's finite values."""
    if tally.count == 0:
        return None
    at = tally.total / tally.count
    return layout.spread * float(np.sqrt(max(tally.squares / tally.count - at * at, 0.0)))
