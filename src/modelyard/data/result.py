"""The result of a dataset's SQL or function, put in order: normal types, a time in UTC, nothing later than `as_of`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb

from modelyard.data import duck, kinds
from modelyard.data.sources import TIME
from modelyard.data.times import as_timestamp, keepable
from modelyard.errors import DataError
from modelyard.features.shape import Known
from modelyard.features.sql import identifier, moment

TABLE = "__result"
_TIME = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True)
class Result:
    """The result as the temporary table `__result`; `columns` name to DuckDB's type; `next`: the first row left out."""

    columns: dict[str, str]
    rows: int
    next: datetime | None
    warnings: tuple[str, ...]


def materialise(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    time: str | None,
    known_at: Iterable[Known],
    timezone: str,
    as_of: datetime,
    where: str,
) -> Result:
    """Evaluate `relation` (SQL) once, into the table `__result`, in its normal types.

    The columns `time` and those that say when others are known become timestamps: a date is its midnight, text is read
    with a warning, a time without zone is in `timezone`. Rows later than `as_of`, or without a time, are left out, the
    latter with a warning. DataError when a column is missing or is no time.
    """
    known_at = tuple(known_at)
    with duck.explained("the result cannot be computed", where=where):
        found = duck.columns(connection, relation)
        _check_names(found, time, known_at, where=where)
        warnings = _zoneless(found, timezone, where=where)
        times = {time: "time"} if time else {}
        times = {known.at: "known_at column" for known in known_at if known.at} | times
        columns = {name: _kept(kind, name in times) for name, kind in found.items()}
        select = ", ".join(
            f"{kinds.cast(identifier(name), kind, to=columns[name], timezone=timezone)} AS {identifier(name)}"
            for name, kind in found.items()
        )
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT {select} FROM {relation}")
        for name, role in times.items():
            _read_time(connection, columns, name, role=role, timezone=timezone, where=where, warnings=warnings)
        hidden = None
        if time:
            hidden = _cut(connection, time, as_of, where=where, warnings=warnings)
        rows = duck.row(connection, f"SELECT count(*) AS n FROM {TABLE}")["n"]
    return Result(columns, rows, hidden, tuple(warnings))


def _kept(kind: str, is_time: bool) -> str:
    """The type a column is kept in: a date that serves as a time becomes one."""
    return _TIME if is_time and kind == "DATE" else kinds.normal(kind)


def _check_names(found: dict[str, str], time: str | None, known_at: tuple[Known, ...], *, where: str) -> None:
    for name in found:
        if name.startswith("__") and name != TIME:
            raise DataError(
                f"the column name {name!r} begins with __, which is kept for columns of ours",
                where=where,
                hint="Rename it.",
            )
    for name in {column for known in known_at for column in known.columns}:
        if name not in found:
            raise DataError(
                f"known_at names {name!r}, which is no column", where=where, hint=f"There are {', '.join(found)}."
            )


def _zoneless(found: dict[str, str], timezone: str, *, where: str) -> list[str]:
    naive = [name for name, kind in found.items() if kinds.zoneless(kind)]
    return [f"{where}: {', '.join(naive)} without zone, read as {timezone}"] if naive else []


def _read_time(
    connection: duckdb.DuckDBPyConnection,
    columns: dict[str, str],
    name: str,
    *,
    role: str,
    timezone: str,
    where: str,
    warnings: list[str],
) -> None:
    """Make sure that a column of the result holds timestamps."""
    value = as_timestamp(connection, TABLE, columns, name, role=role, timezone=timezone, where=where, warnings=warnings)
    if columns[name] != _TIME:
        connection.execute(f"ALTER TABLE {TABLE} ALTER {identifier(name)} TYPE TIMESTAMPTZ USING {value}")
        columns[name] = _TIME


def _cut(
    connection: duckdb.DuckDBPyConnection, time: str, as_of: datetime, *, where: str, warnings: list[str]
) -> datetime | None:
    """Leave out rows without a time that can be kept, and those later than `as_of`; the time of the first of the latter."""
    column = identifier(time)
    dated, future = f"coalesce({keepable(column)}, FALSE)", f"{column} > {moment(as_of)}"
    undated = f"NOT {dated}"
    found = duck.row(
        connection,
        f"SELECT count_if({undated}) AS undated, min({column}) FILTER ({future} AND {dated}) AS next FROM {TABLE}",
    )
    hidden: datetime | None = found["next"]
    if found["undated"]:
        warnings.append(f"{where}: {found['undated']} rows without a {time} are left out")
    if found["undated"] or hidden:
        connection.execute(f"DELETE FROM {TABLE} WHERE {undated} OR {future}")
    return hidden
