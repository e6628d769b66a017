"""Profile: a mergeable, compact summary of a window of rows, laid out by the reference that it will be compared with.

>>> reference = Profile.of(pa.table({"x": [1.0, 2.0, 3.0]}))
>>> monday = Profile.of(pa.table({"x": [1.5, None]}), reference)
>>> tuesday = Profile.of(pa.table({"x": [2.5]}), reference)
>>> Profile.merge([monday, tuesday]).rows
3
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelyard.digest import digest
from modelyard.stats import arrow, calendar, category, hashing, measured, natural, numeric, rows, tally, vector
from modelyard.stats.category import CategoryLayout
from modelyard.stats.distance import Layout
from modelyard.stats.groups import Groups
from modelyard.stats.measured import MeasuredLayout
from modelyard.stats.natural import Variations
from modelyard.stats.numeric import NumberLayout
from modelyard.stats.rows import RowSample
from modelyard.stats.tally import Tally

WINDOWS = 53
WIDTHS = (timedelta(days=7), timedelta(days=1), timedelta(hours=1))
TURNOVER = "turnover of its values"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a profile: how it is divided, what was counted, and how windows of the reference naturally vary.

    `follows` names what of its row's time the column tells ("month"), if that is all it does, or that its values come
    and go.
    """

    layout: Layout
    tally: Tally
    natural: Variations = field(default_factory=dict)
    follows: str = ""

    @property
    def kind(self) -> str:
        """number, integer, boolean, category, timestamp, text or vector."""
        return self.layout.kind


