"""The audit trail: who did what, chained by hashes so that an edit, a gap or a new order shows.

Entry i carries `hash_i = SHA256(0x00 || canonical JSON of the entry || hash_{i-1})`, with 32 zero bytes before the first. One
transaction writes one entry; the sequence counts from 1 within a project and environment. Cutting off the end, or writing
the whole chain anew, shows only against a hash kept elsewhere: `head` gives one to keep.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.digest import canonical
from modelyard.records import Audit
from modelyard.store import query, schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from modelyard.store.store import Store

_START = "0" * 64
_PAGE = 5000
_HASHED = ("project", "env", "sequence", "at", "actor", "action", "subject", "detail")


class Head(NamedTuple):
    """The end of a chain."""

    sequence: int
    hash: str


def append(
    connection: sa.Connection,
    scope: tuple[str, str],
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any],
) -> None:
    """Write the next entry; the transaction of `connection` must be alone in its scope."""
    last = _head(connection, scope)
    entry = Audit(
        project=scope[0],
        env=scope[1],
        sequence=last.sequence + 1,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        # As it will be read again: keys are text, tuples are lists.
        detail=json.loads(schema.json_text(schema.checked_json("Audit.detail", detail))),
        previous=last.hash,
        hash="",
    )
    row = schema.values(entry)
    hashed = {name: row[name] for name in _HASHED} | {"at": schema.time_text(row["at"])}
    connection.execute(query.inserting(Audit), row | {"hash": _hash(hashed, last.hash)})


def head(store: Store) -> Head:
    """The last sequence and hash; (0, zeros) before the first entry."""
    with store.database.reading() as connection:
        return _head(connection, store.scope)


def verify(store: Store) -> int | None:
    """The first sequence where the chain does not hold (edited, missing, inserted, out of order), or None when all is well."""
    expected, previous = 1, _START
    for entry in _entries(store):
        if entry["sequence"] != expected or entry["previous"] != previous or entry["hash"] != _rehash(entry, previous):
            return expected
        expected, previous = expected + 1, entry["hash"]
    return None


def _entries(store: Store) -> Iterator[dict[str, Any]]:
    """The chain in order, as text, a page at a time: it may be long."""
    with store.database.reading() as connection:
        statement = _raw(connection.dialect.name, store.scope)
        rows = connection.execute(statement).all()
        while rows:
            yield from (row._asdict() for row in rows)
            rows = connection.execute(statement.where(schema.table(Audit).c.sequence > rows[-1].sequence)).all()


_entry = schema.table(Audit).c
_LAST = sa.select(_entry.sequence, _entry.hash).where(*query.scoped(Audit)).order_by(_entry.sequence.desc()).limit(1)


def _head(connection: sa.Connection, scope: tuple[str, str]) -> Head:
    last = connection.execute(_LAST, query.within(scope)).first()
    return Head(*last) if last else Head(0, _START)


def _raw(dialect: str, scope: tuple[str, str]) -> sa.Select[Any]:
    """The chain as text, nothing parsed: an edited value must not stop the check."""
    table = schema.table(Audit)
    at: sa.ColumnElement[str] = sa.type_coerce(table.c.at, sa.Text)
    if dialect == "postgresql":
        at = sa.func.to_char(sa.func.timezone("UTC", table.c.at), "YYYY-MM-DD HH24:MI:SS.US")
    plain = [table.c[name] for name in (*_HASHED, "previous", "hash") if name not in ("at", "detail")]
    return (
        sa.select(*plain, at.label("at"), sa.cast(table.c.detail, sa.Text).label("detail"))
        .where(table.c.project == scope[0], table.c.env == scope[1])
        .order_by(table.c.sequence)
        .limit(_PAGE)
    )


def _rehash(entry: dict[str, Any], previous: str) -> str | None:
    """The hash that a stored entry should carry, or None when it cannot have been written by us."""
    try:
        hashed = {name: entry[name] for name in _HASHED} | {"detail": json.loads(entry["detail"])}
        return _hash(hashed, previous)
    except (TypeError, ValueError):
        return None


def _hash(entry: dict[str, Any], previous: str) -> str:
    return hashlib.sha256(b"\0" + canonical(entry) + bytes.fromhex(previous)).hexdigest()
