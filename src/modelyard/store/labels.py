"""Labels as Arrow tables: read from the database by the thousand, as text, so that no record is made of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from modelyard.records import Label
from modelyard.store import query, schema
from modelyard.store.store import Store

_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "request_id": pa.string(),
        "row": pa.int64(),
        "key": pa.string(),
        "sequence": pa.int64(),
        "label": pa.string(),
        "label_time": _TIME,
        "label_received": _TIME,
    }
)
"""`label` is JSON."""
FEW = 5_000
"""So many requests or keys are looked up one by one in the index of labels; for more, all labels are read."""
_label = schema.table(Label).c


def last(store: Store) -> int:
    """The id of the newest label; 0 when there is none. Later ones have greater ids: writers go one after the other."""
    newest = sa.select(_label.id).where(*_unindexed(store)).order_by(_label.id.desc()).limit(1)
    with store.database.reading() as connection:
        return connection.execute(newest).scalar() or 0


def since(store: Store, deployment: str, after: int) -> pa.Table:
    """The labels of a deployment with ids greater than `after`."""
    return _read(store, [(*_unindexed(store), _label.deployment + "" == deployment, _label.id > after)])


def of(store: Store, deployment: str, ids: list[str] | None, keys: list[str] | None) -> pa.Table:
    """The labels of these requests, and of these keys; None means of any."""
    scope = (_label.project == store.project, _label.env == store.env, _label.deployment == deployment)
    return _read(store, [(*scope, condition) for condition in _conditions(ids, keys, store.database.dialect)])


def _unindexed(store: Store) -> tuple[sa.ColumnElement[bool], ...]:
    """The labels of a store, asked for so that the database goes by their ids and by no other index."""
    return _label.project + "" == store.project, _label.env + "" == store.env


def _conditions(ids: list[str] | None, keys: list[str] | None, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
    if ids is None:
        yield _label.request_id != ""
    elif ids:
        yield query.within(_label.request_id, ids, dialect)
    if keys is None:
        yield _label.request_id == ""
    elif keys:
        yield (_label.request_id == "") & query.within(_label.key, keys, dialect)


def _read(store: Store, questions: list[tuple[sa.ColumnElement[bool], ...]]) -> pa.Table:
    # As text: the database's JSON and times become Arrow columns at once, not row by row.
    wanted = sa.select(
        _label.id,
        _label.request_id,
        _label.row,
        _label.key,
        _label.sequence,
        sa.cast(_label.label, sa.Text),
        _plain(store, _label.time),
        _plain(store, _label.received),
    )
    rows: list[Any] = []
    with store.database.reading() as connection:
        for conditions in questions:
            rows += connection.execute(wanted.where(*conditions)).fetchall()
    return _table(rows)


def _plain(store: Store, column: Any) -> Any:
    return sa.type_coerce(column, sa.Text if store.database.dialect == "sqlite" else sa.DateTime(timezone=True))


def _table(rows: list[Any]) -> pa.Table:
    if not rows:
        return SCHEMA.empty_table()
    arrays = []
    for field, values in zip(SCHEMA, zip(*rows, strict=True), strict=True):
        array = pa.array(values)
        if pa.types.is_timestamp(field.type) and pa.types.is_string(array.type):
            array = array.cast(pa.timestamp("us")).cast(field.type)
        arrays.append(array.cast(field.type))
    return pa.table(arrays, schema=SCHEMA)