@dataclass(frozen=True, eq=False)
class Profile:
    """`rows` counts rows; `ignored` names columns that cannot be profiled, with their type; `sample` samples whole
    rows.

    `extra` names columns that the reference does not have; `repeats` is the natural share of repeated rows in windows.
    """

    columns: dict[str, Column]
    rows: int
    sample: RowSample
    ignored: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    repeats: Variations = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        table: pa.Table,
        reference: Profile | None = None,
        *,
        time: str | pa.ChunkedArray | pa.Array | None = None,
        widths: Sequence[timedelta] = WIDTHS,
        computed: Collection[str] = (),
    ) -> Profile:
        """The profile of a table (any number of rows, also none), laid out by `reference`, or by itself when None.

        Give a reference its `time` (a column's name, which is then not profiled, or the times themselves) and it
        learns how far its own windows of these `widths` lie apart, so that its seasons and weather are not taken for
        drift later. `computed` names columns that hold a model's answers.
        """
        if reference is not None:
            return cls.of_groups(table, Groups(), reference)[0]
        if isinstance(time, str):
            time, table = table[time], table.drop_columns([time])
        draft = Draft(table.num_rows, time, widths)
        for name, column in zip(table.column_names, table.columns, strict=True):
            draft.add(name, column, computed=name in computed)
        return draft.done()

    @classmethod
    def of_groups(cls, table: pa.Table, groups: Groups, reference: Profile) -> list[Profile]:
        """One profile per group of rows, all counted in one pass."""
        counting = Counting(table.num_rows, groups, reference)
        for name, column in zip(table.column_names, table.columns, strict=True):
            counting.add(name, column)
        return counting.done()

    @classmethod
    def of_batches(cls, batches: Iterable[pa.RecordBatch], reference: Profile) -> Profile:
        """The profile of a table that comes piece by piece: no more of it is in memory than one."""
        whole = cls.merge([])
        for batch in batches:
            whole = cls.merge([whole, cls.of(pa.Table.from_batches([batch]), reference)])
        return whole

    @classmethod
    def merge(cls, profiles: Sequence[Profile]) -> Profile:
        """The profile of all rows together; all must have been laid out by one reference (else ValueError)."""
        if not profiles:
            return cls({}, 0, rows.merge([]))
        names = dict.fromkeys(name for profile in profiles for name in profile.columns)
        columns = {name: _merge([p.columns[name] for p in profiles if name in p.columns], name) for name in names}
        return cls(
            columns,
            sum(profile.rows for profile in profiles),
            rows.merge([profile.sample for profile in profiles]),
            extra={name: kind for profile in profiles for name, kind in profile.extra.items()},
        )

    @property
    def known_names(self) -> set[str]:
        """All columns of the table that was profiled."""
        return set(self.columns) | set(self.ignored)

    @property
    def layouts(self) -> dict[str, Any]:
        """How every column is divided, as JSON."""
        return {name: column.layout.to_json() for name, column in self.columns.items()}

    def beside(self, other: Profile) -> Profile:
        """This profile with the columns of another beside its own (a model's predictions beside its inputs)."""
        return replace(self, columns={**self.columns, **other.columns})

    def only(self, names: Sequence[str]) -> Profile:
        """This profile with these columns only."""
        return replace(self, columns={name: column for name, column in self.columns.items() if name in names})

    @property
    def narrowest(self) -> timedelta | None:
        """The narrowest windows whose natural variation is known; None when none is."""
        widths = [width for column in self.columns.values() for width, known in column.natural.items() if known]
        return timedelta(seconds=min(widths)) if widths else None

    def learn(self, name: str, values: pa.Array, time: pa.ChunkedArray | pa.Array) -> Profile:
        """This reference, having seen how far windows of other rows of column `name` lie from it: that is usual
        too."""
        seconds = arrow.floats(arrow.plain(time))
        column = self.columns[name]
        if seconds is None or not np.isfinite(seconds).any():
            return self
        age = float(np.nanmax(seconds)) - np.where(np.isfinite(seconds), seconds, float(np.nanmin(seconds)))
        variations = {
            width: known.beside(
                natural.of_others(column.layout, column.tally, count(values, column.layout, windows(age, width)))
            )
            for width, known in column.natural.items()
        }
        return replace(self, columns={**self.columns, name: replace(column, natural=variations)})

    def to_json(self, *, layouts: bool = True) -> dict[str, Any]:
        """A JSON object. With `layouts=False` it holds counts only, and is read again with the reference at hand."""
        data: dict[str, Any] = {
            "format": FORMAT,
            "rows": self.rows,
            "tallies": {name: column.tally.to_json() for name, column in self.columns.items()},
            "sample": self.sample.to_json(),
            "ignored": self.ignored,
            "extra": self.extra,
        }
        if layouts:
            data |= {"layouts": self.layouts, "repeats": natural.to_json(self.repeats)}
            data["natural"] = {name: natural.to_json(column.natural) for name, column in self.columns.items()}
            data["follows"] = {name: column.follows for name, column in self.columns.items() if column.follows}
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any], reference: Profile | None = None) -> Profile:
        """Read what `to_json` wrote; `reference` gives the layouts when they were left out."""
        if "layouts" in data:
            layouts = {name: _layout(layout) for name, layout in data["layouts"].items()}
        elif reference is not None:
            layouts = {name: column.layout for name, column in reference.columns.items()}
        else:
            raise ValueError("a profile without layouts can only be read beside its reference")
        variations, follows = data.get("natural", {}), data.get("follows", {})
        return cls(
            {
                name: Column(
                    layouts[name],
                    Tally.from_json(counts),
                    natural.from_json(variations.get(name, {})),
                    follows.get(name, ""),
                )
                for name, counts in data["tallies"].items()
            },
            data["rows"],
            RowSample.from_json(data["sample"]),
            data["ignored"],
            data["extra"],
            natural.from_json(data.get("repeats", {})),
        )


def count(
    column: pa.ChunkedArray | pa.Array,
    layout: Layout,
    groups: Groups,
    fold: hashing.Fold | None = None,
    name: str = "",
) -> list[Tally]:
    """Tallies of one column per group of rows; `fold` takes in its values' hashes."""
    match layout:
        case CategoryLayout():
            return category.tallies(column, layout, groups, fold, name)
        case NumberLayout():
            return numeric.tallies(column, layout, groups, fold, name)
        case MeasuredLayout():
            return measured.tallies(column, layout, groups, fold, name)


