"""The part of a prediction log that was asked for lately, with its labels, kept in memory as Arrow tables.

What is watched day after day are windows that hardly differ: a rollout looks at all rows since it began, a monitor at
the last week. Files of the table never change, and labels are only ever added, so that a window which is asked for again
costs what is new. Bounded: a window of more than `MOST` rows is not kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelyard.store import labels
from modelyard.store.labelled import LABEL, latest, typed
from modelyard.store.store import Store
from modelyard.store.table import Span

MOST = 500_000
# So many batches that together have no more rows become one: live, each look takes in the rows of some seconds.
_FEW, _SMALL = 32, 20_000
# So many windows are remembered, to know which rows will hardly be asked for again.
_LATELY = 32
_ORDER = ("at", "request_id", "row", "role")
_PLACE = "(place in the files)"
_BASE = (*_ORDER, "key")
_TIME = pa.timestamp("us", tz="UTC")
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(eq=False)
class _Batch:
    """Files whose rows were taken in together, in the order of windows (place i holds row `order[i]` of the files).

    `rows` has those of the columns `names` that were asked for so far, `requests` are their ids. `labels` are those of
    its rows, `latest` the columns that they make (None after new ones came), `until` the last of their times.
    """

    files: tuple[Span, ...]
    names: frozenset[str]
    rows: pa.Table
    order: pa.Array
    requests: pa.Array
    labels: pa.Table
    latest: pa.Table | None = None
    until: datetime | None = None

    def holds(self, start: datetime, end: datetime | None = None) -> bool:
        """Whether there may be rows of [start, end)."""
        return any(file.holds(start, end) for file in self.files)

    def label(self, given: pa.Table) -> None:
        """Take in those of some labels that belong to its rows."""
        mine = pc.is_in(given["request_id"], value_set=self.requests)
        by_key = pc.equal(given["request_id"], "")
        if pc.any(by_key).as_py():
            keys = self.rows["key"].combine_chunks()
            mine = pc.or_(mine, pc.and_(by_key, pc.is_in(given["key"], value_set=keys)))
        found = given.filter(mine)
        if len(found):
            self.labels = pa.concat_tables([self.labels, found])
            self.latest = None
            self.until = max(pc.max(self.labels[name]).as_py() for name in ("label_time", "label_received"))


class Recent:
    """The kept rows of one deployment; safe to use from several threads. `columns`: types of those that rows may have."""

    def __init__(self, columns: pa.Schema) -> None:
        self._lock = threading.Lock()
        self._columns = columns
        self._batches: list[_Batch] = []
        self._seen = 0
        self._starts: deque[datetime] = deque(maxlen=_LATELY)

    @property
    def held(self) -> tuple[int, int]:
        """How many rows and labels are kept."""
        return sum(len(batch.rows) for batch in self._batches), sum(len(batch.labels) for batch in self._batches)

    def window(
        self,
        store: Store,
        deployment: str,
        start: datetime,
        end: datetime,
        columns: Sequence[str],
        *,
        role: str | None,
        labelled: bool,
        known_by: datetime | None,
    ) -> pa.Table | None:
        """As `predictions.window`; None when it holds no rows, or too many to be kept."""
        with self._lock:
            if not self._hold(store, deployment, start, end):
                return None
            wanted = [batch for batch in self._batches if batch.holds(start, end)]
            if not wanted:
                return None
            self._add(wanted, columns)
            found = _in_order([self._part(batch, start, end, known_by) for batch in wanted])
        if labelled:
            found = found.filter(pc.is_valid(found["label"]))
        shown = [name for name in columns if name in found.column_names]
        if role is not None:
            found = found.select([*shown, *LABEL]).filter(pc.equal(found["role"], role))
        return typed(found.select([*shown, *LABEL]).combine_chunks())

    def _hold(self, store: Store, deployment: str, start: datetime, end: datetime) -> bool:
        """Keep the rows of [start, end) and all labels of what is kept; False when these are too many."""
        table = store.table(f"predictions/{deployment}")
        files = table.spans("at") if table.exists() else []
        wanted = [file for file in files if file.holds(start, end)]
        if sum(file.rows for file in wanted) > MOST:
            return False
        kept = {file.path for batch in self._batches for file in batch.files}
        if not kept <= {file.path for file in files}:  # the table was written anew
            self._batches, kept = [], set()
        self._starts.append(start)
        if not self._batches:
            self._seen = labels.last(store)
        self._take_in(store, deployment, [file for file in wanted if file.path not in kept])
        self._read_on(store, deployment)
        self._forget()
        return True

    def _read_on(self, store: Store, deployment: str) -> None:
        """Take in the labels of kept rows that came since the last look."""
        new = labels.since(store, deployment, self._seen)
        if len(new):
            self._seen = pc.max(new["id"]).as_py()
            for batch in self._batches:
                batch.label(new)

    def _take_in(self, store: Store, deployment: str, files: Sequence[Span]) -> None:
        """Keep the rows of files, with the columns that were asked for lately, and the labels that they had at the last
        look."""
        if not files:
            return
        wanted = self._batches[-1].rows.column_names if self._batches else _BASE
        names, rows = self._read(files, wanted)
        order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in _ORDER])
        rows = rows.take(order)
        batch = _Batch(tuple(files), names, rows, order, pc.unique(rows["request_id"]), labels.SCHEMA.empty_table())
        ids, keys = (labels.few(rows[name]) for name in ("request_id", "key"))
        batch.label(labels.of(store, deployment, ids, keys, self._seen))
        self._batches.append(batch)
        sizes = accumulate(len(each.rows) for each in reversed(self._batches))
        small = sum(size <= _SMALL for size in sizes)
        if small >= _FEW:
            self._batches[-small:] = [_together(self._batches[-small:])]

    def _read(self, files: Iterable[Span], names: Sequence[str]) -> tuple[frozenset[str], pa.Table]:
        """The columns that files have, and some of them: null in the rows of a file that has them not."""
        tables, all_of_them = [], set()
        for each in files:
            with pq.ParquetFile(each.path) as file:
                there = set(file.schema_arrow.names)
                tables.append(file.read(columns=[name for name in names if name in there]))
                all_of_them |= there
        names = [name for name in names if name in all_of_them]
        read = pa.concat_tables(tables, promote_options="permissive")
        known = [self._columns.field(name) if name in self._columns.names else read.field(name) for name in names]
        return frozenset(all_of_them), read.select(names).cast(pa.schema(known)).combine_chunks()

    def _add(self, batches: Iterable[_Batch], columns: Sequence[str]) -> None:
        """Read those of some columns that were not asked for before."""
        for batch in batches:
            names = [name for name in columns if name in batch.names and name not in batch.rows.column_names]
            if names:
                _, more = self._read(batch.files, names)
                more = more.take(batch.order)
                for name in names:
                    batch.rows = batch.rows.append_column(name, more[name])

    def _part(self, batch: _Batch, start: datetime, end: datetime, known_by: datetime | None) -> pa.Table:
        """The rows of a batch in [start, end), with their labels."""
        if batch.latest is None:
            batch.latest = latest(batch.rows, batch.labels)
        known = batch.latest
        if known_by is not None and batch.until is not None and known_by < batch.until:
            known = latest(batch.rows, batch.labels, known_by)
        at = batch.rows["at"].cast(pa.int64()).to_numpy()
        low, high = np.searchsorted(at, [pa.scalar(time, _TIME).value for time in (start, end)])
        rows = batch.rows
        for name in LABEL:
            rows = rows.append_column(name, known[name])
        return rows.slice(low, max(high - low, 0))

    def _forget(self) -> None:
        """Drop what no window asked for lately, once it is more than the rest."""
        since = min(self._starts)
        old = [batch for batch in self._batches if not batch.holds(since)]
        if 2 * sum(len(batch.rows) for batch in old) > sum(len(batch.rows) for batch in self._batches):
            self._batches = [batch for batch in self._batches if batch.holds(since)]


def _together(batches: Sequence[_Batch]) -> _Batch:
    """Several batches as one, with the columns that were read of all that have them."""
    names = frozenset().union(*(each.names for each in batches))
    read = [
        name
        for name in dict.fromkeys(name for each in batches for name in each.rows.column_names)
        if all(name in each.rows.column_names or name not in each.names for each in batches)
    ]
    parts, first = [], 0
    for each in batches:
        there = each.rows.select([name for name in read if name in each.rows.column_names])
        parts.append(there.append_column(_PLACE, pc.add(each.order, first)))
        first += len(each.order)
    rows = _in_order(parts).combine_chunks()
    return _Batch(
        files=tuple(file for each in batches for file in each.files),
        names=names,
        rows=rows.drop_columns([_PLACE]),
        order=rows[_PLACE].combine_chunks(),
        requests=pc.unique(rows["request_id"]),
        labels=pa.concat_tables([each.labels for each in batches]),
        until=max((each.until for each in batches if each.until is not None), default=None),
    )


def _in_order(parts: Sequence[pa.Table]) -> pa.Table:
    """The rows of parts, each in order, in the order of windows."""
    parts = sorted(parts, key=lambda part: part["at"][0].as_py() if len(part) else _NEVER)
    whole = pa.concat_tables(parts, promote_options="permissive")
    filled = [part for part in parts if len(part)]
    if all(one["at"][-1].as_py() < other["at"][0].as_py() for one, other in pairwise(filled)):
        return whole
    return whole.take(pc.sort_indices(whole, sort_keys=[(name, "ascending") for name in _ORDER]))


_RECENT: WeakKeyDictionary[Store, dict[str, Recent]] = WeakKeyDictionary()
_FINDING = threading.Lock()


def of(store: Store, deployment: str, columns: pa.Schema) -> Recent:
    """What a store's process keeps of a deployment's log; it ends with the store."""
    with _FINDING:
        mine = _RECENT.setdefault(store, {})
        if deployment not in mine:
            mine[deployment] = Recent(columns)
        return mine[deployment]
