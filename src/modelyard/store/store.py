"""The only memory: records in a database, bytes and tables in files, every change with its actor in the audit trail."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.clock import Clock
from modelyard.errors import InputError
from modelyard.records import Audit, Lease, Record
from modelyard.store import audit, lease, migrate, query, schema
from modelyard.store import home as homes
from modelyard.store.blobs import Blobs
from modelyard.store.database import Database, statement
from modelyard.store.lease import Held
from modelyard.store.schema import R

if TYPE_CHECKING:
    from modelyard.store.table import Table

_NAME = re.compile(r"[^\W_][\w-]*")


def open_store(home: str | Path, *, project: str, env: str = "dev", clock: Clock, create: bool = True) -> Store:
    """Open the state of one project and environment.

    `home` is a directory, or a PostgreSQL URL (see `store.home`). With `create` what is missing is made and an older
    database is migrated. Without it nothing is written: NotFound when there is none, Refused when it is older. A database
    written by a newer Modelyard is always Refused; one that cannot be reached is Unavailable.
    """
    for what, name in (("project", project), ("env", env)):
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} cannot name it: letters, digits, - and _ are allowed.", where=what)
    place = homes.parse(home)
    migrate.make_ready(place, create=create)
    database = Database(place)
    try:
        migrate.bring_up(database, create=create)
    except BaseException:
        database.close()
        raise
    return Store(database, project=project, env=env, clock=clock)


class Store:
    """The memory of one project and environment: reads see no other, what is added is stamped with them.

    Safe to use from several threads. `files` is the root of blobs/, tables/, locks/, log/ and jobs/.
    """

    def __init__(self, database: Database, *, project: str, env: str, clock: Clock) -> None:
        self.database = database
        self.project = project
        self.env = env
        self.clock = clock
        self.files = database.home.files
        self.blobs = Blobs(self.files / "blobs")
        self._writing = threading.local()
        self._answered = threading.local()
        self._tables: dict[str, Table] = {}

    @property
    def scope(self) -> tuple[str, str]:
        """Project and environment."""
        return self.project, self.env

    def read(
        self,
        kind: type[R],
        /,
        *,
        order: str | Sequence[str] = "id",
        descending: bool = False,
        limit: int | None = None,
        **where: Any,
    ) -> list[R]:
        """The records of `kind` with `where`: `name=value`, `name=[one, of, these]`, `name__lt=…` (lt, le, gt, ge, ne).

        `order` names one column or several; ties go by id. TypeError for an unknown column or one that holds JSON.
        """
        answered = getattr(self._answered, "now", None)
        question = (kind, repr((order, descending, limit, where))) if answered is not None else None
        if answered is None or question not in answered:
            with self.database.reading() as connection:
                found = query.read(connection, kind, self.scope, where, order=order, descending=descending, limit=limit)
            if answered is None:
                return found
            answered[question] = found
        return list(answered[question])

    @contextmanager
    def asking_once(self) -> Iterator[None]:
        """Within, this thread's same questions for records have the same answer, up to its next transaction: for a piece of
        work whose parts ask alike, and that should see one state. What others write meanwhile it does not see."""
        self._answered.now = {}
        try:
            yield
        finally:
            self._answered.now = None

    def one(self, kind: type[R], /, **where: Any) -> R | None:
        """The only record with `where`, or None. ValueError when there are several: the question was not precise."""
        return _only(kind, self.read(kind, limit=2, **where))

    @contextmanager
    def transaction(
        self,
        *,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
        fence: Held | None = None,
    ) -> Iterator[Transaction]:
        """All or nothing: the changes made within, and one audit entry that says who (`actor`) did what (`action`) to what.

        Writers of one project and environment go one after the other, so what is read within stays true until the end:
        keep it short, and compute before. With
        `fence` it is refused (LeaseLost) when somebody else has taken over the lease. Transactions do not nest (RuntimeError).
        """
        for what, text in (("actor", actor), ("action", action), ("subject", subject)):
            if not text:
                raise ValueError(f"every change has its {what}")
        with self._alone(), self.database.writing("\0".join(self.scope)) as connection:
            if fence is not None:
                lease.check(connection, self.scope, fence)
            transaction = Transaction(connection, self.scope, dict(detail or {}))
            yield transaction
            audit.append(
                connection,
                self.scope,
                at=self.clock.now(),
                actor=actor,
                action=action,
                subject=subject,
                detail=transaction.detail,
            )

    def lease(
        self, name: str, *, ttl: float = 15.0, wait: float = 0.0, tell: Callable[[str], None] | None = None
    ) -> AbstractContextManager[Held]:
        """The right to work on `name` alone, held within the block; LeaseLost when it is not to be had in `wait` seconds.

        While it waits, `tell` hears who holds it.
        Pass what it gives as `fence` to transactions: its token grows with each holder, so that one who slept is refused.
        On SQLite it ends with its process, on PostgreSQL `ttl` seconds after the holder's last sign of life.
        """
        if getattr(self._writing, "now", False):
            raise RuntimeError("a lease is taken before a transaction, not within")
        return lease.hold(self, name, ttl=ttl, wait=wait, tell=tell)

    def table(self, name: str) -> Table:
        """The Delta table `name` ("datasets/departures") of this project and environment; it need not exist yet."""
        # deltalake and pyarrow take a third of a second: who reads only records does not pay for them.
        from modelyard.store.table import Table

        if name not in self._tables:
            self._tables[name] = Table(self.files / "tables" / self.project / self.env, name)
        return self._tables[name]

    def close(self) -> None:
        """Give all database connections back; the store is usable again afterwards."""
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.project}/{self.env} at {self.database.home.shown}>"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a second transaction of the same thread: it would wait for the first one for ever."""
        if getattr(self._writing, "now", False):
            raise RuntimeError("transactions do not nest: use the one that is open")
        self._writing.now = True
        try:
            yield
        finally:
            self._writing.now = False
            if getattr(self._answered, "now", None):
                self._answered.now.clear()


