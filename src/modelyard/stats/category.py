"""Categories and booleans: the reference's top values, the rest of its vocabulary, and what it never saw."""

from __future__ import annotations

import base64
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
VOCABULARY = 20_000
_LONGEST = 80


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
        """Number of cells: top values, other, unseen."""
        return len(self.top) + 2

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


def layout(array: pa.Array) -> CategoryLayout:
    """The vocabulary of a reference's column of texts."""
    codes, words = arrow.codes(array)
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    texts = words.to_pylist()
    top = tuple(texts[i] for i in np.lexsort((hashing.texts(words), -counts))[:TOP]) if texts else ()
    return CategoryLayout("category", top, np.unique(_short(words)), int((counts == 1).sum()), len(words))


def is_text(array: pa.Array) -> bool:
    """Whether a column of strings is free text or identifiers: mostly distinct, very many values, or long."""
    present = len(array) - array.null_count
    if present < 100:
        return False
    distinct = pc.count_distinct(array).as_py()
    mean = pc.mean(pc.utf8_length(array)).as_py()
    return bool(distinct > VOCABULARY or distinct > present / 2 or (mean > _LONGEST and distinct > TOP))


def tallies(array: pa.Array, layout: CategoryLayout, groups: Groups) -> list[Tally]:
    """Count a column per group of rows."""
    kinds = frozenset({arrow.family(array.type)} - {"null"})
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    if arrow.family(array.type) == "other":
        cells, words = np.full(len(array), -1, dtype=np.int64), pa.array([], pa.string())
    elif layout.kind == "boolean":
        cells, words = _boolean(array), pa.array([], pa.string())
    else:
        cells, words = _places(array, layout)
    rows = groups.where(np.ones(len(array), dtype=bool))
    nulls = groups.where(~pc.is_valid(array).to_numpy(zero_copy_only=False) | (cells == -2))
    seen = cells >= 0
    counts = groups.take(seen).count(np.minimum(cells[seen], layout.size - 1), layout.size)
    fresh = _fresh(cells, words, layout, groups)
    return [
        Tally(
            rows=int(rows[g]),
            nulls=int(nulls[g]),
            mismatched=int(rows[g] - nulls[g] - counts[g].sum()),
            cells=counts[g],
            fresh=fresh[g],
            types=kinds,
        )
        for g in range(groups.size)
    ]


def _boolean(array: pa.Array) -> npt.NDArray[np.int64]:
    """0 or 1; -1 where the value is neither, -2 where it is missing."""
    if arrow.family(array.type) == "text":
        lower = pc.utf8_lower(array)
        truth = pc.is_in(lower, value_set=pa.array(["true", "1"])).to_numpy(zero_copy_only=False)
        falsehood = pc.is_in(lower, value_set=pa.array(["false", "0"])).to_numpy(zero_copy_only=False)
        return np.where(truth, 1, np.where(falsehood, 0, -1))
    values = arrow.floats(array)
    assert values is not None, "families other and text are handled before"
    return np.where(np.isnan(values), -2, np.where(values == 1, 1, np.where(values == 0, 0, -1)))


def _places(array: pa.Array, layout: CategoryLayout) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """The cell of each row; an unseen value number i of `words` is size - 1 + i, missing is -1."""
    codes, words = arrow.codes(array)
    if len(words) == 0:
        return codes, words
    top = pc.index_in(words, value_set=pa.array(layout.top, words.type))
    place = pc.fill_null(top, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    known = np.isin(_short(words), layout.known)
    rest = place < 0
    place[rest & known] = len(layout.top)
    place[rest & ~known] = layout.size - 1 + np.flatnonzero(rest & ~known)
    return np.where(codes >= 0, place[np.maximum(codes, 0)], -1), words


def _fresh(
    cells: npt.NDArray[np.int64], words: pa.Array, layout: CategoryLayout, groups: Groups
) -> list[dict[str, int]]:
    new = cells >= layout.size - 1
    if layout.kind == "boolean" or not new.any():
        return [{} for _ in range(groups.size)]
    inside, found = groups.take(new), cells[new] - (layout.size - 1)
    return [_top_words(found[inside.only(g)], words) for g in range(groups.size)]


def _top_words(found: npt.NDArray[np.int64], words: pa.Array) -> dict[str, int]:
    values, counts = np.unique(found, return_counts=True)
    order = np.lexsort((hashing.texts(words.take(pa.array(values))), -counts))[:100]
    return heaviest([words[int(values[i])].as_py()[:_LONGEST] for i in order], counts[order].tolist())


def _short(words: pa.Array) -> npt.NDArray[np.uint32]:
    return (hashing.texts(words) >> np.uint64(32)).astype(np.uint32)
