"""Types of columns: DuckDB's many become the few that every room knows."""

from __future__ import annotations

import re

from modelyard.features.sql import text

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_NUMBERS = {"FLOAT", "DOUBLE", "HUGEINT", "UHUGEINT", "BIGNUM", '"NULL"', "NULL"}
_ZONELESS = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_ZONED = "TIMESTAMP WITH TIME ZONE"
_KINDS = {
    "BOOLEAN": "boolean",
    "BIGINT": "integer",
    "DOUBLE": "number",
    "VARCHAR": "string",
    "DATE": "date",
    _ZONED: "timestamp",
}


def normal(kind: str) -> str:
    """The type that a column of DuckDB's type `kind` is kept as.

    Integers become BIGINT; floats, decimals, huge integers and columns without any value DOUBLE; timestamps
    TIMESTAMP WITH TIME ZONE; lists stay; booleans, dates and text too; all else becomes text.

    >>> normal("DECIMAL(5,2)"), normal("UINTEGER"), normal("ENUM('a', 'b')"), normal("INTEGER[]")
    ('DOUBLE', 'BIGINT', 'VARCHAR', 'INTEGER[]')
    """
    if kind in _INTEGERS:
        return "BIGINT"
    if kind in _NUMBERS or kind.startswith("DECIMAL"):
        return "DOUBLE"
    if zoneless(kind) or kind == _ZONED:
        return _ZONED
    if kind in ("BOOLEAN", "DATE") or is_list(kind):
        return kind
    return "VARCHAR"


def zoneless(kind: str) -> bool:
    """Whether it is a timestamp that does not say in which zone."""
    return kind in _ZONELESS


def is_list(kind: str) -> bool:
    """Whether it is a list or an array."""
    return re.search(r"\[\d*\]$", kind) is not None


def shown(kind: str) -> str:
    """The name of a normal type in records and messages: string, integer, number, boolean, timestamp, date, list."""
    return "list" if is_list(kind) else _KINDS[normal(kind)]


def cast(value: str, kind: str, *, to: str | None = None, timezone: str = "UTC") -> str:
    """SQL that turns `value` (SQL of DuckDB's type `kind`) into its normal type, or into `to`.

    A timestamp without zone is read in `timezone`.
    """
    to = to or normal(kind)
    if zoneless(kind) and to == _ZONED:
        return f"CAST({value} AS TIMESTAMP) AT TIME ZONE {text(timezone)}"
    if kind == "DATE" and to == _ZONED:
        return f"CAST({value} AS TIMESTAMP) AT TIME ZONE {text(timezone)}"
    return value if kind == to else f"CAST({value} AS {to})"


def unified(one: str, other: str) -> str | None:
    """The type that holds the values of both, or None: int and float meet in float, date and timestamp in timestamp.

    >>> unified("INTEGER", "DOUBLE"), unified('"NULL"', "VARCHAR"), unified("VARCHAR", "BIGINT")
    ('DOUBLE', 'VARCHAR', None)
    """
    if one in ('"NULL"', "NULL"):
        return other
    if other in ('"NULL"', "NULL"):
        return one
    pair = {normal(one), normal(other)}
    if len(pair) == 1:
        # A zone in one of two timestamps is kept: each file is read by its own.
        return normal(one)
    if pair == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    if pair == {"DATE", _ZONED}:
        return _ZONED
    return None
