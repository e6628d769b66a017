"""Sources as SQL sees them: the rows and values that were known at a time, in the types that every room knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from modelyard.data import clocks, duck, kinds
from modelyard.data.files import File, Union, open_file, unite
from modelyard.data.times import as_timestamp, keepable, moment
from modelyard.errors import DataError
from modelyard.features.shape import Known, known_since, later_columns
from modelyard.features.sql import identifier
from modelyard.features.sql import moment as literal
from modelyard.spec.load import Project
from modelyard.spec.sources import Files, stat
from modelyard.spec.tables import Source, TimeSql

TIME = "__time"


@dataclass(frozen=True)
class Opened:
    """A source at a time: `relation` is SQL of its visible rows, `timed` the same with the column `__time`.

    `time` names the column with the rows' time ("__time" when it is computed), None without one. `facts` is what a
    version records about it: digest, files, rows, time_max and next (the first hidden row), ISO; `newest` is time_max.
    """

    name: str
    relation: str
    timed: str
    columns: dict[str, str]
    time: str | None
    known_at: tuple[Known, ...]
    files: tuple[str, ...]
    facts: dict[str, Any]
    newest: datetime | None
    warnings: tuple[str, ...]


def open_source(
    connection: duckdb.DuckDBPyConnection, project: Project, name: str, *, as_of: datetime, cache: Path
) -> Opened:
    """Open the files of a source as known at `as_of`: rows up to that time, later-known columns null while unknown.

    CSV files are parsed once into `cache`. DataError names the file, what is wrong and what to do.
    """
    source, where = project.spec.sources[name], f"source {name}"
    source_files, files, union, time, warnings = read_together(connection, project, name, as_of=as_of, cache=cache)
    known_at = tuple(Known.declared(known) for known in source.known_at)
    select, since = _masked(connection, union, source, known_at, time, as_of=as_of, where=where, warnings=warnings)
    visible = f" WHERE {TIME} <= {literal(as_of)}" if time else ""
    inner = f"(SELECT *, {time} AS {TIME} FROM {union.relation})" if time else union.relation
    relation = f"(SELECT {select} FROM {inner}{visible})"
    timed = f"(SELECT {select}, {TIME} FROM {inner}{visible})" if time else relation
    dated = inner if time else None
    rows, newest, hidden = _extent(connection, timed, dated, as_of=as_of, where=where, warnings=warnings)
    warnings += _odd_clocks(connection, files, union, source, as_of=as_of, where=where)
    named = source.time if isinstance(source.time, str) else TIME
    return Opened(
        name=name,
        relation=relation,
        timed=timed,
        columns=union.columns | since,
        time=named if time else None,
        known_at=known_at,
        files=tuple(file.readable for file in files),
        facts={
            "digest": source_files.digest,
            "files": [file.name for file in files],
            "rows": rows,
            "time_max": newest.isoformat() if newest else None,
            "next": hidden.isoformat() if hidden else None,
        },
        newest=newest,
        warnings=tuple(warnings),
    )


def listed(project: Project, name: str) -> Files:
    """The files of a source."""
    try:
        return stat(project.data, project.spec.sources[name])
    except DataError as error:
        raise DataError(error.message, where=f"source {name}", hint=error.hint) from error


def read_together(
    connection: duckdb.DuckDBPyConnection, project: Project, name: str, *, as_of: datetime, cache: Path
) -> tuple[Files, list[File], Union, str | None, list[str]]:
    """A source's files as listed and as read, all of them as one relation, SQL of its rows' time, and warnings."""
    source, where = project.spec.sources[name], f"source {name}"
    found = listed(project, name)
    files = [open_file(connection, Path(path), source, cache=cache, where=where) for path in found.paths]
    _check_rows(connection, files, where=where)
    union, files = _visible_union(connection, files, source, as_of=as_of, where=where)
    warnings = list(union.warnings)
    return found, files, union, _time(connection, union, source, where=where, warnings=warnings), warnings


def _check_rows(connection: duckdb.DuckDBPyConnection, files: Sequence[File], *, where: str) -> None:
    """DataError when no file has a row: without one, nobody can tell what the columns hold."""
    if all(duck.row(connection, f"SELECT count(*) AS n FROM {file.relation}")["n"] == 0 for file in files):
        what = "the file has columns, and no row" if len(files) == 1 else f"{len(files)} files, and no row in any"
        raise DataError(what, where=where if len(files) > 1 else files[0].label, hint="Write its rows.")


def _visible_union(
    connection: duckdb.DuckDBPyConnection, files: list[File], source: Source, *, as_of: datetime, where: str
) -> tuple[Union, list[File]]:
    """All files read together; when their columns cannot be reconciled, without those that are of the future."""
    try:
        return unite(connection, files, source, where=where), files
    except DataError:
        known = [file for file in files if not _is_future(connection, file, source, as_of=as_of)]
        if not known or len(known) == len(files):
            raise
        return unite(connection, known, source, where=where), known


def _is_future(connection: duckdb.DuckDBPyConnection, file: File, source: Source, *, as_of: datetime) -> bool:
    """Whether every row of a file is later than `as_of`; False when that cannot be told."""
    try:
        alone = unite(connection, [file], source, where=file.label)
        time = _time(connection, alone, source, where=file.label, warnings=[])
        if time is None:
            return False
        found = duck.row(connection, f"SELECT min({time}) > {literal(as_of)} AS future FROM {alone.relation}")
        return bool(found["future"])
    except (DataError, duckdb.Error):
        return False


def _time(
    connection: duckdb.DuckDBPyConnection, union: Union, source: Source, *, where: str, warnings: list[str]
) -> str | None:
    """SQL of the rows' time, None when none is declared; null in a row whose time cannot be kept."""
    if source.time is None:
        return None
    if isinstance(source.time, str):
        time = as_timestamp(
            connection,
            union.relation,
            union.columns,
            source.time,
            role="time",
            timezone=source.timezone,
            where=where,
            warnings=warnings,
        )
    else:
        time = _computed(connection, union, source.time, source.timezone, where=where)
    return f"CASE WHEN {keepable(time)} THEN {time} END"


