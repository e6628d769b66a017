"""Texts and vectors: not counted themselves but by what is measured of them, each measure like a column of numbers."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelyard.stats import arrow, hashing, numeric, text, vector
from modelyard.stats.groups import Groups
from modelyard.stats.numeric import NumberLayout
from modelyard.stats.tally import Tally

PIECE = 1 << 13


@dataclass(frozen=True, eq=False)
class MeasuredLayout:
    """`parts`: how each measure is divided; `known`: hashes of a text's known words; `size`, `direction`: a vector's
    length and the mean direction."""

    kind: Literal["text", "vector"]
    parts: dict[str, NumberLayout]
    known: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    size: int = 0
    direction: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "kind": self.kind,
            "parts": {name: part.to_json() for name, part in self.parts.items()},
            "known": base64.b64encode(self.known.astype("<u4").tobytes()).decode(),
            "size": self.size,
            "direction": self.direction,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MeasuredLayout:
        """Read what `to_json` wrote."""
        known = np.frombuffer(base64.b64decode(data["known"]), dtype="<u4").astype(np.uint32)
        parts = {name: NumberLayout.from_json(part) for name, part in data["parts"].items()}
        return cls(data["kind"], parts, known, data["size"], tuple(data["direction"]))


def of_texts(column: pa.ChunkedArray | pa.Array) -> MeasuredLayout:
    """How a reference's free texts are measured."""
    return _divided(MeasuredLayout("text", {}, known=text.vocabulary(column)), column)


def of_vectors(column: pa.ChunkedArray | pa.Array, size: int) -> MeasuredLayout:
    """How a reference's vectors of one length are measured."""
    return _divided(MeasuredLayout("vector", {}, size=size, direction=vector.direction(column, size)), column)


def tallies(
    column: pa.ChunkedArray | pa.Array, layout: MeasuredLayout, groups: Groups, rows: hashing.Fold | None, name: str
) -> list[Tally]:
    """Count a column per group of rows; `rows` takes in its values' hashes."""
    counters = {part: numeric.Counter(divided, groups.size) for part, divided in layout.parts.items()}
    nulls, unread = np.zeros((2, groups.size), dtype=np.int64)
    for start, piece in arrow.pieces(column, PIECE):
        inside = groups.part(start, start + len(piece))
        if piece.null_count:
            nulls += inside.where(~np.asarray(piece.is_valid()))
        measures, odd = _measure(piece, layout)
        if odd.any():
            unread += inside.where(odd)
        hashes = [counter.add(measures[part], inside) for part, counter in counters.items()]
        if rows is not None:
            rows.add(name, start, _values(piece, layout) if layout.kind == "text" else hashes[0])
    sizes, types = groups.sizes(len(column)), frozenset({arrow.family(column.type)} - {"null"})
    counted = {part: counter.tallies(frozenset()) for part, counter in counters.items()}
    return [
        Tally(
            rows=int(sizes[g]),
            nulls=int(nulls[g]),
            mismatched=int(unread[g]),
            types=types,
            parts={part: tallies[g] for part, tallies in counted.items()},
        )
        for g in range(groups.size)
    ]


def _divided(layout: MeasuredLayout, column: pa.ChunkedArray | pa.Array) -> MeasuredLayout:
    pieces = [_measure(piece, layout)[0] for _, piece in arrow.pieces(column, PIECE)]
    names = text.PARTS if layout.kind == "text" else vector.PARTS
    values = {name: np.concatenate([piece[name] for piece in pieces] or [np.zeros(0)]) for name in names}
    parts = {
        name: numeric.layout(found, "integer" if name == text.LENGTH else "number") for name, found in values.items()
    }
    return MeasuredLayout(layout.kind, parts, layout.known, layout.size, layout.direction)


def _measure(piece: pa.Array, layout: MeasuredLayout) -> tuple[dict[str, arrow.Floats], npt.NDArray[np.bool_]]:
    if layout.kind == "vector":
        return vector.measure(piece, layout.size, layout.direction)
    texts = arrow.texts(piece)
    if texts is None:
        absent = np.full(len(piece), np.nan)
        return dict.fromkeys(text.PARTS, absent), np.asarray(piece.is_valid())
    return text.measure(texts, layout.known), np.zeros(len(piece), dtype=bool)


def _values(piece: pa.Array, layout: MeasuredLayout) -> hashing.Hashes:
    texts = arrow.texts(piece)
    if texts is None:
        return np.zeros(len(piece), dtype=np.uint64)
    hashes = np.zeros(len(piece), dtype=np.uint64)
    hashes[np.asarray(texts.is_valid())] = hashing.texts(texts.drop_null())
    return hashes
