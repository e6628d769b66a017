"""Numbers: how a reference divides the number line, and how a window is counted in it.

Twenty quantile bins of the reference, with counts of what falls under and over its range; values that hold 5% of the
reference or more get a cell of their own, so that a heap never blurs a quantile. Sixty-four buckets by hash of the
value show heaps and lost digits that quantiles cannot see (a stuck sensor inside its range, rounding).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelyard.stats import arrow, hashing
from modelyard.stats.groups import Groups
from modelyard.stats.tally import HINTS, Tally, heaviest

BINS = 20
HEAVY = 0.05
HEAVY_ROWS = 25
"""Of few values each is a twentieth of them: only what came so often is a heap, and not the luckiest of its like."""
BUCKETS = 64
PILE = 0.02
IQR_OF_NORMAL = 1.349
NARROWEST = 0.1
RANKS = np.linspace(0.0, 1.0, 201)
_GROWTH = np.log(1.1)
FAR = 1e100
FEW = 1024
LONGEST = 80
ROOM = 0.1
YEAR = 366 * 86400.0
"""Time goes on: so far behind the reference's last time, or as far as it is long, a timestamp is no news."""

Kind = Literal["number", "integer", "timestamp"]


@dataclass(frozen=True)
class NumberLayout:
    """`edges`: increasing, from the smallest to the largest of the reference, and a tenth of their distance beyond where
    values are not whole; `heavy`: values with a cell of their own.

    `smooth`: values are spread over so many that no hash bucket stands out, so a heap in a window is news.
    Of timestamps only range and nulls are judged; the second of their three edges is the latest of the reference.
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


def layout(values: arrow.Floats, kind: Kind, *, computed: bool = False) -> NumberLayout:
    """Divide the number line by a reference's values (n,).

    `computed`: they are a model's answers. That two are exactly alike says nothing (leaves of trees), nor does a step
    from one to its close neighbour: no value has a cell of its own, no bin is narrower than a tenth of a (robust)
    standard deviation, and a heap is no news.
    """
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return NumberLayout(kind, (), (), 0.0, 1.0, False)
    if kind == "timestamp":
        low, high = float(finite.min()), float(finite.max())
        return NumberLayout(kind, (low, high, high + max(high - low, YEAR)), (), low, 86400.0, False)
    distinct, counts = np.unique(finite, return_counts=True)
    is_heavy = (counts >= max(HEAVY * len(finite), HEAVY_ROWS)) & (not computed)
    heavy = tuple(distinct[is_heavy].tolist())
    edges = _edges(distinct[~is_heavy], counts[~is_heavy], float(distinct[0]), float(distinct[-1]), len(finite))
    if kind == "number" and not (distinct == np.floor(distinct)).all():
        edges = _with_room(edges)
    if computed:
        edges = _apart(edges, NARROWEST * _scale(finite))
    buckets = np.bincount(_buckets(hashing.numbers(finite)), minlength=BUCKETS)
    tolerance = 5 * np.sqrt(len(finite) / BUCKETS) + 0.25 * len(finite) / BUCKETS
    smooth = not computed and len(finite) >= 200 and bool(np.abs(buckets - len(finite) / BUCKETS).max() <= tolerance)
    clipped = np.clip(finite, -FAR, FAR)
    spread = float(clipped.std())
    center = float(clipped.mean())
    return NumberLayout(kind, edges, heavy, center, spread if spread > abs(center) * 1e-12 else 1.0, smooth)


def margin(layout: NumberLayout) -> float:
    """How far beyond the known values a new one is no news, as a share of their range: a record is soon broken by a
    little. Whole numbers may be codes: any new one is news."""
    return ROOM if layout.kind == "number" and any(edge != np.floor(edge) for edge in layout.edges) else 0.0


def known(layout: NumberLayout) -> tuple[float, float]:
    """The smallest and the largest value of the rows that laid it out; zeros of none.

    >>> known(layout(np.array([1.0, 2.5, 4.0]), "number"))
    (1.0, 4.0)
    """
    if not layout.edges:
        return 0.0, 0.0
    if layout.kind == "timestamp":
        return layout.edges[0], layout.edges[1]
    width = layout.edges[-1] - layout.edges[0]
    room = margin(layout) * width / (1 + 2 * margin(layout))
    return _clean(layout.edges[0] + room, width), _clean(layout.edges[-1] - room, width)


def _clean(value: float, scale: float) -> float:
    """Without what is left of differences of numbers so large, and the last digits, which depend on the order of rows."""
    return 0.0 if abs(value) < 1e-12 * scale else float(f"{value:.11g}")


def _with_room(edges: tuple[float, ...]) -> tuple[float, ...]:
    room = ROOM * (edges[-1] - edges[0])
    low, high = edges[0] - room, edges[-1] + room
    return (low, *edges[1:-1], high) if np.isfinite(high - low) else edges


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


def tallies(
    column: pa.ChunkedArray | pa.Array, layout: NumberLayout, groups: Groups, rows: hashing.Fold | None, name: str
) -> list[Tally]:
    """Count a column per group of rows; `rows` takes in its values' hashes."""
    counter = Counter(layout, groups.size)
    for start, piece in arrow.pieces(column):
        values, unread = arrow.numbers(piece)
        inside = groups.part(start, start + len(piece))
        hashes = counter.add(values, inside, unread)
        if unread is not None:
            counter.told(arrow.texts(piece), inside, unread)
        if rows is not None:
            rows.add(name, start, hashes)
    types = frozenset({arrow.family(column.type)} - {"null"})
    high = counter.suspects()
    if high is not None:
        for start, piece in arrow.pieces(column):
            counter.look_again(arrow.numbers(piece)[0], groups.part(start, start + len(piece)), high)
    return counter.tallies(types)


