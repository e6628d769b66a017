"""The prediction log as memory: what was answered in a window of time, with the labels that were known by a moment.

Predictions are rows of the Delta table `predictions/NAME` (written by serve), labels are records.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.store import duck, labels, recent
from modelyard.store.labelled import LABEL, latest, typed
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
    if columns is not None:
        near = recent.of(store, deployment, COLUMNS)
        kept = near.window(store, deployment, start, end, columns, role=role, labelled=labelled, known_by=known_by)
        if kept is not None:
            return kept
    with duck.connect() as connection:
        # Rows are moved in the order of their time, so a window lies in few of the table's files.
        source = _source(connection, store, deployment, ("at", start, end))
        shown = _there(connection, source, columns)
        read = _listed(dict.fromkeys([*shown, "request_id", "row", "key"]))
        asked = (
            f'SELECT {read} FROM {source} WHERE "at" >= $1 AND "at" < $2 AND ($3 IS NULL OR role = $3) '
            'ORDER BY "at", request_id, "row", role'
        )
        rows = _table(connection.execute(asked, [start, end, role]))
    ids, keys = (labels.few(rows[name]) for name in ("request_id", "key"))
    known = latest(rows, labels.of(store, deployment, ids, keys), known_by)
    for name in LABEL:
        rows = rows.append_column(name, known[name])
    if labelled:
        rows = rows.filter(pc.is_valid(rows["label"]))
    return typed(rows.select([*shown, *LABEL]))


def _there(connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str] | None) -> list[str]:
    """Those of some columns (None: of any) that a source has."""
    there = [each[0] for each in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
    return there if columns is None else [name for name in columns if name in there]


def answers(store: Store, deployment: str, *, start: datetime, end: datetime, columns: Sequence[str]) -> pa.Table:
    """The answered rows with `at` in [start, end) in order of time, without labels; columns not there are left out."""
    near = recent.of(store, deployment, COLUMNS)
    asked = near.window(store, deployment, start, end, columns, role="answer", labelled=False, known_by=None)
    if asked is not None:
        return asked.drop_columns(list(LABEL))
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
