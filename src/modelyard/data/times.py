"""A declared time: from a timestamp, a date or text, to a timestamp in UTC."""

from __future__ import annotations

from difflib import get_close_matches

import duckdb

from modelyard.data import duck, kinds
from modelyard.errors import DataError
from modelyard.features.sql import identifier

_TIME = "TIMESTAMP WITH TIME ZONE"
_ZONED = r"'[0-9] ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'"


def as_timestamp(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: dict[str, str],
    name: str,
    *,
    role: str,
    timezone: str,
    where: str,
    warnings: list[str],
) -> str:
    """SQL of the column `name` of `relation` as a timestamp in UTC; a date is its midnight.

    Text is accepted when every value can be read, with a warning; a time without zone is read in `timezone`. `role`
    names in messages what the column is for. DataError for an unknown column or values that are no times.
    """
    kind = columns.get(name)
    if kind is None:
        near = get_close_matches(name, list(columns), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(columns)}."
        raise DataError(f"there is no column {name!r} to be the {role}", where=where, hint=hint)
    if kind != "VARCHAR":
        return moment(identifier(name), kind, role=f"{role} {name!r}", timezone=timezone, where=where)
    value = read_text(identifier(name), timezone)
    sql = f"SELECT count({identifier(name)}) - count({value}) AS bad FROM {relation}"
    with duck.explained(f"the {role} cannot be read", where=where):
        bad = duck.row(connection, sql)["bad"]
    if bad:
        raise DataError(
            f"{bad} values of the {role} {name!r} are text that is no time",
            where=where,
            hint=f"Read it with strptime({name}, '%d/%m/%Y') or another format, in SQL.",
        )
    warnings.append(f"{where}: the {role} {name!r} is text, read as timestamps")
    return value


def keepable(value: str) -> str:
    """SQL: whether a timestamp is one that Python, and so every room, can hold: no infinity, no year 10000."""
    return f"{value} BETWEEN TIMESTAMPTZ '0001-01-02 00:00:00+00' AND TIMESTAMPTZ '9999-12-30 00:00:00+00'"


def moment(value: str, kind: str, *, role: str, timezone: str, where: str) -> str:
    """SQL that makes a timestamp of `value` (SQL of DuckDB's type `kind`); DataError when that is no time."""
    if kind == "DATE":
        return kinds.cast(value, kind, to=_TIME)
    if kinds.normal(kind) == _TIME:
        return kinds.cast(value, kind, timezone=timezone)
    raise DataError(
        f"the {role} is {kinds.shown(kind)}, not a timestamp",
        where=where,
        hint="Make one in SQL: make_date(y, m, d), strptime(text, format), to_timestamp(seconds).",
    )


def read_text(value: str, timezone: str) -> str:
    """SQL that reads text (SQL) as a timestamp, by the zone it names or else in `timezone`; null when it is none."""
    naive = kinds.cast(f"TRY_CAST({value} AS TIMESTAMP)", "TIMESTAMP", timezone=timezone)
    return f"CASE WHEN regexp_matches({value}, {_ZONED}) THEN TRY_CAST({value} AS TIMESTAMPTZ) ELSE {naive} END"