class Counter:
    """Counts of every group, summed up piece by piece without a copy larger than a piece."""

    def __init__(self, layout: NumberLayout, size: int) -> None:
        self._layout = layout
        self._size = size
        self._edges = np.array(layout.edges)
        self._around = [sum(v >= edge for edge in layout.edges[:-1]) + (v > layout.edges[-1]) for v in layout.heavy]
        self._hashed = layout.kind != "timestamp"
        self._rows, self._nulls, self._unread, self._infinite, self._integers = np.zeros((5, size), dtype=np.int64)
        self._cells = np.zeros((size, layout.size), dtype=np.int64)
        self._buckets = np.zeros((size, BUCKETS), dtype=np.int64)
        self._total, self._squares = np.zeros((2, size))
        self._low, self._high = np.full(size, np.inf), np.full(size, -np.inf)
        self._outside: list[Counts] = [Counts() for _ in range(size)]
        self._piles: list[Counts] = [Counts() for _ in range(size)]
        self._words: list[Counts] = [Counts() for _ in range(size)]

    def add(self, values: arrow.Floats, groups: Groups, unread: npt.NDArray[np.bool_] | None = None) -> hashing.Hashes:
        """Take in (n,) values, missing as NaN, `unread` where there is one that is no number; returns their hashes."""
        hashes = hashing.numbers(values)
        self._rows += groups.sizes(len(values))
        kept, places, inside = values, hashes, groups
        ends = groups.extremes(values)
        if not np.isfinite([ends[0].min(), ends[1].max()]).all():
            missing, infinite = np.isnan(values), np.isinf(values)
            good = ~(missing | infinite)
            self._nulls += groups.where(missing)
            self._infinite += groups.where(infinite)
            kept, places, inside = values[good], hashes[good], groups.take(good)
            ends = inside.extremes(kept)
        if unread is not None:
            bad = groups.where(unread)
            self._unread += bad
            self._nulls -= bad
        if len(kept):
            self._count(kept, places, inside, *ends)
        return hashes

    def told(self, texts: pa.Array | None, groups: Groups, unread: npt.NDArray[np.bool_]) -> None:
        """Take in which texts are no numbers, as a hint which they are."""
        if texts is None or not unread.any():
            return
        (found, words), inside = arrow.codes(texts.filter(pa.array(unread))), groups.take(unread)
        for g in range(self._size):
            counts = np.bincount(found[inside.only(g)], minlength=len(words))
            for place in [each for each in np.argsort(-counts, kind="stable")[:HINTS].tolist() if counts[each]]:
                self._words[g][words[place].as_py()[:LONGEST]] += int(counts[place])

    def _count(
        self, values: arrow.Floats, hashes: hashing.Hashes, groups: Groups, lows: arrow.Floats, highs: arrow.Floats
    ) -> None:
        if groups.of is None:
            self._cells[groups.one] += self._held(values)
        else:
            self._cells += groups.count(self._place(values), self._layout.size)
        if self._hashed:
            self._buckets += groups.count(_buckets(hashes), BUCKETS)
        low, high = float(lows.min()), float(highs.max())
        np.minimum(self._low, lows, out=self._low)
        np.maximum(self._high, highs, out=self._high)
        if self._layout.kind == "number":
            self._integers += groups.where(np.floor(values) == values)
        else:
            self._integers += groups.sizes(len(values))
        self._sum_up(values, groups, max(-low, high))
        if len(self._edges) and (low < self._edges[0] or high > self._edges[-1]):
            self._far(values, groups)

    def _sum_up(self, values: arrow.Floats, groups: Groups, largest: float) -> None:
        """Sums of z and z^2. Of usual values they are scaled as sums, and not each."""
        center, spread = self._layout.center, self._layout.spread
        if max(largest, 1.0) > FAR * min(spread, 1.0):
            with np.errstate(over="ignore"):
                z, scale = np.clip((np.clip(values, -FAR, FAR) - center) / spread, -FAR, FAR), 1.0
        else:
            z, scale = values - center, spread
        self._total += groups.total(z) / scale
        z *= z
        self._squares += groups.total(z) / scale**2

    def _held(self, values: arrow.Floats) -> npt.NDArray[np.int64]:
        """How many values each cell holds, where no groups are told apart: of many, none needs to be placed."""
        edges, size = self._layout.edges, self._layout.size
        if not edges or len(values) < FEW:
            return np.bincount(self._place(values), minlength=size)
        beyond = np.empty(len(values), dtype=np.bool_)
        upwards = [np.count_nonzero(np.greater_equal(values, edge, out=beyond)) for edge in edges[:-1]]
        over = np.count_nonzero(np.greater(values, edges[-1], out=beyond))
        heavy = [np.count_nonzero(np.equal(values, value, out=beyond)) for value in self._layout.heavy]
        cells = np.array([*-np.diff([len(values), *upwards, over, 0]), *heavy])
        np.subtract.at(cells, self._around, heavy)
        return cells

    def _place(self, values: arrow.Floats) -> npt.NDArray[np.integer]:
        """The cell of each value. Of many, comparing with all edges is five times as fast as searching each one's place."""
        edges, heavy = self._edges, self._layout.heavy
        if not len(edges):
            return np.full(len(values), self._layout.size - 1, dtype=np.uint8)
        if len(values) < FEW:
            cells = np.searchsorted(edges[:-1], values, side="right") + (values > edges[-1])
        else:
            cells = np.zeros(len(values), dtype=np.uint8)
            beyond = np.empty(len(values), dtype=np.bool_)
            for edge in edges[:-1].tolist():
                cells += np.greater_equal(values, edge, out=beyond).view(np.uint8)
            cells += np.greater(values, edges[-1], out=beyond).view(np.uint8)
        for place, value in enumerate(heavy, max(len(edges) - 1, 1) + 2):
            cells[values == value] = place
        return cells

    def _far(self, values: arrow.Floats, groups: Groups) -> None:
        """Values out of range by sign and power of 1.1, so that quantiles there stay known within 5%."""
        out = (values < self._edges[0]) | (values > self._edges[-1])
        far, inside = values[out], groups.take(out)
        powers = np.ceil(np.log(np.maximum(np.abs(far), 1e-300)) / _GROWTH).astype(np.int64)
        for group, key, n in _counted(inside.each(len(far)), 3 * powers + np.sign(far).astype(np.int64)):
            power = (key + 1) // 3
            self._outside[group][f"{key - 3 * power},{power}"] += n

    def suspects(self) -> npt.NDArray[np.bool_] | None:
        """(size, buckets) which buckets stand out, so that a value in them may be a heap; None when none does."""
        rows = self._buckets.sum(axis=1, keepdims=True)
        if not self._layout.smooth or not rows.any():
            return None
        usual = rows / BUCKETS
        high = self._buckets > usual + np.maximum(PILE * rows, 4 * np.sqrt(usual) + 2)
        return high if high.any() else None

    def look_again(self, values: arrow.Floats, groups: Groups, high: npt.NDArray[np.bool_]) -> None:
        """Find the values that make buckets stand out, as a hint which they are."""
        good = np.isfinite(values)
        kept, inside = values[good], groups.take(good)
        place = inside.each(len(kept))
        out = high[place, _buckets(hashing.numbers(kept))]
        for group, value, n in _counted(place[out], kept[out]):
            if n > 1:
                self._piles[group][repr(value)] += n

    def tallies(self, types: frozenset[str]) -> list[Tally]:
        """One tally per group."""
        return [self._tally(group, types) for group in range(self._size)]

    def _tally(self, g: int, types: frozenset[str]) -> Tally:
        seen = self._low[g] <= self._high[g]
        least = PILE * int(self._buckets[g].sum())
        piles = {value: n for value, n in self._piles[g].items() if n >= least}
        return Tally(
            rows=int(self._rows[g]),
            nulls=int(self._nulls[g]),
            mismatched=int(self._unread[g]),
            infinite=int(self._infinite[g]),
            cells=self._cells[g],
            **({"buckets": self._buckets[g]} if self._hashed else {}),
            integers=int(self._integers[g]),
            total=float(self._total[g]),
            squares=float(self._squares[g]),
            low=float(self._low[g]) if seen else None,
            high=float(self._high[g]) if seen else None,
            outside=dict(self._outside[g]),
            piles=heaviest(list(piles), list(piles.values())),
            fresh=heaviest(list(self._words[g]), list(self._words[g].values())),
            types=types,
        )


