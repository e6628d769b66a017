"""The point-in-time join, as SQL: each row gets what its feature views knew at the row's time, and stays one row.

DuckDB's ASOF join finds the latest row of a view that is not later than the dataset's row; see
https://duckdb.org/docs/stable/guides/sql_features/asof_join
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelyard.features.shape import Shape
from modelyard.features.sql import identifier, identifiers, interval, moment

_ROW_TIME = "__row_time"


@dataclass(frozen=True)
class ViewJoin:
    """A feature view to join: `relation` is SQL that yields its rows, `columns` are (column, name in the result)."""

    shape: Shape
    relation: str
    columns: tuple[tuple[str, str], ...]
    ttl: timedelta | None = None


def join(rows: str, views: Sequence[ViewJoin], *, time: str | None, as_of: datetime) -> str:
    """SQL that yields each row of `rows` (SQL) exactly once, with the columns of all `views` after its own.

    `time` names the time of `rows`; without one, views are joined as they are at `as_of`. A view with a time gives its
    latest row not later than the row's time, nulls when that is older than its ttl; a view without time is joined as it
    is now. Columns that a view knows later are null where they were not known at the row's time. Nulls in the entity
    match nothing. Of several view rows with the same entity (and time) the first by all its columns is taken.
    """
    row_time = identifier(time) if time else moment(as_of)
    picked = [_picked(view, f"v{i}") for i, view in enumerate(views)]
    columns = ", ".join([f"r.* EXCLUDE ({_ROW_TIME})", *(column for columns in picked for column in columns)])
    joins = "\n".join(_join_one(view, f"v{i}") for i, view in enumerate(views))
    return f"SELECT {columns}\nFROM (SELECT *, {row_time} AS {_ROW_TIME} FROM ({rows})) AS r\n{joins}"


def _join_one(view: ViewJoin, alias: str) -> str:
    shape = view.shape
    same = [f"{identifier(c, 'r')} = {identifier(c, alias)}" for c in shape.key]
    if shape.time is None:
        return f"LEFT JOIN ({_candidates(view)}) AS {alias} ON {' AND '.join(same)}"
    earlier = f"r.{_ROW_TIME} >= {identifier(shape.time, alias)}"
    return f"ASOF LEFT JOIN ({_candidates(view)}) AS {alias} ON {' AND '.join([*same, earlier])}"


def _candidates(view: ViewJoin) -> str:
    """The view's rows, one per entity and time, with the columns that the join needs."""
    shape = view.shape
    identity = [*shape.key, *([shape.time] if shape.time else [])]
    times = {known.at for known in shape.known_at if known.at}
    needed = list(dict.fromkeys([*identity, *(column for column, _ in view.columns), *sorted(times)]))
    rows = f"SELECT {identifiers(needed)} FROM {view.relation}"
    if shape.distinct:
        return rows
    order = identifiers(sorted(shape.columns))
    return f"{rows} QUALIFY row_number() OVER (PARTITION BY {identifiers(identity)} ORDER BY {order}) = 1"


def _picked(view: ViewJoin, alias: str) -> list[str]:
    """The view's columns in the result, masked where they are too old or not known yet."""
    shape, by = view.shape, f"r.{_ROW_TIME}"
    fresh = ""
    if view.ttl is not None and shape.time is not None:
        fresh = f"{identifier(shape.time, alias)} + {interval(view.ttl)} >= {by}"
    columns = []
    for column, name in view.columns:
        value = shape.masked(column, by=by, table=alias)
        columns.append(f"{f'CASE WHEN {fresh} THEN {value} END' if fresh else value} AS {identifier(name)}")
    return columns
