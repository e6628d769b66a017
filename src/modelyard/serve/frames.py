"""The form of the prediction log on disk: frames of length, checksum and JSON, one behind the other.

A frame is either the shape of a release (its inputs and their types; once per segment, before its first use) or an entry:
what one arm made of the rows of one request, column by column. Reading stops at the first frame that is not whole: that
is the torn tail of a process that died while it wrote, and was never acknowledged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from modelyard.serve.columns import TYPES
from modelyard.store.logged import COLUMNS

_HEADER = struct.Struct("<4sII")
_MAGIC = b"MYL1"
MAX_FRAME = 1 << 30


class Shape(msgspec.Struct, omit_defaults=True, tag="shape"):
    """The inputs of a release, name to type, in the order in which entries list them."""

    release: str
    inputs: dict[str, str]


class Entry(msgspec.Struct, omit_defaults=True, tag="entry"):
    """What one arm made of rows of one request.

    Lists have one item per row of the entry (`rows`: its number in the request; none = 0, 1, …). `body` is the digest of
    an answered request whose client chose its id. `warnings` are (row, pointer, code), `named` the input of each, `errors`
    (row, code), `fallback` rows: here a row counts within the entry. `propensity`: with which probability the routes chose
    the arm; None where they had no say (shadows, forced arms, rows outside the declared segment). Times are microseconds
    since 1970. `inputs` follow the release's shape. `weight`: how many rows each stands for, where only a sample is logged.
    """

    id: str
    n: int
    arm: str
    release: str
    at: int | list[int]
    role: str = "answer"
    body: str = ""
    rows: list[int] | None = None
    time: list[int | None] | None = None
    key: list[str] | None = None
    routing: str | list[str] = ""
    values: list[float | None] | None = None
    many: list[list[float] | None] | None = None
    fallback: list[int] = []
    warnings: list[tuple[int, str, str]] = []
    named: list[str] = []
    errors: list[tuple[int, str]] = []
    ms: float = 0.0
    propensity: float | list[float | None] | None = 1.0
    inputs: list[list[Any]] | None = None
    weight: float = 1.0

    @property
    def repeatable(self) -> bool:
        """Whether it answers a request whose client chose the id, so that a repeat gets the same answer."""
        return bool(self.body) and self.answered

    @property
    def answered(self) -> bool:
        """Whether somebody was given these predictions."""
        return self.role != "shadow"


class Many(msgspec.Struct, omit_defaults=True, tag="many"):
    """What one arm answered to several requests at once.

    `ids` are the requests, `ends` where the rows of each end (none: one row each); `routing` their keys (none: the ids).
    `values` are float64, `width` per row (0: one). `inputs`: numbers as float64, NaN for none, other types as lists.
    `bodies` are the digests of requests whose client chose the id, "" for others (none: of all). Else as in `Entry`.
    """

    ids: list[str]
    n: int
    arm: str
    release: str
    at: int
    ms: list[float]
    values: bytes
    inputs: list[bytes | list[Any]] | None = None
    role: str = "answer"
    ends: list[int] | None = None
    width: int = 0
    time: list[int | None] | None = None
    key: list[str] | None = None
    routing: list[str] | None = None
    propensity: float | None = 1.0
    bodies: list[str] | None = None
    warnings: list[tuple[int, str, str]] = []
    named: list[str] = []
    weight: float = 1.0

    @property
    def chosen(self) -> dict[str, str]:
        """The digests of bodies by the ids that clients chose."""
        return {one: body for one, body in zip(self.ids, self.bodies or (), strict=False) if body}

    @property
    def lengths(self) -> list[int]:
        """How many rows each request has."""
        ends = self.ends or range(1, self.n + 1)
        return [end - start for start, end in zip((0, *ends), ends, strict=False)]


Frame: TypeAlias = Shape | Entry | Many
Values: TypeAlias = list[Any] | np.ndarray
"""Of one input in a frame; as an array they are float64, NaN for none."""


@dataclass(frozen=True)
class Read:
    """A frame as read: its content and where it ends in the file."""

    frame: Frame
    end: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Frame).decode


def pack(frame: Frame) -> bytes:
    """A frame as bytes."""
    body = _encode(frame)
    return _HEADER.pack(_MAGIC, len(body), zlib.crc32(body)) + body


def read(path: Path, start: int = 0) -> Iterator[Read]:
    """The whole frames of a segment file from byte `start`, up to its end or its torn tail."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    yield from unpack(data, start)


def unpack(data: bytes, start: int = 0) -> Iterator[Read]:
    """The whole frames in `data`, which begins at byte `start` of its file."""
    view, position = memoryview(data), 0
    while position + _HEADER.size <= len(view):
        magic, length, crc = _HEADER.unpack_from(view, position)
        body = view[position + _HEADER.size : position + _HEADER.size + length]
        if magic != _MAGIC or length > MAX_FRAME or len(body) < length or zlib.crc32(body) != crc:
            return
        position += _HEADER.size + length
        yield Read(_decode(body), start + position)


