"""Bringing a database up to the present tables, once, whoever opens it first."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from modelyard.errors import InputError, NotFound, Refused
from modelyard.store import durable
from modelyard.store.database import Database
from modelyard.store.home import Home
from modelyard.store.migrations import REVISIONS, VERSION_TABLE

_MIGRATIONS = Path(__file__).parent / "migrations"
_HEAD = REVISIONS[-1]
# Alembic's `op` and `context` are one for the whole process.
_ALEMBIC = threading.Lock()


def make_ready(home: Home, *, create: bool) -> None:
    """Make the directories (InputError when that is impossible); without `create` NotFound when no SQLite home is there."""
    if create:
        try:
            durable.make_directory(home.files)
        except OSError as error:
            raise InputError(f"files cannot be kept here: {error.strerror}.", where=str(error.filename)) from None
    elif home.database is not None and not home.database.is_file():
        raise _nothing_there(home)


def bring_up(database: Database, *, create: bool) -> None:
    """Leave the database at the present revision, or refuse: it is newer, or `create` is False and it is older or empty.

    A migration is one transaction: one that is killed has not happened, and the next open does it again.
    """
    with _files_lock(database.home, exclusive=False):
        found = _revision(database)
    if found == _HEAD:
        return
    if found is not None and found not in REVISIONS:
        raise Refused(
            f"the database was written by a newer Modelyard (its revision {found} is unknown here).",
            where=database.home.shown,
            hint="Upgrade Modelyard.",
        )
    if not create:
        if found is None:
            raise _nothing_there(database.home)
        raise Refused(
            "the database is of an older Modelyard.", where=database.home.shown, hint="`yard apply` migrates it."
        )
    with _files_lock(database.home, exclusive=True), database.writing("modelyard migration") as connection:
        upgrade(connection)


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Run the missing migrations within the connection's transaction."""
    # Alembic takes a quarter of a second to import, and is needed once in a database's life.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, revision)


def _revision(database: Database) -> str | None:
    """The revision a database is at; None when it has never been migrated."""
    with database.reading() as connection:
        if not connection.dialect.has_table(connection, VERSION_TABLE):
            return None
        version = sa.table(VERSION_TABLE, sa.column("version_num"))
        return connection.scalar(sa.select(version.c.version_num))


@contextmanager
def _files_lock(home: Home, *, exclusive: bool) -> Iterator[None]:
    """Keep others from opening a SQLite file while it is made: its first switch to WAL cannot wait for a lock."""
    if home.database is None:
        yield
        return
    path = home.database.with_name("yard.lock")
    # A home that is only read may be on a disk that cannot be written.
    with path.open("a") if exclusive or not home.database.is_file() else _readable(path) as file:
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def _readable(path: Path) -> AbstractContextManager[IO[str] | None]:
    return path.open() if path.is_file() else nullcontext(None)


def _nothing_there(home: Home) -> NotFound:
    return NotFound("there is no yard here yet.", where=home.shown, hint="`yard apply` makes one.")
