"""Values of a request as typed columns: strict, coercing nothing that is not declared so, each fault with its row.

A column comes as a list (of JSON or Python values) or as an Arrow array (replayed history). It leaves as one Arrow array of
the input's type: number float64, integer int64, boolean bool, category string, timestamp timestamp[us, UTC], date date32.
A faulty or missing value is null in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.serve.refusal import MOST_FAULTS

TYPES: dict[str, pa.DataType] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}
Raw: TypeAlias = list[Any] | pa.Array | pa.ChunkedArray
_NONE = type(None)


@dataclass(frozen=True)
class Column:
    """A typed column and its faults: (row, code) where a value was refused, at most `MOST_FAULTS`; `coerced` are rows."""

    values: pa.Array
    faults: tuple[tuple[int, str], ...] = ()
    coerced: tuple[int, ...] = ()


class BadValue(ValueError):
    """One value is refused, with this code."""


def typed(raw: Raw, kind: str, *, coerce: bool = False) -> Column:
    """The values of `raw` as a column of an input's type `kind` (a key of `TYPES`); with `coerce`, texts are read too."""
    if not isinstance(raw, list):
        array = _from_arrow(raw, kind)
        if array is not None:
            return array
        raw = raw.to_pylist()
    kinds = set(map(type, raw))
    try:
        if kinds <= _PLAIN[kind]:
            return _finite(_PLAINLY[kind](raw))
    except (pa.ArrowException, OverflowError, ValueError):
        pass  # some value does not fit: find out which, one by one
    return _coerced(raw, kind) if coerce else _one_by_one(raw, _VALUE[kind], TYPES[kind])


_YEAR_1, _YEAR_10000 = -719_162, 2_932_897
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def outside_calendar(times: pa.ChunkedArray) -> list[int]:
    """Rows, at most `MOST_FAULTS`, of timestamps or dates that lie outside of the years 1 to 9999."""
    per_day = _PER_DAY[times.type.unit] if pa.types.is_timestamp(times.type) else 1
    numbers = times.cast(pa.int64() if pa.types.is_timestamp(times.type) else pa.int32())
    lowest, highest = max(_YEAR_1 * per_day, -(2**63)), min(_YEAR_10000 * per_day, 2**63) - 1
    wide = numbers.cast(pa.int64())
    outside = pc.or_(pc.less(wide, lowest), pc.greater(wide, highest))
    found = np.flatnonzero(pc.fill_null(outside, False).to_numpy(zero_copy_only=False))
    return [int(row) for row in found[:MOST_FAULTS]]


def absent(kind: str, rows: int) -> pa.Array:
    """A column that the request does not have: all null."""
    return pa.nulls(rows, TYPES[kind])


def _finite(array: pa.Array) -> Column:
    """NaN means missing (it cannot come by JSON); infinite values are faults."""
    if not pa.types.is_floating(array.type):
        return Column(array)
    nan = pc.is_nan(array)
    if pc.any(nan).as_py():
        array = pc.if_else(nan, pa.scalar(None, array.type), array)
    infinite = pc.fill_null(pc.is_inf(array), False)
    if not pc.any(infinite).as_py():
        return Column(array)
    rows = np.flatnonzero(infinite.to_numpy(zero_copy_only=False))
    return Column(
        pc.if_else(infinite, pa.scalar(None, array.type), array),
        tuple((int(row), "not_finite") for row in rows[:MOST_FAULTS]),
    )


def _from_arrow(raw: pa.Array | pa.ChunkedArray, kind: str) -> Column | None:
    """A column that has the right Arrow type already, or None when its values must be looked at one by one."""
    array = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    is_type = pa.types
    kept = array.type
    fits = {
        "number": is_type.is_floating(kept) or is_type.is_integer(kept),
        "integer": is_type.is_signed_integer(kept),
        "boolean": is_type.is_boolean(kept),
        "category": is_type.is_string(kept) or is_type.is_large_string(kept) or is_type.is_dictionary(kept),
        "timestamp": is_type.is_timestamp(kept),
        "date": is_type.is_date32(kept),
    }[kind] or is_type.is_null(kept)
    if not fits:
        return None
    if is_type.is_dictionary(kept) and not is_type.is_string(kept.value_type):
        return None
    return _finite(array.cast(TYPES[kind], safe=False)) if kind != "category" else _texts(array.cast(pa.string()))


def _texts(array: pa.Array) -> Column:
    refused = pc.fill_null(pc.match_substring(array, "\x00"), False)
    if not pc.any(refused).as_py():
        return Column(array)
    rows = np.flatnonzero(refused.to_numpy(zero_copy_only=False))
    nulled = pc.if_else(refused, pa.scalar(None, array.type), array)
    return Column(nulled, tuple((int(row), "invalid_string") for row in rows[:MOST_FAULTS]))


