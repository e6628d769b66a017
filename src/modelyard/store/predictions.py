"""The prediction log as memory: what was answered in a window of time, with the labels that were known by a moment.

Predictions are rows of the Delta table `predictions/NAME` (written by serve), labels are records. DuckDB joins them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from modelyard.records import Label
from modelyard.store import schema
from modelyard.store.store import Store
from modelyard.store.table import Within

_TIME = pa.timestamp("us", tz="UTC")
# `role`: answer, shadow, or forced (the request named its arm: no statistic counts it). `propensity`: with which
# probability the routes gave the row its arm; null where they had no say. What every row has; beside it `in.NAME` per input, as the policy left it (null in rows of a shadow).
COLUMNS = pa.schema(
    {
        "request_id": pa.string(),
        "row": pa.int64(),
        "at": _TIME,
        "time": _TIME,
        "arm": pa.string(),
        "role": pa.string(),
        "release": pa.string(),
        "key": pa.string(),
        "routing": pa.string(),
        "prediction": pa.float64(),
        "predictions": pa.list_(pa.float64()),
        "fallback": pa.bool_(),
        "warnings": pa.string(),
        "error": pa.string(),
        "latency_ms": pa.float64(),
        "propensity": pa.float64(),
    }
)
# So many requests or keys are looked up one by one in the index of labels; for more, all labels are read.
FEW = 5_000
_LABELS = pa.schema(
    {
        "request_id": pa.string(),
        "row": pa.int64(),
        "key": pa.string(),
        "sequence": pa.int64(),
        "label": pa.string(),
        "label_time": _TIME,
        "label_received": _TIME,
    }
)


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
    with _connect() as connection:
        found = _rows(connection, store, deployment, start, end, columns, role)
        connection.register("labels", _labels(store, deployment, connection, known_by))
        connection.execute(_LATEST)
        joined = _table(connection.execute(_JOINED.format(columns=found, own=_OWN, only=_ONLY if labelled else "")))
    return _typed(joined)


_LATEST = """
    CREATE TEMP TABLE by_row AS SELECT request_id, "row",
        arg_max(label, sequence) AS label, arg_max(label_time, sequence) AS label_time,
        arg_max(label_received, sequence) AS label_received
    FROM labels WHERE request_id <> '' GROUP BY request_id, "row";
    CREATE TEMP TABLE by_key AS SELECT key, arg_max(label, sequence) AS label,
        arg_max(label_time, sequence) AS label_time, arg_max(label_received, sequence) AS label_received
    FROM labels WHERE request_id = '' GROUP BY key
"""


def answers(store: Store, deployment: str, *, start: datetime, end: datetime, columns: Sequence[str]) -> pa.Table:
    """The answered rows with `at` in [start, end) in order of time, without labels; columns not there are left out."""
    with _connect() as connection:
        found = _rows(connection, store, deployment, start, end, columns, "answer").rstrip(", ")
        return _table(connection.execute(f'SELECT {found} FROM found ORDER BY "at", request_id, "row"'))


def of_request(store: Store, deployment: str, request_id: str) -> pa.Table:
    """The answered rows of one request, ordered by row."""
    with _connect() as connection:
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
    with _connect() as connection:
        connection.register("wanted", pa.table({"name": pa.array(wanted, pa.string())}))
        rows = connection.execute(
            f"SELECT {column}, {counted} FROM {_source(connection, store, deployment)} "
            f"WHERE role <> 'shadow' AND {column} IN (SELECT name FROM wanted) GROUP BY 1"
        ).fetchall()
    return dict(rows)


@contextmanager
def _connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own to the process's only instance: a new instance takes longer than most questions."""
    with _instance().cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    # Windows are small: threads that wait for each other cost more than they save.
    return duckdb.connect(":memory:", config={"threads": 1})


def _table(result: duckdb.DuckDBPyConnection) -> pa.Table:
    return result.to_arrow_table()


def _source(connection: duckdb.DuckDBPyConnection, store: Store, deployment: str, within: Within | None = None) -> str:
    table = store.table(f"predictions/{deployment}")
    if table.exists():
        return table.scan(within=within)
    connection.register("nothing", COLUMNS.empty_table())
    return "nothing"


