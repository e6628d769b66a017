"""How ordinary requests of one board are read: by a decoder made for its columns, straight into a matrix.

Ordinary is what the input policy refuses nothing of and fills nothing into: each value there and of its type, within the
declared bounds. What lies outside the range of training, or is of a category that training had not, is ordinary where the
policy warns of it (or clips it). `Layout.read` gives None for a body that is anything else; the pipeline then reads it with
care and says what is wrong with it, or what was made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from types import GenericAlias
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET

from modelyard.serve.board import Board
from modelyard.serve.columns import TYPES
from modelyard.serve.policy import Rule

_LARGEST = float(np.finfo(np.float64).max)
_UNSET = msgspec.UnsetType
_Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_DECODED: dict[str, Any] = {"number": float, "integer": _Whole, "boolean": bool, "category": str}
Rows: TypeAlias = "list[tuple[Any, ...]] | np.ndarray"


@dataclass(frozen=True)
class Screen:
    """What is ordinary for one release: which inputs may be missing, and the rules of the others, by place.

    `low` and `high`: within them nothing is to be told about a number; `measured`, `texts`: the rules of the inputs.
    """

    low: np.ndarray
    high: np.ndarray
    needed: np.ndarray
    measured: tuple[Rule, ...]
    texts: tuple[Rule, ...]

    def look(self, measured: np.ndarray, texts: list[tuple[Any, ...]]) -> Passed:
        """What is ordinary, and what is told of it; `texts` has the values of each category, in the order of the layout."""
        inside = (measured >= self.low) & (measured <= self.high) | np.isnan(measured) & ~self.needed
        passed = Passed(np.ones(len(measured), dtype=bool), measured)
        if not inside.all():
            for place in np.flatnonzero(~inside.all(axis=0)).tolist():
                self._outside(passed, place, np.flatnonzero(~inside[:, place]))
        for rule, values in zip(self.texts, texts, strict=True):
            if rule.known is None:
                passed.fine &= [_sound(each) for each in values]
            elif not rule.known.issuperset(values):
                self._strange(passed, rule, values)
        return passed

    def _outside(self, passed: Passed, place: int, rows: np.ndarray) -> None:
        """Numbers that are missing, or out of range or bounds."""
        rule, values = self.measured[place], passed.measured[rows, place]
        low, high = _ends(rule.low, rule.high)
        least, most = _ends(rule.least, rule.most)
        told = (values >= least) & (values <= most)
        if rule.out_of_range not in ("warn", "clip"):
            told[:] = False
        passed.fine[rows[~told]] = False
        if rule.out_of_range == "clip":
            if not passed.own:
                passed.measured, passed.own = passed.measured.copy(), True
            passed.measured[rows[told], place] = np.clip(values[told], low, high)
        passed.tell(rows[told], rule, "out_of_range", rule.out_of_range)

    def _strange(self, passed: Passed, rule: Rule, values: tuple[Any, ...]) -> None:
        """Categories that training had not."""
        assert rule.known is not None
        rows = [row for row, value in enumerate(values) if value not in rule.known]
        told = [row for row in rows if rule.unknown == "accept" and _sound(values[row])]
        passed.fine[[row for row in rows if row not in set(told)]] = False
        passed.tell(np.array(told, dtype=np.intp), rule, "unknown_category", "accept")


def _ends(low: float | None, high: float | None) -> tuple[float, float]:
    return (-_LARGEST if low is None else low), (_LARGEST if high is None else high)


@dataclass
class Passed:
    """Rows after a look: which are ordinary, their numbers as the policy leaves them, and (input, code, action) by row."""

    fine: np.ndarray
    measured: np.ndarray
    told: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)
    own: bool = False

    def tell(self, rows: np.ndarray, rule: Rule, code: str, action: str) -> None:
        """Note something about rows of an input."""
        for row in rows.tolist():
            self.told.setdefault(row, []).append((rule.name, code, action))


def _sound(text: str) -> bool:
    return "\x00" not in text


class Layout:
    """The decoder of a board, and where its columns lie: `measured` (numbers, integers, booleans) and `texts`."""

    def __init__(self, board: Board) -> None:
        inputs = board.first().inputs
        carried = _carried(board)
        self.inputs = dict(inputs)
        self.measured = [name for name, kind in inputs.items() if kind != "category"]
        self.texts = [name for name, kind in inputs.items() if kind == "category"]
        self.carried = list(carried)
        self.screens = {digest: _screen(board, digest, self) for digest in board.loaded}
        self.most = board.promise.max_rows
        optional = {name for name in self.measured if not all(_needed(board, digest, name) for digest in board.loaded)}
        names = [*self.measured, *self.texts]
        fields: list[Any] = []
        for place, name in enumerate(names):
            kind = _DECODED[inputs[name]]
            fields.append((f"f{place}", kind | None | _UNSET, UNSET) if name in optional else (f"f{place}", kind))
        fields += [(f"c{place}", kind | None | _UNSET, UNSET) for place, kind in enumerate(carried.values())]
        fields.sort(key=len)
        renamed = {f"f{place}": name for place, name in enumerate(names)}
        renamed |= {f"c{place}": name for place, name in enumerate(carried)}
        self._optional = bool(optional or carried)
        self._keys = len(names) + len(carried)
        order = [each[0] for each in fields]
        row = msgspec.defstruct("Row", fields, rename=renamed, forbid_unknown_fields=True, gc=False)
        body = msgspec.defstruct("Body", [("rows", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type]
        self._rows = msgspec.json.Decoder(body).decode
        # The struct has required fields first: this brings a row into measured, texts, carried.
        wanted = [f"f{place}" for place in range(len(names))] + [f"c{place}" for place in range(len(carried))]
        places = [order.index(each) for each in wanted]
        self._order = None if places == sorted(places) else itemgetter(*places)
        lists = [(f"f{place}", GenericAlias(list, (_DECODED[inputs[name]],))) for place, name in enumerate(names)]
        table = msgspec.defstruct("Columns", lists, rename=renamed, forbid_unknown_fields=True)
        whole = msgspec.defstruct("Table", [("columns", table)], forbid_unknown_fields=True)
        self._columns = msgspec.json.Decoder(whole).decode

    @classmethod
    def of(cls, board: Board) -> Layout | None:
        """The layout of a board, or None when its requests are never ordinary: each must be looked at by itself."""
        releases = [each.served for each in board.loaded.values()]
        table = board.table
        plain = table.route_by is None and table.segment is None and not board.companions
        same = all(each.inputs == releases[0].inputs for each in releases)
        kinds = {*releases[0].inputs.values()} <= _DECODED.keys() if same else False
        normal = all(getattr(rule, "normalize", None) is None for rule in board.promise.inputs.values())
        return cls(board) if plain and same and kinds and normal and len(releases[0].inputs) else None

    def read(self, body: bytes) -> Rows | None:
        """The rows of an ordinary body as tuples (measured, texts, carried), or, for columns of numbers, a matrix."""
        if b"\\" in body:
            return None
        try:
            found: Any = self._rows(body)
        except msgspec.ValidationError:
            return self._table(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        rows = list(map(msgspec.structs.astuple, found.rows))
        if not 0 < len(rows) <= self.most:
            return None
        keys = 1 + len(rows) * self._keys
        if self._optional:
            keys -= sum(row.count(UNSET) for row in rows)
            rows = [tuple(None if value is UNSET else value for value in row) for row in rows]
        if body.count(b":") != keys:
            # A key that comes twice is no ordinary body; a colon within a text is.
            keys += sum(value.count(":") for row in rows for value in row if type(value) is str)
            if body.count(b":") != keys:
                return None
        return rows if self._order is None else list(map(self._order, rows))

    def _table(self, body: bytes) -> np.ndarray | None:
        if self.texts:
            return None
        try:
            found: Any = self._columns(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        columns = msgspec.structs.astuple(found.columns)
        count = len(columns[0])
        if not 0 < count <= self.most or any(len(each) != count for each in columns):
            return None
        if body.count(b":") != 1 + len(columns):
            return None
        flat = np.fromiter(chain.from_iterable(columns), np.float64, count * len(columns))
        return flat.reshape(len(columns), count).T


def _carried(board: Board) -> dict[str, Any]:
    """The dataset's key and time, which a row may carry and which are no inputs: name to what they are decoded as."""
    found: dict[str, Any] = {}
    for each in board.loaded.values():
        for name, kind in each.served.key.items():
            found.setdefault(name, _DECODED.get(kind, str))
        if each.served.time:
            found[each.served.time] = str
    return {name: kind for name, kind in found.items() if name not in board.first().inputs}


