"""Categories and booleans: the reference's top values, the rest of its vocabulary, and what it never saw.

Only values that are frequent enough for their share to be known get a cell of their own: the luckiest of a thousand
equal values would else seem to fade in every window. All others share eight cells by a hash of the value.
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.stats import arrow, hashing
from modelyard.stats.groups import Groups
from modelyard.stats.tally import Tally, heaviest

TOP = 50
TAIL = 8
LEAST_ROWS = 25
LEAST_SHARE = 0.005
VOCABULARY = 20_000
_LONGEST = 80
_PIECE = 1 << 17


@dataclass(frozen=True, eq=False)
class CategoryLayout:
    """`top`: the most frequent values, in order; `known`: sorted 32-bit hashes of all values seen; `once`: values
    seen once.

    `once / rows` estimates how often even an unchanged world brings a value never seen before (Good 1953).
    """

    kind: Literal["category", "boolean"]
    top: tuple[str, ...]
    known: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    once: int = 0
    distinct: int = 0

    @property
    def size(self) -> int:
        """Number of cells: top values, other (by hash), unseen (by hash)."""
        return len(self.top) + 2 * TAIL

    def unseen(self, tally: Tally) -> int:
        """Rows whose value the reference never held."""
        return int(tally.cells[-TAIL:].sum()) if self.kind == "category" else 0

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        known = base64.b64encode(self.known.astype("<u4").tobytes()).decode()
        return {"kind": self.kind, "top": self.top, "known": known, "once": self.once, "distinct": self.distinct}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> CategoryLayout:
        """Read what `to_json` wrote."""
        known = np.frombuffer(base64.b64decode(data["known"]), dtype="<u4").astype(np.uint32)
        return cls(data["kind"], tuple(data["top"]), known, data["once"], data["distinct"])


BOOLEAN = CategoryLayout("boolean", ("false", "true"), distinct=2)


def shown(word: str) -> str:
    r"""A value as it is told: signs that do not print are spelt out, for a value may come from anybody's request, and is
    read at terminals and kept in databases.

    >>> shown("São Paulo"), shown("\x1b[31mred\x00")
    ('São Paulo', '\\x1b[31mred\\x00')
    """
    signs = (sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in word)
    return word if word.isprintable() else "".join(signs)


def layout(array: pa.Array) -> CategoryLayout:
    """The vocabulary of a reference's column of texts."""
    codes, words = arrow.codes(array)
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    order = np.lexsort((hashing.texts(words), -counts)) if len(words) else np.zeros(0, dtype=np.int64)
    if len(words) > TOP:
        least = max(LEAST_ROWS, LEAST_SHARE * counts.sum())
        order = order[: min(TOP, int((counts >= least).sum()))]
    top = tuple(words.take(pa.array(order)).to_pylist())
    return CategoryLayout("category", top, np.unique(short(words)), int((counts == 1).sum()), len(words))


def is_text(array: pa.Array) -> bool:
    """Whether a column of strings is free text or identifiers: mostly distinct, very many values, or long."""
    present = len(array) - array.null_count
    if present < 100:
        return False
    distinct = pc.count_distinct(array).as_py()
    mean = pc.mean(pc.utf8_length(array)).as_py()
    return bool(distinct > VOCABULARY or distinct > present / 2 or (mean > _LONGEST and distinct > TOP))