def _rows(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    deployment: str,
    start: datetime,
    end: datetime,
    columns: Sequence[str] | None,
    role: str | None,
) -> str:
    """Put the window's rows into the table `found`; returns the columns wanted of it as SQL, with a comma behind each."""
    # Rows are moved in the order of their time, so a window lies in few of the table's files.
    source = _source(connection, store, deployment, ("at", start, end))
    there = [each[0] for each in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    wanted = there if columns is None else [name for name in columns if name in there]
    needed = dict.fromkeys([*wanted, "request_id", "row", "key", "at", "role"])
    connection.execute(
        f"CREATE TEMP TABLE found AS SELECT {_listed(needed)} FROM {source}"
        ' WHERE "at" >= $1 AND "at" < $2 AND ($3 IS NULL OR role = $3)',
        [start, end, role],
    )
    return "".join(f"{_listed([name], of='found.')}, " for name in wanted)


def _listed(names: Sequence[str] | dict[str, None], of: str = "") -> str:
    return ", ".join(of + '"' + name.replace('"', '""') + '"' for name in names)


def _labels(
    store: Store, deployment: str, connection: duckdb.DuckDBPyConnection, known_by: datetime | None
) -> pa.Table:
    """The labels that may belong to the rows of `found`, as far as they were known by a moment."""
    ids = _few(connection, "request_id")
    keys = _few(connection, "key")
    rows: list[Any] = []
    with store.database.reading() as reading:
        for condition in _conditions(ids, keys):
            rows += reading.execute(_select(store, deployment).where(condition)).fetchall()
    labels = _as_table(rows)
    if known_by is None:
        return labels
    # Not asked of the database, which would answer by the index of times, and go through all labels there are.
    moment = pa.scalar(known_by, _TIME)
    known = pc.and_(pc.less_equal(labels["label_received"], moment), pc.less_equal(labels["label_time"], moment))
    return labels.filter(known)


def _few(connection: duckdb.DuckDBPyConnection, column: str) -> list[str] | None:
    """The distinct values of a column of `found` but for the empty one, or None when they are many."""
    rows = connection.execute(f"SELECT DISTINCT {column} FROM found WHERE {column} <> '' LIMIT {FEW + 1}").fetchall()
    return None if len(rows) > FEW else [each[0] for each in rows]


def _conditions(ids: list[str] | None, keys: list[str] | None) -> Iterator[sa.ColumnElement[bool]]:
    """What to ask of labels: those of `ids`, and those of `keys`; None means of any."""
    label = schema.table(Label).c
    if ids is None:
        yield label.request_id != ""
    elif ids:
        yield label.request_id.in_(ids)
    if keys is None:
        yield label.request_id == ""
    elif keys:
        yield (label.request_id == "") & label.key.in_(keys)


def _select(store: Store, deployment: str) -> sa.Select[Any]:
    label = schema.table(Label).c
    # As text: the database's JSON and times become Arrow columns at once, not row by row.
    return sa.select(
        label.request_id,
        label.row,
        label.key,
        label.sequence,
        sa.cast(label.label, sa.Text),
        _plain(store, label.time),
        _plain(store, label.received),
    ).where(label.project == store.project, label.env == store.env, label.deployment == deployment)


def _plain(store: Store, column: Any) -> Any:
    return sa.type_coerce(column, sa.Text if store.database.dialect == "sqlite" else sa.DateTime(timezone=True))


def _as_table(rows: list[Any]) -> pa.Table:
    if not rows:
        return _LABELS.empty_table()
    arrays = []
    for field, values in zip(_LABELS, zip(*rows, strict=True), strict=True):
        array = pa.array(values)
        if pa.types.is_timestamp(field.type) and pa.types.is_string(array.type):
            array = array.cast(pa.timestamp("us")).cast(field.type)
        arrays.append(array.cast(field.type))
    return pa.table(arrays, schema=_LABELS)


_JOINED = """
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
    named = next((each for each in labels if each.is_valid), None)
    if named is not None and named.as_py().startswith('"'):
        decoded = labels.dictionary_encode()
        names = pa.array([json.loads(each) for each in decoded.dictionary.to_pylist()], pa.string())
        labels = names.take(decoded.indices)
    else:
        labels = labels.cast(pa.float64())
    return joined.set_column(joined.column_names.index("label"), "label", labels)