def divide(array: pa.Array, *, computed: bool = False) -> Layout | None:
    """How a reference's column is divided; None for what cannot be (lists of many lengths, structs, binary)."""
    match arrow.family(array.type):
        case "boolean":
            return category.BOOLEAN
        case "text":
            return measured.of_texts(array) if category.is_text(array) else category.layout(array)
        case "null":
            return NumberLayout("number", (), (), 0.0, 1.0, False)
        case "other":
            size = vector.dimension(array)
            return measured.of_vectors(array, size) if size else None
        case kind:
            values = arrow.floats(array)
            assert values is not None, "the other families are numbers"
            return numeric.layout(values, kind, computed=computed)


class Counting:
    """One profile per group of rows, whose columns come one after the other: no more of them need be in memory than one."""

    def __init__(self, rows: int, groups: Groups, reference: Profile) -> None:
        self._rows, self._groups, self._reference = rows, groups, reference
        self._fold, self._known = hashing.Fold(rows), reference.known_names
        self._counted: dict[str, list[Tally]] = {}
        self._extra: dict[str, str] = {}

    def add(self, name: str, column: pa.ChunkedArray | pa.Array) -> None:
        """Take a column in."""
        if name in self._reference.columns:
            self._counted[name] = count(column, self._reference.columns[name].layout, self._groups, self._fold, name)
        elif name not in self._known:
            self._extra[name] = str(column.type.value_type if pa.types.is_dictionary(column.type) else column.type)

    def done(self) -> list[Profile]:
        """The profiles of all columns."""
        sizes = self._groups.sizes(self._rows)
        sampled = rows.samples(self._fold.done(), self._groups)
        counted = {name: column for name, column in self._reference.columns.items() if name in self._counted}
        return [
            Profile(
                {name: Column(column.layout, self._counted[name][g]) for name, column in counted.items()},
                int(sizes[g]),
                sampled[g],
                extra=self._extra,
            )
            for g in range(self._groups.size)
        ]


class Draft:
    """A reference whose columns come one after the other: those of the rows before a model's answers are there."""

    def __init__(
        self, rows: int, time: pa.ChunkedArray | pa.Array | None = None, widths: Sequence[timedelta] = WIDTHS
    ) -> None:
        seconds = None if time is None else arrow.floats(arrow.plain(time))
        timed = seconds is not None and bool(np.isfinite(seconds).any())
        self._seconds = seconds if seconds is not None and timed else np.zeros(0)
        self._divisions = _divisions(self._seconds, widths) if timed else {}
        self._calendar, self._fold = calendar.Sample.of(self._seconds), hashing.Fold(rows)
        self._cut, self._rows = _Cut.of(self._divisions), rows
        self._columns: dict[str, Column] = {}
        self._ignored: dict[str, str] = {}

    def add(self, name: str, column: pa.ChunkedArray | pa.Array, *, computed: bool = False) -> None:
        """Take a column in; `computed` says that it holds a model's answers."""
        array = arrow.plain(column)
        layout = divide(array, computed=computed)
        if layout is None:
            self._ignored[name] = str(array.type)
            return
        if isinstance(layout, CategoryLayout) and arrow.family(array.type) == "text":
            array = array.dictionary_encode()  # once for all that counts it
        self._columns[name] = self._column(array, layout, name)

    def done(self) -> Profile:
        """The profile of all columns."""
        hashes = self._fold.done()
        return Profile(
            self._columns,
            self._rows,
            rows.samples(hashes, Groups())[0],
            ignored=self._ignored,
            repeats={width: _repeats(hashes, groups) for width, groups in self._divisions.items()},
        )

    def _column(self, array: pa.Array, layout: Layout, name: str) -> Column:
        pieces, divisions = count(array, layout, self._cut.pieces, self._fold, name), self._divisions
        variations = {
            width: natural.of_windows(array, layout, self._cut.join(pieces, width, groups.size), groups)
            for width, groups in divisions.items()
        }
        told = calendar.follows(array, layout, self._calendar)
        many = isinstance(layout, CategoryLayout) and layout.distinct > category.TOP
        if not told and divisions and many and natural.turns_over(array, divisions[max(divisions)]):
            told = TURNOVER
        return Column(layout, tally.merge(pieces), variations, told)