def tallies(
    column: pa.ChunkedArray | pa.Array, layout: CategoryLayout, groups: Groups, rows: hashing.Fold | None, name: str
) -> list[Tally]:
    """Count a column per group of rows; `rows` takes in its values' hashes."""
    counts = np.zeros((groups.size, layout.size), dtype=np.int64)
    nulls = np.zeros(groups.size, dtype=np.int64)
    fresh: list[Counter[str]] = [Counter() for _ in range(groups.size)]
    for start, piece in arrow.pieces(column, _PIECE):
        if pa.types.is_floating(piece.type):
            piece = pc.if_else(pc.is_nan(piece), pa.scalar(None, piece.type), piece)
        inside = groups.part(start, start + len(piece))
        if piece.null_count:
            nulls += inside.where(~np.asarray(pc.is_valid(piece)))
        cells, hashes = _counted(piece, layout, inside, fresh)
        seen = cells >= 0
        counts += inside.count(cells, layout.size) if seen.all() else inside.take(seen).count(cells[seen], layout.size)
        if rows is not None and hashes is not None:
            rows.add(name, start, hashes)
    sizes, kinds = groups.sizes(len(column)), frozenset({arrow.family(column.type)} - {"null"})
    return [
        Tally(
            rows=int(sizes[g]),
            nulls=int(nulls[g]),
            mismatched=int(sizes[g] - nulls[g] - counts[g].sum()),
            cells=counts[g],
            fresh=heaviest(list(fresh[g]), list(fresh[g].values())),
            types=kinds,
        )
        for g in range(groups.size)
    ]


def _counted(
    piece: pa.Array, layout: CategoryLayout, groups: Groups, fresh: list[Counter[str]]
) -> tuple[npt.NDArray[np.int64], hashing.Hashes | None]:
    """The cell of each row, -1 where there is no usable value, and the values' hashes; `fresh` takes in new words."""
    if arrow.family(piece.type) == "other":
        return np.full(len(piece), -1, dtype=np.int64), None
    if layout.kind == "boolean":
        cells = _boolean(piece)
        return cells, hashing.numbers(np.where(cells < 0, np.nan, cells))
    codes, words = arrow.codes(piece)
    places = _places(words, layout)
    for found, words_of in zip(fresh, _fresh(codes, places, words, layout, groups), strict=True):
        found.update(words_of)
    return np.append(places, -1)[codes], np.append(hashing.texts(words), np.uint64(0))[codes]


def _boolean(array: pa.Array) -> npt.NDArray[np.int64]:
    """0 or 1; -1 where the value is neither or missing."""
    if arrow.family(array.type) == "text":
        lower = pc.utf8_lower(arrow.plain(array))
        truth = pc.is_in(lower, value_set=pa.array(["true", "1"])).to_numpy(zero_copy_only=False)
        falsehood = pc.is_in(lower, value_set=pa.array(["false", "0"])).to_numpy(zero_copy_only=False)
        return np.where(truth, 1, np.where(falsehood, 0, -1))
    values = arrow.numbers(array)[0]
    return np.where(values == 1, 1, np.where(values == 0, 0, -1))


def _places(words: pa.Array, layout: CategoryLayout) -> npt.NDArray[np.int64]:
    """The cell of each distinct value."""
    if len(words) == 0:
        return np.zeros(0, dtype=np.int64)
    hashes = short(words)
    tail = len(layout.top) + (hashes % TAIL).astype(np.int64) + np.where(np.isin(hashes, layout.known), 0, TAIL)
    top = pc.fill_null(pc.index_in(words, value_set=pa.array(layout.top, words.type)), -1)
    place = top.to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(place >= 0, place, tail)


def _fresh(
    codes: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    words: pa.Array,
    layout: CategoryLayout,
    groups: Groups,
) -> list[dict[str, int]]:
    new = np.append(places >= layout.size - TAIL, False)[codes]
    if not new.any():
        return [{} for _ in range(groups.size)]
    inside, found = groups.take(new), codes[new]
    return [_top_words(found[inside.only(g)], words) for g in range(groups.size)]


def _top_words(found: npt.NDArray[np.int64], words: pa.Array) -> dict[str, int]:
    values, counts = np.unique(found, return_counts=True)
    order = np.lexsort((hashing.texts(words.take(pa.array(values))), -counts))[:100]
    return heaviest([words[int(values[i])].as_py()[:_LONGEST] for i in order], counts[order].tolist())


def short(words: pa.Array) -> npt.NDArray[np.uint32]:
    """The 32-bit hashes by which values are known."""
    return (hashing.texts(words) >> np.uint64(32)).astype(np.uint32)
