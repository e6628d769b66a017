"""Keeps a table as a snapshot: what is new is appended, what changed is written anew, and nothing is written twice.

Rows are compared by DuckDB's hash of all their columns. A content is known by its columns, its number of rows, and the
sum and the exclusive or of the row hashes, which do not depend on the order of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from modelyard.data import duck
from modelyard.features.sql import identifier, identifiers, moment
from modelyard.records import Version
from modelyard.store.table import Table

_MANY_FILES = 64


@dataclass(frozen=True)
class Content:
    """What identifies a table's content."""

    columns: tuple[tuple[str, str], ...]
    rows: int
    sum: str
    xor: str

    def as_json(self) -> dict[str, Any]:
        """Columns in their order, and the marks of the rows."""
        return {
            "columns": [list(column) for column in self.columns],
            "rows": self.rows,
            "sum": self.sum,
            "xor": self.xor,
        }


def measure(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str], *, where: str = "TRUE"
) -> Content:
    """The content of those rows of a relation that satisfy `where` (SQL)."""
    found = duck.row(
        connection,
        f"SELECT count(*) AS n, coalesce(sum(h), 0)::VARCHAR AS s, coalesce(bit_xor(h), 0)::VARCHAR AS x"
        f" FROM (SELECT {_hash(columns)} AS h FROM {relation} WHERE {where})",
    )
    return Content(tuple(columns.items()), found["n"], found["s"], found["x"])


def keep(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    content: Content,
    *,
    table: Table,
    last: Version | None,
    time: str | None,
) -> int:
    """Write `relation` as the next version of `table` and return that version, `last` being the recorded one before.

    Safe to repeat after a crash: a table that is not at the recorded version holds rows that nobody recorded. If they
    are these very rows they stay, so that the version is the one of an undisturbed run; else they are written anew. So
    is a table to which somebody else wrote meanwhile.
    """
    every = f"SELECT * FROM {relation}"
    if last is None or not table.exists() or table.version() != last.body["table_version"]:
        written = table.version() if table.exists() else None
        if written is not None and _holds(table, written, content):
            return written
        return table.overwrite(duck.arrow(connection, every))
    recorded: int = last.body["table_version"]
    if last.body["content"] == content.as_json():
        return recorded
    added = _added(connection, relation, content, last, table, time)
    if added is None:
        return table.overwrite(duck.arrow(connection, every))
    version = table.append(duck.arrow(connection, added))
    if version != recorded + 1:
        return table.overwrite(duck.arrow(connection, every))
    return table.compact() if len(table.files()) > _MANY_FILES else version


def _holds(table: Table, version: int, content: Content) -> bool:
    """Whether a version of a table is this content; one without files is written anew."""
    if not table.files(version):
        return False
    rows = table.scan(version)
    # The connection of the build reaches only what its project declares, and files that are recorded.
    with duck.ask() as connection:
        columns = duck.columns(connection, rows)
        return tuple(columns.items()) == content.columns and measure(connection, rows, columns) == content


def _added(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    content: Content,
    last: Version,
    table: Table,
    time: str | None,
) -> str | None:
    """SQL of the rows that were not in the last snapshot; None when others of it are gone."""
    before: dict[str, Any] = last.body["content"]
    if before["columns"] != content.as_json()["columns"] or content.rows < before["rows"]:
        return None
    columns = dict(content.columns)
    if time is not None:
        # Most often the old rows stand as they were and new ones are later: then the old snapshot need not be read.
        seen = f"{identifier(time)} <= {moment(last.as_of)}"
        if measure(connection, relation, columns, where=seen).as_json() == before:
            return f"SELECT * FROM {relation} WHERE {identifier(time)} > {moment(last.as_of)}"
    return _not_in(connection, relation, columns, table.scan(last.body["table_version"]))


def _not_in(connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str], old: str) -> str | None:
    """As `_added`, by comparing row by row; of equal rows each counts."""
    qualified = identifiers(columns, "now")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE __old AS SELECT {_hash(columns)} AS h, count(*) AS n FROM {old} GROUP BY h"
    )
    counts = f"SELECT {_hash(columns)} AS h, count(*) AS n FROM {relation} GROUP BY h"
    gone = duck.row(
        connection,
        f"SELECT count(*) AS n FROM __old LEFT JOIN ({counts}) AS now USING (h) WHERE __old.n > coalesce(now.n, 0)",
    )
    if gone["n"]:
        return None
    hashed = f"SELECT *, {_hash(columns)} AS __h FROM {relation}"
    numbered = f"SELECT *, row_number() OVER (PARTITION BY __h) AS __i FROM ({hashed})"
    return (
        f"SELECT {qualified} FROM ({numbered}) AS now LEFT JOIN __old ON now.__h = __old.h"
        " WHERE now.__i > coalesce(__old.n, 0)"
    )


def _hash(columns: Mapping[str, str]) -> str:
    return f"hash({identifiers(columns)})"
