"""The part of a prediction log that was asked for lately, with its labels, kept in memory by DuckDB.

What is watched day after day are windows that hardly differ: a rollout looks at all rows since it began, a monitor at
the last week. Files of the table never change, and labels are only ever added, so that a window which is asked for again
costs what is new. Bounded: a window of more than `MOST` rows is not kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.store import duck, labels
from modelyard.store.store import Store
from modelyard.store.table import Span, scanned

MOST = 500_000
FEW = 5_000
"""So many requests or keys are looked up one by one in the index of labels; for more, all labels are read."""
# So many windows are remembered, to know which rows will hardly be asked for again.
_LATELY = 32


@dataclass(frozen=True)
class _Batch:
    """Files whose rows were taken in together, as `number`."""

    number: int
    files: tuple[Span, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    def holds(self, start: datetime) -> bool:
        """Whether there may be rows from `start` on."""
        return any(file.holds(start) for file in self.files)


class Recent:
    """The kept rows of one deployment: tables `kept` (these columns, and the batch) and `labels` of a connection.

    Use it under its lock.
    """

    def __init__(self, columns: pa.Schema) -> None:
        self.lock = threading.Lock()
        self.connection = duck.cursor()
        self._columns = columns
        self._batches: list[_Batch] = []
        self._number = 0
        self._seen = 0
        self._starts: deque[datetime] = deque(maxlen=_LATELY)
        empty = columns.empty_table().append_column("batch", pa.array([], pa.int64()))
        for name, table in (("kept", empty), ("labels", labels.SCHEMA.empty_table())):
            self.connection.register("nothing", table)
            self.connection.execute(f"CREATE TEMP TABLE {name} AS FROM nothing")

    def hold(self, store: Store, deployment: str, start: datetime, end: datetime) -> bool:
        """Keep the rows of [start, end) and all labels of what is kept; False when these are too many."""
        table = store.table(f"predictions/{deployment}")
        files = table.spans("at") if table.exists() else []
        wanted = [file for file in files if file.holds(start, end)]
        if sum(file.rows for file in wanted) > MOST:
            return False
        kept = {file.path for batch in self._batches for file in batch.files}
        if not kept <= {file.path for file in files}:  # the table was written anew
            self._drop(self._batches)
            kept = set()
        self._starts.append(start)
        self._read_on(store, deployment)
        self._take_in(store, deployment, [file for file in wanted if file.path not in kept])
        self._forget()
        return True

    def _read_on(self, store: Store, deployment: str) -> None:
        """Take in the labels of kept rows that came since the last look."""
        if not self._batches:
            self._seen = labels.last(store)
            return
        new = labels.since(store, deployment, self._seen)
        if len(new):
            self._seen = pc.max(new["id"]).as_py()
            self._label("kept", new)

    def _take_in(self, store: Store, deployment: str, files: Sequence[Span]) -> None:
        """Keep the rows of files, and the labels that they have by now."""
        if not files:
            return
        self._number += 1
        names = ", ".join(f"'{name}'" for name in self._columns.names)
        self.connection.execute(
            f"CREATE TEMP TABLE fresh AS SELECT COLUMNS(name -> name IN ({names})), {self._number} AS batch "
            f"FROM {scanned([file.path for file in files])}"
        )
        found = labels.of(store, deployment, *(few(self.connection, "fresh", each) for each in ("request_id", "key")))
        self._label("fresh", found.filter(pc.less_equal(found["id"], self._seen)))
        self.connection.execute("INSERT INTO kept BY NAME FROM fresh")
        self.connection.execute("DROP TABLE fresh")
        self._batches.append(_Batch(self._number, tuple(files)))

    def _label(self, rows: str, given: pa.Table) -> None:
        """Keep those of some labels that belong to rows of a table."""
        # Asked one after the other: of an OR of both, DuckDB would try every label against all rows.
        for address, is_its in (("request_id", pc.not_equal), ("key", pc.equal)):
            mine = given.filter(is_its(given["request_id"], ""))
            if len(mine):
                self.connection.register("given", mine)
                self.connection.execute(f"INSERT INTO labels FROM given SEMI JOIN {rows} USING ({address})")
                self.connection.unregister("given")

    def _forget(self) -> None:
        """Drop what no window asked for lately, once it is more than the rest."""
        since = min(self._starts)
        old = [batch for batch in self._batches if not batch.holds(since)]
        if 2 * sum(batch.rows for batch in old) > sum(batch.rows for batch in self._batches):
            self._drop(old)

    def _drop(self, batches: Sequence[_Batch]) -> None:
        numbers = [batch.number for batch in batches]
        self._batches = [batch for batch in self._batches if batch.number not in numbers]
        self.connection.execute("DELETE FROM kept WHERE batch IN (SELECT unnest($1))", [numbers])
        self.connection.execute(
            "DELETE FROM labels WHERE NOT (request_id <> '' AND request_id IN (SELECT request_id FROM kept) "
            "OR request_id = '' AND key IN (SELECT key FROM kept))"
        )


def few(connection: duckdb.DuckDBPyConnection, rows: str, column: str) -> list[str] | None:
    """The distinct values of a column of a table but for the empty one, or None when they are many."""
    found = connection.execute(f"SELECT DISTINCT {column} FROM {rows} WHERE {column} <> '' LIMIT {FEW + 1}").fetchall()
    return None if len(found) > FEW else [each[0] for each in found]


_RECENT: WeakKeyDictionary[Store, dict[str, Recent]] = WeakKeyDictionary()
_FINDING = threading.Lock()


def of(store: Store, deployment: str, columns: pa.Schema) -> Recent:
    """What a store's process keeps of a deployment's log; it ends with the store."""
    with _FINDING:
        mine = _RECENT.setdefault(store, {})
        if deployment not in mine:
            mine[deployment] = Recent(columns)
        return mine[deployment]
