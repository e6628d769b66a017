"""The prediction log as memory: what was answered in a window of time, with the labels that were known by a moment.

Predictions are rows of the Delta table `predictions/NAME` (written by serve), labels are records. DuckDB joins them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.store import duck, labels, recent
from modelyard.store.logged import COLUMNS
from modelyard.store.store import Store
from modelyard.store.table import Within

__all__ = ["COLUMNS", "answers", "of_request", "rows_of_keys", "rows_of_requests", "window"]


def window(
    store: Store,
    deployment: str,
    *,
    start: datetime,
    end: datetime,
    columns: Sequence[str] | None = None,
    role: str | None = None,
    labelled: bool = False,
    known_by: datetime | None = None,
) -> pa.Table:
    """The logged rows of `deployment` with `at` in [start, end), ordered by time, request and row.

    `role`: answer, shadow or forced; all by default.

    `columns`: which of them (`request_id`, …, `in.NAME`; all by default; one that the table does not have is left out).
    Beside them always `label` (double: the number, or 0/1 for a binary target; string: the class of a multiclass one;
    null while unknown), `label_time` and `label_received`: the latest correction that had been received, and whose time
    had come, by `known_by` (default: all). `labelled` keeps only rows with a label.
    """
    asked = start, end, columns, role, labelled, known_by
    near = recent.of(store, deployment, COLUMNS)
    with near.lock:
        if near.hold(store, deployment, start, end):
            fixed = columns is not None and set(columns) <= set(COLUMNS.names)
            source = "kept" if fixed else _source(near.connection, store, deployment, ("at", start, end))
            return _joined(near.connection, source, *asked)
    with duck.connect() as connection:
        # Rows are moved in the order of their time, so a window lies in few of the table's files.
        source = _source(connection, store, deployment, ("at", start, end))
        connection.execute(
            f'CREATE TEMP TABLE found AS FROM {source} WHERE "at" >= $1 AND "at" < $2 AND ($3 IS NULL OR role = $3)',
            [start, end, role],
        )
        ids, keys = (recent.few(connection, "found", column) for column in ("request_id", "key"))
        connection.register("labels", labels.of(store, deployment, ids, keys))
        return _joined(connection, "found", *asked)


def _joined(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    start: datetime,
    end: datetime,
    columns: Sequence[str] | None,
    role: str | None,
    labelled: bool,
    known_by: datetime | None,
) -> pa.Table:
    """Rows of `source` with their latest label in the connection's table `labels`."""
    wanted = _there(connection, source, columns)
    needed = dict.fromkeys([*wanted, "request_id", "row", "key", "at", "role"])
    question = _JOINED.format(
        source=source,
        needed=_listed(needed),
        columns="".join(f"{_listed([name], of='found.')}, " for name in wanted),
        own=_OWN,
        only=_ONLY if labelled else "",
    )
    return _typed(_table(connection.execute(question, [start, end, role, known_by])))