def _needed(board: Board, digest: str, name: str) -> bool:
    rule = board.promise.inputs.get(name)
    declared = rule.missing if rule is not None else None
    known = next(each for each in board.loaded[digest].served.signature["inputs"] if each["name"] == name)
    return declared != "keep" if declared is not None else not known.get("nullable")


def _screen(board: Board, digest: str, layout: Layout) -> Screen:
    known: Mapping[str, Any] = {each["name"]: each for each in board.loaded[digest].served.signature["inputs"]}
    rules = {rule.name: rule for rule in board.loaded[digest].policy.rules}
    bounds = [_bounds(known[name], board.promise.inputs.get(name)) for name in layout.measured]
    low, high = np.array([each[0] for each in bounds]), np.array([each[1] for each in bounds])
    needed = np.array([_needed(board, digest, name) for name in layout.measured], dtype=bool)
    measured, texts = (tuple(rules[name] for name in names) for names in (layout.measured, layout.texts))
    return Screen(low, high, needed, measured, texts)


def _bounds(known: Mapping[str, Any], rule: Any) -> tuple[float, float]:
    measured = known["type"] in ("number", "integer")
    declared = (rule.min, rule.max) if rule is not None and measured else (None, None)
    seen = (known.get("min"), known.get("max")) if measured else (None, None)
    lows = [float(each) for each in (declared[0], seen[0]) if each is not None]
    highs = [float(each) for each in (declared[1], seen[1]) if each is not None]
    return max(lows, default=-_LARGEST), min(highs, default=_LARGEST)


def table(layout: Layout, measured: np.ndarray, texts: list[tuple[Any, ...]]) -> pa.Table:
    """Rows as the table that models take; NaN is missing."""
    columns: dict[str, pa.Array] = {}
    where = {name: place for place, name in enumerate(layout.measured)}
    strings = {name: place for place, name in enumerate(layout.texts)}
    for name, kind in layout.inputs.items():
        if kind == "category":
            columns[name] = pa.array(texts[strings[name]], pa.string())
            continue
        values = measured[:, where[name]]
        missing = np.isnan(values)
        if kind == "number":
            columns[name] = pa.array(values, pa.float64(), mask=missing if missing.any() else None)
        else:
            whole = np.where(missing, 0, values)
            exact = whole.astype(np.int64) if kind == "integer" else whole.astype(bool)
            columns[name] = pa.array(exact, TYPES[kind], mask=missing)
    return pa.table(columns)