def _one_by_one(raw: Iterable[Any], value_of: Callable[[Any], Any], kind: pa.DataType) -> Column:
    values: list[Any] = []
    faults: list[tuple[int, str]] = []
    for row, value in enumerate(raw):
        try:
            values.append(None if value is None else value_of(value))
        except BadValue as bad:
            values.append(None)
            if len(faults) < MOST_FAULTS:
                faults.append((row, str(bad)))
    return Column(pa.array(values, kind), tuple(faults))


def _coerced(raw: list[Any], kind: str) -> Column:
    """A column whose values are first read as `_COERCED` says; rows in which that made another value of them are told."""
    read_as = _COERCED[kind]
    values = [read_as(value) for value in raw]
    column = _one_by_one(values, _VALUE[kind], TYPES[kind])
    wrong = {row for row, _ in column.faults}
    rows = tuple(row for row, value in enumerate(raw) if values[row] is not value and row not in wrong)
    return Column(column.values, column.faults, rows)


def _as_number(value: Any) -> Any:
    """A text that is a number as JSON writes them; nothing else: no blanks, separators, hexadecimals, NaN."""
    if type(value) is not str or len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return value
    return int(value) if value.lstrip("-").isdigit() else float(value)


def _as_boolean(value: Any) -> Any:
    """`"true"` and `"false"`, and the numbers 1 and 0."""
    if type(value) in (str, int, float):
        return _BOOLEANS.get(value, value)
    return value


def _as_text(value: Any) -> Any:
    """Whole numbers and booleans as JSON writes them; fractions not, for they have many spellings."""
    if type(value) is bool:
        return "true" if value else "false"
    return str(value) if type(value) is int and -(2**63) <= value < 2**63 else value


def _number(value: Any) -> float | None:
    if type(value) is float:
        if value in (np.inf, -np.inf):
            raise BadValue("not_finite")
        return value if value == value else None
    return float(_integer(value))


def _integer(value: Any) -> int:
    if type(value) is float:
        if value in (np.inf, -np.inf):
            raise BadValue("not_finite")
        if not value.is_integer():
            raise BadValue("wrong_type")
        value = int(value)
    if type(value) is not int:
        raise BadValue("wrong_type")
    if not -(2**63) <= value < 2**63:
        raise BadValue("out_of_bounds")
    return value


def _optional_integer(value: Any) -> int | None:
    return None if value != value else _integer(value)


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise BadValue("wrong_type")
    return value


def text_of(value: Any) -> str:
    """A text that a database can hold: no NUL, no lone surrogate."""
    if type(value) is not str:
        raise BadValue("wrong_type")
    if "\x00" in value or not _encodes(value):
        raise BadValue("invalid_string")
    return value


def is_text(value: Any) -> bool:
    """Whether `value` is a text that a database can hold."""
    try:
        text_of(value)
    except BadValue:
        return False
    return True


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _timestamp(value: Any) -> datetime:
    if type(value) is str:
        text_of(value)
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise BadValue("wrong_type") from None
    if not isinstance(value, datetime):
        raise BadValue("wrong_type")
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise BadValue("out_of_bounds") from None


def _date(value: Any) -> date:
    if type(value) is str:
        text_of(value)
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise BadValue("wrong_type") from None
    if type(value) is not date:
        raise BadValue("wrong_type")
    return value


def _plain_texts(raw: list[Any]) -> pa.Array:
    if any("\x00" in value for value in set(raw) if value is not None):
        raise ValueError("a text holds NUL")
    return pa.array(raw, pa.string())


def _plain_times(raw: list[Any]) -> pa.Array:
    parsed = {value: _timestamp(value) for value in set(raw) if value is not None}
    return pa.array([parsed.get(value) for value in raw], TYPES["timestamp"])


def _plain_dates(raw: list[Any]) -> pa.Array:
    parsed = {value: _date(value) for value in set(raw) if value is not None}
    return pa.array([parsed.get(value) for value in raw], TYPES["date"])


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 400
_BOOLEANS: dict[Any, bool] = {"true": True, "false": False, 1: True, 0: False}
_COERCED: dict[str, Callable[[Any], Any]] = {
    "number": _as_number,
    "integer": _as_number,
    "boolean": _as_boolean,
    "category": _as_text,
    "timestamp": lambda value: value,
    "date": lambda value: value,
}
_VALUE: dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "integer": _optional_integer,
    "boolean": _boolean,
    "category": text_of,
    "timestamp": _timestamp,
    "date": _date,
}
_PLAIN: dict[str, frozenset[type]] = {
    "number": frozenset({float, int, _NONE}),
    "integer": frozenset({int, _NONE}),
    "boolean": frozenset({bool, _NONE}),
    "category": frozenset({str, _NONE}),
    "timestamp": frozenset({datetime, str, _NONE}),
    "date": frozenset({date, str, _NONE}),
}
_PLAINLY: dict[str, Callable[[list[Any]], pa.Array]] = {
    "number": lambda raw: pa.array(raw, pa.float64()),
    "integer": lambda raw: pa.array(raw, pa.int64()),
    "boolean": lambda raw: pa.array(raw, pa.bool_()),
    "category": _plain_texts,
    "timestamp": _plain_times,
    "date": _plain_dates,
}