def _there(connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str] | None) -> list[str]:
    """Those of some columns (None: of any) that a source has."""
    there = [each[0] for each in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
    return there if columns is None else [name for name in columns if name in there]


def answers(store: Store, deployment: str, *, start: datetime, end: datetime, columns: Sequence[str]) -> pa.Table:
    """The answered rows with `at` in [start, end) in order of time, without labels; columns not there are left out."""
    with duck.connect() as connection:
        source = _source(connection, store, deployment, ("at", start, end))
        question = (
            f"SELECT {_listed(_there(connection, source, columns))} FROM {source} "
            'WHERE "at" >= $1 AND "at" < $2 AND role = \'answer\' ORDER BY "at", request_id, "row"'
        )
        return _table(connection.execute(question, [start, end]))


def of_request(store: Store, deployment: str, request_id: str) -> pa.Table:
    """The answered rows of one request, ordered by row."""
    with duck.connect() as connection:
        return _table(
            connection.execute(
                f"SELECT * FROM {_source(connection, store, deployment)} "
                "WHERE request_id = ? AND role <> 'shadow' AND coalesce(prediction, predictions[1]) IS NOT NULL ORDER BY \"row\"",
                [request_id],
            )
        )


def rows_of_requests(store: Store, deployment: str, request_ids: Sequence[str]) -> dict[str, int]:
    """How many rows each of these requests has in the table; requests that are not there are left out."""
    return _counted(store, deployment, "request_id", request_ids)


def rows_of_keys(store: Store, deployment: str, keys: Sequence[str]) -> dict[str, int]:
    """How many answered rows each of these keys (canonical JSON) has in the table; others are left out."""
    return _counted(store, deployment, "key", keys)


def _counted(store: Store, deployment: str, column: str, wanted: Sequence[str]) -> dict[str, int]:
    if not wanted or not store.table(f"predictions/{deployment}").exists():
        return {}
    counted = 'max("row") + 1' if column == "request_id" else "count(*)"
    with duck.connect() as connection:
        connection.register("wanted", pa.table({"name": pa.array(wanted, pa.string())}))
        rows = connection.execute(
            f"SELECT {column}, {counted} FROM {_source(connection, store, deployment)} "
            f"WHERE role <> 'shadow' AND {column} IN (SELECT name FROM wanted) GROUP BY 1"
        ).fetchall()
    return dict(rows)


def _table(result: duckdb.DuckDBPyConnection) -> pa.Table:
    return result.to_arrow_table()


def _source(connection: duckdb.DuckDBPyConnection, store: Store, deployment: str, within: Within | None = None) -> str:
    table = store.table(f"predictions/{deployment}")
    if table.exists():
        return table.scan(within=within)
    connection.register("nothing", COLUMNS.empty_table())
    return "nothing"


def _listed(names: Iterable[str], of: str = "") -> str:
    return ", ".join(of + '"' + name.replace('"', '""') + '"' for name in names)


_JOINED = """
    WITH found AS (
        SELECT {needed} FROM {source} WHERE "at" >= $1 AND "at" < $2 AND ($3 IS NULL OR role = $3)
    ),
    known AS (
        FROM labels
        WHERE $4::TIMESTAMPTZ IS NULL OR (label_received <= $4::TIMESTAMPTZ AND label_time <= $4::TIMESTAMPTZ)
    ),
    by_row AS (
        SELECT request_id, "row", arg_max(label, sequence) AS label, arg_max(label_time, sequence) AS label_time,
            arg_max(label_received, sequence) AS label_received
        FROM known WHERE request_id <> '' GROUP BY request_id, "row"
    ),
    by_key AS (
        SELECT key, arg_max(label, sequence) AS label, arg_max(label_time, sequence) AS label_time,
            arg_max(label_received, sequence) AS label_received
        FROM known WHERE request_id = '' GROUP BY key
    )
    SELECT {columns}
        CASE WHEN {own} THEN by_row.label ELSE by_key.label END AS label,
        CASE WHEN {own} THEN by_row.label_time ELSE by_key.label_time END AS label_time,
        CASE WHEN {own} THEN by_row.label_received ELSE by_key.label_received END AS label_received
    FROM found
    LEFT JOIN by_row ON found.request_id = by_row.request_id AND found."row" = by_row."row"
    LEFT JOIN by_key ON found.key = by_key.key AND found.key <> ''
    {only}
    ORDER BY found."at", found.request_id, found."row", found.role
"""
# A row may be labelled by its request and by its key: what came last holds.
_OWN = "(by_row.request_id IS NOT NULL AND (by_key.key IS NULL OR by_row.label_received >= by_key.label_received))"
_ONLY = "WHERE by_row.request_id IS NOT NULL OR by_key.key IS NOT NULL"


def _typed(joined: pa.Table) -> pa.Table:
    """The label as number, or as text when it is the name of a class; times in UTC."""
    labels = joined["label"].combine_chunks()
    first = pc.drop_null(labels)[:1].to_pylist()
    if first and first[0].startswith('"'):
        decoded = labels.dictionary_encode()
        names = pa.array([json.loads(each) for each in decoded.dictionary.to_pylist()], pa.string())
        labels = names.take(decoded.indices)
    else:
        labels = labels.cast(pa.float64())
    return joined.set_column(joined.column_names.index("label"), "label", labels)
