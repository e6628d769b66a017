"""DuckDB connections of this room: in memory, in UTC, closed to the network, with errors turned into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelyard.errors import DataError
from modelyard.features.sql import text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@contextmanager
def connect(spill: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own; what does not fit in memory goes to the folder `spill`."""
    connection = duckdb.connect(":memory:", config=_OPTIONS)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        if spill is not None:
            connection.execute(f"SET temp_directory = {text(str(spill))}")
        yield connection
    finally:
        connection.close()


@contextmanager
def ask() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for a small question, to an instance that the process keeps: a new one takes longer to start.

    Not for SQL of a project: `shut` would close the instance for everybody.
    """
    with _instance().cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config=_OPTIONS)


def shut(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """Leave `files` as the only ones that SQL can reach: what a project reads, it declares."""
    # As a literal: a bound parameter would make DuckDB import pandas.
    # Both as it is called and as `scan` writes it: DuckDB compares before it takes a name for a pattern.
    allowed = dict.fromkeys(spelt for file in files for spelt in (text(file), named(file)))
    connection.execute(f"SET allowed_paths = [{', '.join(allowed)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def scan(paths: Iterable[str]) -> str:
    """SQL of the rows of Parquet files, whose names are no patterns and say nothing about the rows."""
    return f"read_parquet([{', '.join(map(named, paths))}], hive_partitioning = false)"


def named(path: str) -> str:
    """A file's name as a text literal that is no pattern."""
    return text(re.sub(r"([*?\[])", r"[\1]", path))


def arrow(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The result of a query as an Arrow table."""
    return connection.execute(sql).to_arrow_table()


def row(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """The only row of a query's result, by column name."""
    return dicts(connection, sql)[0]


def dicts(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """The rows of a small result, by column name; times are aware and in UTC."""
    table = arrow(connection, sql)
    columns = [_values(column) for column in table.columns]
    return [dict(zip(table.column_names, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Arrow, as DuckDB, imports pandas to hand out a time with a zone: most of a second.
        micros = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
        return [None if one is None else EPOCH + timedelta(microseconds=one) for one in micros]
    values = column.to_pylist()
    if pa.types.is_decimal(kind) and kind.scale == 0:  # counts and sums of whole numbers
        return [None if one is None else int(one) for one in values]
    return list(values)


def columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a relation (SQL that may follow FROM), name to DuckDB's type."""
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


@contextmanager
def explained(what: str, *, where: str, hint: str | None = None) -> Iterator[None]:
    """Turn an error of DuckDB into a DataError: "`what` failed: ..."."""
    try:
        yield
    except duckdb.Error as error:
        raise DataError(f"{what}: {sentence(error)}", where=where, hint=hint) from error


def sentence(error: duckdb.Error) -> str:
    """What DuckDB says, in one line, without its kind, its stack and its drawing of the SQL."""
    said = str(error).split("\nLINE ")[0].split("\n\n")[0]
    said = re.sub(r"^[A-Z][A-Za-z -]* Error: ", "", said)
    return re.sub(r"\s+", " ", said).strip().rstrip("!.") + "."
