"""Leases: who may work on something alone, with a token that fences those who slept.

On SQLite a lease is a file lock: it dies with its process and cannot expire under a sleeper. On PostgreSQL it is a row with
an expiry in the server's time, renewed by a thread. On both a token in the database grows with each holder; a
transaction that carries an old token is refused, whatever its holder believes.
"""

from __future__ import annotations

import fcntl
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy as sa

from modelyard.digest import digest
from modelyard.errors import LeaseLost, Unavailable
from modelyard.records import Lease
from modelyard.store import durable, query, schema

if TYPE_CHECKING:
    from modelyard.store.store import Store

_POLL_SECONDS = 0.05
_WORD_SECONDS = 30.0
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_PAST = datetime(1970, 1, 1, tzinfo=UTC)


class Held:
    """A lease that is held: its `name`, `token` and `holder`. Given as `fence` to a transaction."""

    def __init__(self, name: str, token: int, holder: str, deadline: float = math.inf) -> None:
        self.name = name
        self.token = token
        self.holder = holder
        # Monotonic seconds until which nobody can have taken over; the renewal moves it.
        self.deadline = deadline

    @property
    def lost(self) -> bool:
        """Whether somebody else may hold it by now: a hint to stop early; only a fenced transaction decides."""
        return time.monotonic() > self.deadline

    def __repr__(self) -> str:
        return f"<Held {self.name} token={self.token} by {self.holder}>"


@contextmanager
def hold(
    store: Store, name: str, *, ttl: float, wait: float, tell: Callable[[str], None] | None = None
) -> Iterator[Held]:
    """Take the lease, keep it renewed within the block, give it back at the end. LeaseLost when others keep it.

    `tell` hears at once, and then twice a minute, for whom this waits.
    """
    way = _by_file if store.database.dialect == "sqlite" else _by_row
    with way(store, name, ttl, _Queue(store, name, wait, tell)) as held:
        yield held


class _Queue:
    """Waits for a lease that others hold, with patience of `wait` seconds."""

    def __init__(self, store: Store, name: str, wait: float, tell: Callable[[str], None] | None) -> None:
        self._store, self._name, self._tell = store, name, tell
        self._started = time.monotonic()
        self._until = self._started + wait
        self._next_word = self._started

    def pause(self) -> None:
        """Wait a little, unless the patience is at its end."""
        now = time.monotonic()
        if now >= self._until:
            raise LeaseLost(
                f"{self._other()} is working on it.",
                where=f"lease {self._name}",
                hint="Try again when that has ended.",
            )
        if self._tell is not None and now >= self._next_word:
            self._tell(f"waiting for {self._other()} ({now - self._started:.0f} s so far; Ctrl-C gives up)")
            self._next_word = now + _WORD_SECONDS
        time.sleep(min(self._until - now, _POLL_SECONDS))

    def _other(self) -> str:
        """Who holds it, as far as is known."""
        holder = self._store.one(Lease, name=self._name)
        if holder is None:
            return "somebody else"
        machine, process, _ = holder.holder.rsplit(":", 2)
        return f"process {process} on {machine}"


_leases = schema.table(Lease).c
_HOLDER = (
    sa.select(_leases.token)
    .where(*query.scoped(Lease), _leases.name == sa.bindparam("of_name"))
    .with_for_update(read=True)
)


def check(connection: sa.Connection, scope: tuple[str, str], held: Held) -> None:
    """LeaseLost unless `held` is the last holder; nobody can take over before the transaction ends."""
    token = connection.scalar(_HOLDER, {**query.within(scope), "of_name": held.name})
    if token != held.token:
        raise LeaseLost("somebody else has taken over; nothing was written.", where=f"lease {held.name}")


@contextmanager
def _by_file(store: Store, name: str, _ttl: float, queue: _Queue) -> Iterator[Held]:
    """A lock on a file of this machine, and the next token."""
    path = _lock_path(store, name)
    durable.make_directory(path.parent)
    with path.open("a") as file:
        while not _locked(file.fileno()):
            queue.pause()
        holder = _holder()
        yield Held(name, _next_token(store, name, holder), holder)