def _counted(groups: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> Iterator[tuple[int, Any, int]]:
    """The pairs of group and value, and how often each is there. Of pairs as such NumPy would sort bytes, which takes ten
    times as long."""
    words, which = np.unique(values, return_inverse=True)
    pairs, counts = np.unique(groups * len(words) + which, return_counts=True)
    group, word = np.divmod(pairs, max(len(words), 1))
    yield from zip(group.tolist(), words[word].tolist(), counts.tolist(), strict=True)


def _buckets(hashes: hashing.Hashes) -> npt.NDArray[np.int64]:
    return (hashes >> np.uint64(58)).view(np.int64)


def quantiles(tally: Tally, layout: NumberLayout, at: tuple[float, ...] = (0.25, 0.5, 0.75)) -> list[float] | None:
    """Quantiles of a window: exact where it is ranked, else from its counts, interpolated inside bins; None without
    values."""
    if tally.ranks:
        return np.interp(at, RANKS, tally.ranks).tolist()
    found = sorted(points(tally, layout))
    if not found:
        return None
    ends = list(accumulate(count for _, _, count in found))
    result = []
    for q in at:
        wanted = q * ends[-1]
        place = min(bisect_left(ends, wanted), len(found) - 1)
        low, high, count = found[place]
        share = min(max((wanted - (ends[place] - count)) / count, 0.0), 1.0)
        result.append(low * (1 - share) + high * share)
    return result


def ranked(column: pa.ChunkedArray | pa.Array, tally: Tally) -> Tally:
    """The tally with quantiles of its values. What a window's bins tell of them is rough where the reference had none."""
    values = arrow.numbers(arrow.plain(column))[0]
    finite = np.clip(values[np.isfinite(values)], -FAR, FAR)
    return replace(tally, ranks=tuple(np.quantile(finite, RANKS).tolist())) if len(finite) else tally


def heaped(layout: NumberLayout, reference: Tally, window: Tally, place: int) -> float | None:
    """The value that makes a hash bucket grow, as far as it is known: as a pile, by ranks, or with a cell of its own."""
    piles = [float(pile) for pile in window.piles]
    many = [value for value, n in Counts(window.ranks).most_common(1) if n > Counts(reference.ranks)[value] + 1]
    cells = max(len(layout.edges) - 1, 1) + 2
    grown = window.cells[cells:] / max(window.count, 1) - reference.cells[cells:] / max(reference.count, 1)
    heavy = [layout.heavy[int(np.argmax(grown))]] if len(grown) else []
    hashes = _buckets(hashing.numbers(np.array([*piles, *many, *heavy], dtype=np.float64)))
    return next((value for value, bucket in zip([*piles, *many, *heavy], hashes, strict=True) if bucket == place), None)


def points(tally: Tally, layout: NumberLayout) -> list[tuple[float, float, int]]:
    """Where the values of a window lie: (from, to, how many)."""
    if tally.count == 0 or tally.low is None or tally.high is None:
        return []
    if tally.ranks:
        upto = np.rint(RANKS * tally.count).astype(np.int64)
        each = zip(tally.ranks[:-1], tally.ranks[1:], np.diff(upto).tolist(), strict=True)
        return [(low, high, n) for low, high, n in each if n]
    if not layout.edges:
        return [(tally.low, tally.high, tally.count)]
    bins = len(layout.edges) - 1
    low, high = tally.low, tally.high
    found = [
        (min(max(start, low), high), max(min(end, high), low), n)
        for (start, end), n in zip(pairwise(layout.edges), tally.cells[1 : bins + 1].tolist(), strict=True)
        if n
    ]
    heavy = zip(layout.heavy, tally.cells[bins + 2 :].tolist(), strict=True)
    found += [(value, value, n) for value, n in heavy if n]
    return found + [(*ends, n) for ends, n in _far_bins(tally)]


def far(tally: Tally) -> list[tuple[float, int]]:
    """Values outside the reference's range, within 5% of their size, with their numbers of rows."""
    return [((low + high) / 2, n) for (low, high), n in _far_bins(tally)]


def _far_bins(tally: Tally) -> list[tuple[tuple[float, float], int]]:
    """The intervals in which values outside the reference's range lie, with their numbers of rows."""
    if tally.low is None or tally.high is None:
        return []
    found = []
    for key, n in tally.outside.items():
        sign, power = map(int, key.split(","))
        ends = sorted(sign * float(np.exp(each * _GROWTH)) for each in (power - 1, power))
        low, high = (min(max(end, tally.low), tally.high) for end in ends)
        found.append(((low, high), n))
    return found


def mean(tally: Tally, layout: NumberLayout) -> float | None:
    """The mean of a window's finite values."""
    if tally.count == 0:
        return None
    return _clean(layout.center + layout.spread * tally.total / tally.count, layout.spread)


def deviation(tally: Tally, layout: NumberLayout) -> float | None:
    """The standard deviation of a window's finite values."""
    if tally.count == 0:
        return None
    at = tally.total / tally.count
    return layout.spread * float(np.sqrt(max(tally.squares / tally.count - at * at, 0.0)))