def table(frames: Iterable[Frame]) -> pa.Table:
    """The rows of many frames as the deployment's `predictions` table: fixed columns, then `in.NAME` per input.

    An input that is an integer in one release and a number in another is a number.
    """
    shapes: dict[str, dict[str, str]] = {}
    fixed: dict[str, list[Any]] = {name: [] for name in COLUMNS.names}
    inputs: dict[str, list[tuple[int, Values]]] = {}
    kinds: dict[str, str] = {}
    total = 0
    for frame in frames:
        if isinstance(frame, Shape):
            shapes[frame.release] = frame.inputs
            continue
        if isinstance(frame, Many):
            _extend_many(fixed, frame)
        else:
            _extend(fixed, frame)
        if frame.inputs is not None:
            for (name, kind), packed in zip(shapes[frame.release].items(), frame.inputs, strict=True):
                values = np.frombuffer(packed, dtype="<f8") if isinstance(packed, bytes) else packed
                inputs.setdefault(name, []).append((total, values))
                kinds[name] = _wider(kinds.get(name, kind), kind)
        total += frame.n
    columns = {name: pa.array(values, COLUMNS.field(name).type) for name, values in fixed.items()}
    for name, parts in inputs.items():
        columns[f"in.{name}"] = _input(parts, kinds[name], total)
    return pa.table(columns)


def _extend(fixed: dict[str, list[Any]], entry: Entry) -> None:
    n = entry.n
    fixed["request_id"] += [entry.id] * n
    fixed["row"] += range(n) if entry.rows is None else entry.rows
    fixed["at"] += [entry.at] * n if isinstance(entry.at, int) else entry.at
    fixed["time"] += entry.time or [None] * n
    fixed["arm"] += [entry.arm] * n
    fixed["role"] += [entry.role] * n
    fixed["release"] += [entry.release] * n
    fixed["key"] += entry.key or [""] * n
    fixed["routing"] += [entry.routing] * n if isinstance(entry.routing, str) else entry.routing
    fixed["prediction"] += entry.values or [None] * n
    fixed["predictions"] += entry.many or [None] * n
    fixed["fallback"] += _at_rows([False] * n, ((row, True) for row in entry.fallback))
    fixed["warnings"] += _warnings(entry)
    fixed["error"] += _at_rows([""] * n, entry.errors)
    fixed["latency_ms"] += [entry.ms] * n
    fixed["propensity"] += entry.propensity if isinstance(entry.propensity, list) else [entry.propensity] * n
    fixed["weight"] += [entry.weight] * n


def _extend_many(fixed: dict[str, list[Any]], many: Many) -> None:
    n, lengths = many.n, many.lengths
    fixed["request_id"] += _each(many.ids, lengths)
    fixed["row"] += [row for length in lengths for row in range(length)]
    fixed["at"] += [many.at] * n
    fixed["time"] += many.time or [None] * n
    fixed["arm"] += [many.arm] * n
    fixed["role"] += [many.role] * n
    fixed["release"] += [many.release] * n
    fixed["key"] += many.key or [""] * n
    fixed["routing"] += _each(many.routing or many.ids, lengths)
    values = np.frombuffer(many.values, dtype="<f8")
    fixed["prediction"] += [None] * n if many.width else values.tolist()
    fixed["predictions"] += values.reshape(n, many.width).tolist() if many.width else [None] * n
    fixed["fallback"] += [False] * n
    fixed["warnings"] += _warnings(many)
    fixed["error"] += [""] * n
    fixed["latency_ms"] += _each(many.ms, lengths)
    fixed["propensity"] += [many.propensity] * n
    fixed["weight"] += [many.weight] * n


def _each(values: Sequence[Any], lengths: Sequence[int]) -> list[Any]:
    """The values, each as often as its request has rows."""
    return [value for value, length in zip(values, lengths, strict=True) for _ in range(length)]


def _at_rows(values: list[Any], changes: Iterable[tuple[int, Any]]) -> list[Any]:
    for row, value in changes:
        values[row] = value
    return values


def _warnings(entry: Entry | Many) -> list[str]:
    if not entry.warnings:
        return ["[]"] * entry.n
    told: dict[int, list[dict[str, Any]]] = {}
    names = entry.named or [""] * len(entry.warnings)
    for (row, pointer, code), name in zip(entry.warnings, names, strict=True):
        told.setdefault(row, []).append({"pointer": pointer, "code": code, "input": name})
    return _at_rows(["[]"] * entry.n, ((row, _encode(each).decode()) for row, each in told.items()))


_PLAIN = {"number": frozenset({float, type(None)}), "category": frozenset({str, type(None)})}
"""What Arrow takes as it is."""


def _wider(one: str, other: str) -> str:
    if one == other:
        return one
    return "number" if {one, other} == {"integer", "number"} else "category"


def _input(parts: list[tuple[int, Values]], kind: str, rows: int) -> pa.Array:
    """A column of so many rows, from the first row of each part and its values; null in between."""
    if kind == "number" and all(isinstance(values, np.ndarray) for _, values in parts):
        numbers = np.full(rows, np.nan)
        for first, values in parts:
            numbers[first : first + len(values)] = values
        return pa.array(numbers, from_pandas=True)
    found: list[Any] = [None] * rows
    for first, values in parts:
        if isinstance(values, np.ndarray):
            values = [None if value != value else value for value in values.tolist()]
        found[first : first + len(values)] = values
    return _column(found, kind)


def _column(values: list[Any], kind: str) -> pa.Array:
    if set(map(type, values)) <= _PLAIN.get(kind, frozenset()):
        return pa.array(values, TYPES[kind])
    if kind == "number":
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kind == "category":
        return pa.array([value if value is None or type(value) is str else str(value) for value in values], pa.string())
    return pa.array(values, TYPES[kind])
