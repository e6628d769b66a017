"""Rows of the prediction log beside the label that each had by a moment: SQL for DuckDB, and the types it comes in."""

from __future__ import annotations

import json
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

_JOINED = """
    WITH found AS ({found}),
    known AS (
        FROM labels
        WHERE $1::TIMESTAMPTZ IS NULL OR (label_received <= $1::TIMESTAMPTZ AND label_time <= $1::TIMESTAMPTZ)
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
    ORDER BY {order}
"""
# A row may be labelled by its request and by its key: what came last holds.
_OWN = "(by_row.request_id IS NOT NULL AND (by_key.key IS NULL OR by_row.label_received >= by_key.label_received))"
_ONLY = "WHERE by_row.request_id IS NOT NULL OR by_key.key IS NOT NULL"


def join(
    connection: duckdb.DuckDBPyConnection,
    found: str,
    columns: str,
    order: str,
    *,
    labelled: bool = False,
    known_by: datetime | None = None,
) -> pa.Table:
    """The rows of the SQL `found` with their latest label in the connection's table `labels`, as it was by `known_by`.

    `columns`: SQL of what is selected beside the label, each with a comma behind it. `labelled`: only rows with one.
    """
    only = _ONLY if labelled else ""
    question = _JOINED.format(found=found, columns=columns, own=_OWN, only=only, order=order)
    return connection.execute(question, [known_by]).to_arrow_table()


def typed(joined: pa.Table) -> pa.Table:
    """The label as number, or as text when any is the name of a class: a model's task may have changed meanwhile."""
    labels = joined["label"].combine_chunks()
    if pc.any(pc.starts_with(labels, '"')).as_py():
        decoded = labels.dictionary_encode()
        names = [json.loads(each) if each.startswith('"') else each for each in decoded.dictionary.to_pylist()]
        labels = pa.array(names, pa.string()).take(decoded.indices)
    else:
        labels = labels.cast(pa.float64())
    return joined.set_column(joined.column_names.index("label"), "label", labels)