def _computed(connection: duckdb.DuckDBPyConnection, union: Union, time: TimeSql, timezone: str, *, where: str) -> str:
    with duck.explained("time.sql cannot be computed", where=where, hint=f"There are {', '.join(union.columns)}."):
        kind = duck.columns(connection, f"(SELECT ({time.sql}) AS t FROM {union.relation})")["t"]
    return moment(f"({time.sql})", kind, role="time", timezone=timezone, where=where)


def _odd_clocks(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[File],
    union: Union,
    source: Source,
    *,
    as_of: datetime,
    where: str,
) -> list[str]:
    """Warnings about the rows' times, where they say no zone, around the beginning and the end of summer time."""
    time = source.time
    if isinstance(time, str):
        name, read = time, [f"SELECT {identifier(time)} AS t FROM {f.relation}" for f in files if _naive(f, time)]
    elif time is not None:
        name, computed = "time.sql", f"(SELECT ({time.sql}) AS t FROM {union.relation})"
        read = [f"SELECT t FROM {computed}"] if kinds.zoneless(duck.columns(connection, computed)["t"]) else []
    if time is None or not read:
        return []
    naive = " UNION ALL ".join(read)
    return clocks.warnings(connection, naive, name=name, timezone=source.timezone, as_of=as_of, where=where)


def _naive(file: File, column: str) -> bool:
    return kinds.zoneless(file.columns.get(column, ""))


def _masked(
    connection: duckdb.DuckDBPyConnection,
    union: Union,
    source: Source,
    known_at: tuple[Known, ...],
    time: str | None,
    *,
    as_of: datetime,
    where: str,
    warnings: list[str],
) -> tuple[str, dict[str, str]]:
    """The SELECT list: every column, the time as a timestamp, later-known values null while unknown at `as_of`.

    Also gives the columns whose type this changes.
    """
    later = later_columns(known_at)
    for column in sorted(later - set(union.columns)):
        raise DataError(f"known_at names {column!r}, which is no column", where=where, hint=_there(union.columns))
    times = {known.at for known in known_at if known.at}
    values: dict[str, str] = {}
    for at in sorted(times):
        values[at] = as_timestamp(
            connection,
            union.relation,
            union.columns,
            at,
            role="known_at column",
            timezone=source.timezone,
            where=where,
            warnings=warnings,
        )
    if isinstance(source.time, str) and union.columns[source.time] == "VARCHAR":
        values[source.time] = TIME
    parts = []
    for column in union.columns:
        name = identifier(column)
        value = values.get(column, name)
        since = known_since(column, known_at, time=TIME if time else None) if column in later else None
        for at in times:
            since = values[at] if since == identifier(at) else since
        masked = value if since is None else f"CASE WHEN {since} <= {literal(as_of)} THEN {value} END"
        parts.append(name if masked == name else f"{masked} AS {name}")
    return ", ".join(parts), dict.fromkeys(values, "TIMESTAMP WITH TIME ZONE")


def _extent(
    connection: duckdb.DuckDBPyConnection,
    timed: str,
    dated: str | None,
    *,
    as_of: datetime,
    where: str,
    warnings: list[str],
) -> tuple[int, datetime | None, datetime | None]:
    """How many rows are visible, the time of the newest, and of the first that is not visible yet.

    `dated` are all rows with their time, if they have one.
    """
    with duck.explained("the rows cannot be read", where=where, hint="Look at `types`, `time` and `known_at`."):
        if dated is None:
            return duck.row(connection, f"SELECT count(*) AS n FROM {timed}")["n"], None, None
        found = duck.row(connection, f"SELECT count(*) AS n, max({TIME}) AS newest FROM {timed}")
        others = duck.row(
            connection,
            f"SELECT count(*) - count({TIME}) AS gone, min({TIME}) FILTER ({TIME} > {literal(as_of)}) AS next FROM {dated}",
        )
    if others["gone"]:
        warnings.append(f"{where}: {others['gone']} rows without a time are left out")
    return found["n"], found["newest"], others["next"]


def _there(columns: Mapping[str, str]) -> str:
    return f"There are {', '.join(columns)}."