@contextmanager
def _by_row(store: Store, name: str, ttl: float, queue: _Queue) -> Iterator[Held]:
    """A row whose expiry passes unless it is renewed."""
    holder = _holder()
    while (held := _take(store, name, holder, ttl)) is None:
        queue.pause()
    done = threading.Event()
    renewal = threading.Thread(target=_renew, args=(store, held, ttl, done), name=f"lease {name}", daemon=True)
    renewal.start()
    try:
        yield held
    finally:
        done.set()
        renewal.join()
        _give_back(store, held)


def _lock_path(store: Store, name: str) -> Path:
    """The lock file of a lease, also for names that no file could have."""
    safe = quote("/".join((*store.scope, name)), safe="")
    return store.files / "locks" / (safe if len(safe) <= 200 else digest(safe.encode()))


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder() -> str:
    """Machine, process and a number of its own."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _named(scope: tuple[str, str], name: str) -> tuple[sa.ColumnElement[bool], ...]:
    table = schema.table(Lease)
    return table.c.project == scope[0], table.c.env == scope[1], table.c.name == name


def _next_token(store: Store, name: str, holder: str) -> int:
    """Count one holder more; the caller has the file lock."""
    table = schema.table(Lease)
    with store.database.writing() as connection:
        token = (connection.scalar(sa.select(table.c.token).where(*_named(store.scope, name))) or 0) + 1
        values = {"token": token, "holder": holder, "expires": _NEVER}
        if token == 1:
            key = {"project": store.project, "env": store.env, "name": name}
            connection.execute(sa.insert(table), key | values)
        else:
            connection.execute(sa.update(table).where(*_named(store.scope, name)).values(values))
    return token


def _take(store: Store, name: str, holder: str, ttl: float) -> Held | None:
    """Become the holder when the row is new or expired, else None. Never waits for the holder's open transaction."""
    from sqlalchemy.dialects import postgresql  # a tenth of a second, which SQLite should not pay

    table = schema.table(Lease)
    started = time.monotonic()
    values = {"holder": holder, "expires": _server_time(ttl)}
    free = sa.select(table.c.id).where(*_named(store.scope, name), table.c.expires <= _server_time())
    with store.database.writing() as connection:
        again = sa.update(table).where(table.c.id == free.with_for_update(skip_locked=True).scalar_subquery())
        token = connection.scalar(again.values(token=table.c.token + 1, **values).returning(table.c.token))
        if token is None and connection.scalar(sa.select(table.c.id).where(*_named(store.scope, name))) is None:
            first = postgresql.insert(table).values(project=store.project, env=store.env, name=name, token=1, **values)
            token = connection.scalar(first.on_conflict_do_nothing().returning(table.c.token))
    return None if token is None else Held(name, token, holder, started + ttl)


def _renew(store: Store, held: Held, ttl: float, done: threading.Event) -> None:
    """Push the expiry forward until `done`, or until another token stands in the row."""
    while not done.wait(ttl / 3):
        started = time.monotonic()
        try:
            if not _set_expiry(store, held, _server_time(ttl)):
                held.deadline = started
                return
        except Unavailable:
            # The database may come back before the lease expires; until then `held.lost` counts the time.
            continue
        held.deadline = started + ttl


def _give_back(store: Store, held: Held) -> None:
    """Let the next one have it at once; the row stays, so that its token goes on growing."""
    # When the database is away the lease expires by itself.
    with suppress(Unavailable):
        _set_expiry(store, held, sa.literal(_PAST, schema.UtcDateTime()))


def _set_expiry(store: Store, held: Held, expires: sa.ColumnElement[datetime]) -> bool:
    """Whether the row still was the holder's."""
    table = schema.table(Lease)
    mine = sa.update(table).where(*_named(store.scope, held.name), table.c.token == held.token)
    with store.database.writing() as connection:
        return connection.execute(mine.values(expires=expires)).rowcount == 1


def _server_time(plus_seconds: float = 0.0) -> sa.ColumnElement[datetime]:
    """The database server's time: the machines' clocks need not agree."""
    return sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)) + timedelta(seconds=plus_seconds)