class Transaction:
    """What can be done within `Store.transaction`; a failed `add` or `change` leaves the transaction usable.

    `detail` goes into the audit entry and may be added to until the end.
    """

    def __init__(self, connection: sa.Connection, scope: tuple[str, str], detail: dict[str, Any]) -> None:
        self._connection = connection
        self._scope = scope
        self.detail = detail

    def add(self, record: R) -> R:
        """Record a fact; returns it with id, project and env. Conflict when one with the same identity is there."""
        kind = type(record)
        record = self._stamped(record)
        values = schema.values(record)
        with statement(self._connection, kind.__name__):
            result = self._connection.execute(query.inserting(kind), values)
        (number,) = result.inserted_primary_key or (None,)
        return replace(record, id=number)

    def add_all(self, records: Iterable[Record]) -> int:
        """Record many facts, of one kind or several, at once and return how many; all or none of them (Conflict)."""
        rows: dict[type[Record], list[dict[str, Any]]] = {}
        stamp = dict(zip(("project", "env"), self._scope, strict=True))
        for record in records:
            _writable(type(record))
            rows.setdefault(type(record), []).append(schema.values(record) | stamp)
        if not rows:
            return 0
        with statement(self._connection, " or ".join(sorted(kind.__name__ for kind in rows)), several=True):
            for kind, values in rows.items():
                self._connection.execute(query.inserting(kind), values)
        return sum(map(len, rows.values()))

    def add_columns(self, kind: type[Record], columns: Mapping[str, Sequence[Any]]) -> int:
        """Record many facts of one kind, given column by column (each of the same length), at once; as `add_all`.

        Every column but id, project and env is named. For what comes by the thousand: no record is made of each row.
        """
        _writable(kind)
        with statement(self._connection, kind.__name__, several=True):
            return query.insert_columns(self._connection, kind, self._scope, columns)

    def change(self, kind: type[Record], where: Mapping[str, Any], **values: Any) -> int:
        """Set `values` on the records with `where` (as for `read`); returns how many there were. Conflict as for `add`."""
        _writable(kind)
        columns = schema.columns(kind)
        unknown = [name for name in values if name not in columns or name in ("id", "project", "env")]
        if unknown or not values:
            raise TypeError(f"{kind.__name__} has no changeable {', '.join(unknown) or 'column given'}")
        checked = {name: schema.checked(kind, columns[name], value) for name, value in values.items()}
        with statement(self._connection, kind.__name__):
            return query.change(self._connection, kind, self._scope, where, checked)

    def read(
        self,
        kind: type[R],
        /,
        *,
        order: str | Sequence[str] = "id",
        descending: bool = False,
        limit: int | None = None,
        **where: Any,
    ) -> list[R]:
        """As `Store.read`, with what this transaction has done so far."""
        return query.read(self._connection, kind, self._scope, where, order=order, descending=descending, limit=limit)

    def read_columns(self, kind: type[Record], names: Sequence[str], /, **where: Any) -> list[tuple[Any, ...]]:
        """Some columns of the records with `where`, by id; of what comes by the thousand, without a record of each."""
        return query.read_columns(self._connection, kind, self._scope, where, names)

    def one(self, kind: type[R], /, **where: Any) -> R | None:
        """As `Store.one`, with what this transaction has done so far."""
        return _only(kind, self.read(kind, limit=2, **where))

    def _stamped(self, record: R) -> R:
        _writable(type(record))
        return replace(record, id=None, project=self._scope[0], env=self._scope[1])


def _writable(kind: type[Record]) -> None:
    """The store writes its own records itself."""
    if kind in (Audit, Lease):
        raise TypeError(f"{kind.__name__} is written by the store alone")


def _only(kind: type[R], found: list[R]) -> R | None:
    if len(found) > 1:
        raise ValueError(f"several {kind.__name__} records answer where one was asked for")
    return found[0] if found else None
