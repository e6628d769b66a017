"""Labels as Arrow tables: read from the database by the thousand, as text, so that no record is made of each."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
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


def few(values: pa.ChunkedArray) -> list[str] | None:
    """The distinct ones of these values but for the empty one, or None when they are many."""
    values = pc.unique(values)
    return None if len(values) > FEW else [value for value in values.to_pylist() if value]


def last(store: Store) -> int:
    """The id of the newest label; 0 when there is none. Later ones have greater ids: writers go one after the other."""
    with store.database.reading() as connection:
        return connection.execute(_NEWEST, query.within(store.scope)).scalar() or 0


def since(store: Store, deployment: str, after: int) -> pa.Table:
    """The labels of a deployment with ids greater than `after`."""
    asked = {**query.within(store.scope), "of": deployment, "after": after}
    return _read(store, [(_since(store.database.dialect), asked)])


def of(
    store: Store, deployment: str, ids: list[str] | None, keys: list[str] | None, until: int | None = None
) -> pa.Table:
    """The labels of these requests, and of these keys (None means of any), with ids up to `until`."""
    dialect = store.database.dialect
    if keys and not _any_by_key(store, deployment):
        keys = []
    asked = {**query.within(store.scope), "of": deployment, "until": until or 2**62}
    return _read(
        store,
        [
            (_of(dialect, column, some is None), {**asked, "some": some and query.together(some, dialect)})
            for column, some in (("request_id", ids), ("key", keys))
            if some is None or some
        ],
    )


@lru_cache
def _of(dialect: str, column: str, every: bool) -> sa.Select[Any]:
    """The labels by request (or by key), of every one or of some."""
    by_request = column == "request_id"
    wanted = _wanted(dialect).where(
        *query.scoped(Label),
        _label.deployment == sa.bindparam("of"),
        _label.request_id != "" if by_request else _label.request_id == "",
        _label.id <= sa.bindparam("until"),
    )
    return wanted if every else wanted.where(query.one_of(_label[column], "some", dialect))


def _any_by_key(store: Store, deployment: str) -> bool:
    with store.database.reading() as connection:
        return connection.execute(_BY_KEY, {**query.within(store.scope), "of": deployment}).first() is not None


_BY_ID = query.scoped(Label, by_id=True)
_BY_KEY = (
    sa.select(_label.id)
    .where(
        *query.scoped(Label),
        _label.deployment == sa.bindparam("of"),
        _label.request_id == "",
    )
    .limit(1)
)
_NEWEST = sa.select(_label.id).where(*_BY_ID).order_by(_label.id.desc()).limit(1)


@lru_cache
def _since(dialect: str) -> sa.Select[Any]:
    of, after = _label.deployment + "" == sa.bindparam("of"), _label.id > sa.bindparam("after")
    return _wanted(dialect).where(*_BY_ID, of, after)


def _wanted(dialect: str) -> sa.Select[Any]:
    """As text: the database's JSON and times become Arrow columns at once, not row by row."""
    return sa.select(
        _label.id,
        _label.request_id,
        _label.row,
        _label.key,
        _label.sequence,
        sa.cast(_label.label, sa.Text),
        _plain(dialect, _label.time),
        _plain(dialect, _label.received),
    )


def _read(store: Store, questions: list[tuple[sa.Select[Any], dict[str, Any]]]) -> pa.Table:
    rows: list[Any] = []
    with store.database.reading() as connection:
        for wanted, asked in questions:
            rows += connection.execute(wanted, asked).fetchall()
    return _table(rows)


def _plain(dialect: str, column: Any) -> Any:
    return sa.type_coerce(column, sa.Text if dialect == "sqlite" else sa.DateTime(timezone=True))


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
