"""Connections: SQLite (WAL, synchronous=FULL) and PostgreSQL (psycopg 3), with the same promises.

A writing transaction is alone in its project and environment, so that what it read is still so when it writes: SQLite has
one writer at a time (BEGIN IMMEDIATE), PostgreSQL takes an advisory lock until the commit. Readers wait for nobody.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa

from modelyard.errors import Conflict, InputError, Unavailable
from modelyard.store.home import Home
from modelyard.store.schema import json_text

# How long a writer waits for another one, on both databases.
_PATIENCE_SECONDS = 30
# How long a server may take to accept a connection, unless the home's URL says so with `connect_timeout`.
_CONNECT_SECONDS = 10
# PostgreSQL indexes texts of up to 2,700 bytes.
_LIMIT_EXCEEDED = "54000"


class Database:
    """The engine of one home, safe to use from several threads."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.engine = _sqlite(home) if home.database else _postgresql(home)
        # A store that is dropped without `close` gives its connections back all the same.
        weakref.finalize(self, self.engine.dispose)
        # Reads need no transaction of their own: each statement sees one state.
        self._readers = self.engine if home.database else self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def dialect(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self.engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection where each statement stands alone."""
        with self._explained(), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, lock: str | None = None) -> Iterator[sa.Connection]:
        """A writing transaction, committed at the end; on PostgreSQL alone among those with the same `lock`."""
        with self._explained(), self.engine.begin() as connection:
            if self.dialect == "sqlite":
                # By us: Python's driver would begin it too late for check-then-write.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif lock is not None:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_number(lock))))
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A database that cannot be reached, or stays locked, is Unavailable; its message holds no password."""
        try:
            yield
        except (sa.exc.DatabaseError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            # Of its family only "cannot be opened, read or locked"; other kinds are mistakes in a statement.
            if isinstance(error, sa.exc.DatabaseError) and type(error) not in (
                sa.exc.DatabaseError,
                sa.exc.OperationalError,
            ):
                raise
            reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            file = self.home.database
            if file is not None and not (
                os.access(file.parent, os.W_OK) and (os.access(file, os.W_OK) or not file.exists())
            ):
                raise Unavailable(
                    "the home cannot be written, which SQLite must even to read.",
                    where=self.home.shown,
                    hint="Mount it for writing, or get the right to write there.",
                ) from error
            raise Unavailable(f"the database cannot be used: {reason}.", where=self.home.shown) from error


@contextmanager
def statement(connection: sa.Connection, name: str, *, several: bool = False) -> Iterator[None]:
    """Run a writing statement (or `several`) so that its failure leaves the transaction usable: Conflict, or InputError,
    about `name`."""
    # SQLite takes back what a failed statement did, and no more.
    alone = connection.dialect.name == "sqlite" and not several
    try:
        with nullcontext() if alone else connection.begin_nested():
            yield
    except sa.exc.IntegrityError as error:
        raise Conflict(
            f"another {name} with the same identity is recorded already.", hint=_constraint(error)
        ) from error
    except sa.exc.DataError as error:
        raise InputError(f"the database cannot keep this {name}: {error.orig}.") from error
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LIMIT_EXCEEDED:
            raise
        raise InputError(f"the database cannot keep this {name}: a text that identifies it is too long.") from error


def _constraint(error: sa.exc.IntegrityError) -> str:
    """Which columns must be unique, without their values."""
    name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return f"It is unique by: {name or str(error.orig).rpartition(': ')[2]}."


def _sqlite(home: Home) -> sa.Engine:
    """SQLite, where no transaction begins unless we say so."""
    engine = sa.create_engine(
        home.url,
        hide_parameters=True,
        json_serializer=json_text,
        max_overflow=-1,
        connect_args={"timeout": _PATIENCE_SECONDS, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # With NORMAL a power cut loses acknowledged commits.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    return engine


def _postgresql(home: Home) -> sa.Engine:
    """PostgreSQL in READ COMMITTED: each statement sees what was committed before it.

    A server that hangs answers nothing and closes nothing, so the client counts the time itself.
    """
    from modelyard.store.patience import Patient  # loads psycopg, which SQLite should not pay for

    given = home.url.query.get("options", "")
    engine = sa.create_engine(
        home.url,
        hide_parameters=True,
        json_serializer=json_text,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={
            "options": f"{given} -c lock_timeout={_PATIENCE_SECONDS}s".strip(),
            "application_name": "modelyard",
            "connect_timeout": home.url.query.get("connect_timeout", _CONNECT_SECONDS),
        },
    )

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, words: Any, options: Any) -> Any:
        return Patient.connect(*words, **options)

    return engine


def _lock_number(name: str) -> int:
    """An advisory lock's 64-bit number."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