def _repeats(hashes: hashing.Hashes, groups: Groups) -> natural.Natural:
    """How many rows of its windows repeat others of the same, and how many are those of other windows."""
    samples = [sample for sample in rows.samples(hashes, groups) if sample.counts.sum() >= natural.FEWEST_ROWS]
    repeated = [share for sample in samples if (share := sample.repeated) is not None]
    pairs = zip(samples, rows.all_but_one(samples), strict=True)
    seen = [share for sample, others in pairs if (share := sample.seen_in(others)) is not None]
    return natural.of_shares({"repeated": repeated, "replayed": seen})


def _divisions(seconds: arrow.Floats, widths: Sequence[timedelta]) -> dict[int, Groups]:
    """Rows by windows of time, counted back from the last row, by the windows' width in seconds.

    There are at least 8 windows (a width is narrowed if need be); of more than 53, all before the last 52 are one
    group. Rows without time go with the oldest.
    """
    start, end = float(np.nanmin(seconds)), float(np.nanmax(seconds))
    age = end - np.where(np.isfinite(seconds), seconds, start)
    narrowed = {int(min(width.total_seconds(), (end - start) / 8)) for width in widths}
    return {width: windows(age, width) for width in sorted(narrowed) if width > 0}


@dataclass(frozen=True)
class _Cut:
    """Rows cut at the edges of all widths at once, so that each is counted once: `windows[width][i]` is the window of
    piece i."""

    pieces: Groups
    windows: dict[int, npt.NDArray[np.int64]]

    @classmethod
    def of(cls, divisions: dict[int, Groups]) -> _Cut:
        """The pieces that no window of any width divides."""
        windows = {width: groups.of for width, groups in divisions.items() if groups.of is not None}
        if not windows:
            return cls(Groups(), {})
        every = np.zeros(1, dtype=np.int64)
        for width, own in windows.items():
            every = every * divisions[width].size + own
        _, first, of = np.unique(every, return_index=True, return_inverse=True)
        return cls(Groups(len(first), of), {width: own[first] for width, own in windows.items()})

    def join(self, pieces: Sequence[Tally], width: int, size: int) -> list[Tally]:
        """The tallies of the windows of one width."""
        own: list[list[Tally]] = [[] for _ in range(size)]
        for piece, window in zip(pieces, self.windows[width], strict=True):
            own[window].append(piece)
        return [tally.merge(each) for each in own]


def windows(age: arrow.Floats, width: float) -> Groups:
    """Rows by windows so wide, by how long before the last they are; of more than 53, all before the last 52 are one."""
    place = np.floor(age / width).astype(np.int64)
    size = min(int(place.max()) + 1, WINDOWS)
    return Groups(size, size - 1 - np.minimum(place, size - 1))


def _merge(columns: Sequence[Column], name: str) -> Column:
    layout = columns[0].layout
    if any(
        column.layout is not layout and digest(column.layout.to_json()) != digest(layout.to_json())
        for column in columns
    ):
        raise ValueError(f"{name}: profiles laid out by different references cannot be merged")
    return Column(layout, tally.merge([column.tally for column in columns]))


def _layout(data: dict[str, Any]) -> Layout:
    if data["kind"] in ("category", "boolean"):
        return CategoryLayout.from_json(data)
    if data["kind"] in ("text", "vector"):
        return MeasuredLayout.from_json(data)
    return NumberLayout.from_json(data)
