"""Versioned tables of rows: Delta Lake in a directory, readable by DuckDB, Spark and Polars.

Every version stays readable for good: nothing is vacuumed, and the log is never cut.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from modelyard.errors import Conflict, DataError, InputError, NotFound
from modelyard.store import durable
from modelyard.store.arrow import Rows

_Mode = Literal["append", "overwrite"]
Within = tuple[str, datetime, datetime]
"""A column of times, and the span [start, end) that its values are wanted of."""
_CHECKPOINT = 10
_CONFIGURATION: dict[str, str | None] = {
    # By default the log is cut after 30 days, and with it the way back to older versions.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    # Opening a table reads what was committed since the last checkpoint; by default that are up to 100 commits.
    "delta.checkpointInterval": str(_CHECKPOINT),
}


class Table:
    """One Delta table, `name` below `root`; writers of one machine go one after the other."""

    def __init__(self, root: Path, name: str) -> None:
        if not all(re.fullmatch(r"[^\W_][\w .=+-]*", part) for part in name.split("/")):
            raise InputError("a table's name is letters, digits and _ - . = + in parts divided by /.", where=repr(name))
        self.name = name
        self.directory = root / name
        self._latest: _Open | None = None
        self._opening = threading.Lock()
        self._spans: dict[str, _Spans] = {}

    def exists(self) -> bool:
        """Whether it has a version."""
        return self._commit_file(0).exists()

    def version(self) -> int:
        """The latest version, from 0; NotFound when there is none."""
        return self._open().version()

    def files(self, version: int | None = None, *, within: Within | None = None) -> list[str]:
        """Absolute paths of the Parquet files of a version (default: the latest); a later file may have more columns.

        DuckDB reads them together; `scan` gives the SQL for that. `within` leaves out files that cannot hold such rows.
        """
        if within is not None:
            column, start, end = within
            return [span.path for span in self.spans(column, version) if span.holds(start, end)]
        return [self._path(uri) for uri in self._open(version).file_uris()]

    def spans(self, column: str, version: int | None = None) -> list[Span]:
        """The files of a version (default: the latest), with the smallest and largest value of a column of times."""
        table = self._open(version)
        if version is not None:
            return self._noted(table, column)
        with self._opening:
            latest, kept = table.version(), self._spans.get(column)
            if kept is None or kept.version > latest:
                kept = _Spans(latest, {span.path: span for span in self._noted(table, column)})
            for number in range(kept.version + 1, latest + 1):
                kept = self._changed(kept, number, column)
            self._spans[column] = kept
            return list(kept.files.values())

    def _changed(self, before: _Spans, number: int, column: str) -> _Spans:
        """The files of the next version: what its commit added and removed."""
        files = dict(before.files)
        # As bytes: of texts, the statistics hold the smallest and largest, in which other signs may end a line.
        for line in self._commit_file(number).read_bytes().splitlines():
            action = json.loads(line)
            if "remove" in action:
                files.pop(self._path(action["remove"]["path"]), None)
            if "add" in action:
                path, stats = self._path(action["add"]["path"]), json.loads(action["add"].get("stats") or "{}")
                ends = (stats.get(f"{end}Values", {}).get(column) for end in ("min", "max"))
                low, high = (datetime.fromisoformat(end).astimezone(UTC) if end else None for end in ends)
                files[path] = Span.noted(path, stats.get("numRecords", 0), low, high)
        return _Spans(number, files)

    def _noted(self, table: DeltaTable, column: str) -> list[Span]:
        added = pa.table(table.get_add_actions(flatten=True))
        ends = [
            added[name].to_pylist() if (name := f"{end}.{column}") in added.column_names else [None] * len(added)
            for end in ("min", "max")
        ]
        paths = map(self._path, added["path"].to_pylist())
        return [Span.noted(*each) for each in zip(paths, added["num_records"].to_pylist(), *ends, strict=True)]

    def _path(self, uri: str) -> str:
        # Delta gives percent-encoded URLs; our tables have no partitions, so the name is all we need of them.
        return str(self.directory / uri.rpartition("/")[2])

    def holding(self, within: Within, names: Iterable[str]) -> tuple[list[str], set[str]]:
        """The files that may hold rows of a span, and which pieces of data (`once`) the very same version has already."""
        column, start, end = within
        if not (names := list(names)):
            return self.files(within=within), set()
        # Of one version, whatever is written meanwhile: not the handle that is read on.
        table = self._open(self.version())
        paths = [span.path for span in self._noted(table, column) if span.holds(start, end)]
        return paths, {name for name in names if table.transaction_version(name) is not None}

    def scan(self, version: int | None = None, *, within: Within | None = None) -> str:
        """A DuckDB table expression over the rows of a version: `SELECT ... FROM {scan}`; columns not yet there are null.

        With `within`, over the files that may hold such rows (always one at least): other rows are among them.
        """
        return scanned(self.files(version, within=within) or self.files(version)[:1])

    def schema(self, version: int | None = None) -> pa.Schema:
        """The columns of a version and their types."""
        return pa.schema(self._open(version).schema().to_arrow())

    def append(self, data: pa.Table | pa.RecordBatchReader, *, once: str | None = None) -> int:
        """Add rows and return the new version. Columns that are new are added, missing ones are null.

        With `once`, the name of this piece of data, a repetition writes nothing and returns the present version. DataError
        when a column's values do not fit the type it has (see `store.arrow`).
        """
        return self._write(data, "append", once)

    def overwrite(
        self, data: pa.Table | pa.RecordBatchReader, *, once: str | None = None, over: int | None = None
    ) -> int:
        """Replace rows and columns and return the new version; older versions stay readable. `once` as for append.

        `over` is the version that was read to make `data`: Conflict when another one has come since, whose rows would
        be lost.
        """
        return self._write(data, "overwrite", once, over)

    def compact(self) -> int:
        """Write many small files together and return the version; the rows stay the same."""
        with self._alone():
            table = self._open()
            version, before = table.version(), set(table.file_uris())
            table.optimize.compact()
            return self._settled(table, version, before)

    def _write(
        self, data: pa.Table | pa.RecordBatchReader, mode: _Mode, once: str | None, over: int | None = None
    ) -> int:
        with self._alone():
            table = self._open() if self.exists() else None
            if table is None:
                self._commit(str(self.directory), Rows(data), mode, once)
                return self._settled(self._open(), -1, set())
            # Delta accepts a repeated transaction, and would double the rows.
            if once is not None and table.transaction_version(once) is not None:
                return table.version()
            version, before = table.version(), set(table.file_uris())
            if over is not None and over != version:
                raise Conflict(f"version {version} has come since version {over} was read.", where=f"table {self.name}")
            existing = pa.schema(table.schema().to_arrow()) if mode == "append" else None
            self._commit(table, Rows(data, existing), mode, once)
            return self._settled(table, version, before)

    def _commit(self, target: DeltaTable | str, rows: Rows, mode: _Mode, once: str | None) -> None:
        marks = [Transaction(once, 1)] if once is not None else None
        try:
            write_deltalake(
                target,
                rows.reader,
                mode=mode,
                schema_mode="merge" if mode == "append" else "overwrite",
                configuration=None if isinstance(target, DeltaTable) else _configuration(rows.reader.schema),
                commit_properties=CommitProperties(app_transactions=marks),
            )
        except (DeltaError, pa.ArrowException, ValueError) as error:
            if rows.failure is not None:
                raise rows.failure from None
            raise DataError(f"the rows cannot be written: {error}", where=f"table {self.name}") from error

    def _settled(self, table: DeltaTable, version: int, before: set[str]) -> int:
        """fsync what came after `version`, when its files were `before`: Delta leaves that to the system."""
        log = self.directory / "_delta_log"
        written = {self.directory / uri.rpartition("/")[2] for uri in set(table.file_uris()) - before}
        for new in range(version + 1, table.version() + 1):
            written |= {self._commit_file(new), self._commit_file(new, ".checkpoint.parquet")}
        # A checkpoint's pointer is written anew each time.
        for path in written | {log / "_last_checkpoint"}:
            if path.is_file():
                durable.sync(path)
        durable.sync(log)
        durable.sync(self.directory)
        return table.version()

    def _commit_file(self, version: int, kind: str = ".json") -> Path:
        """The file of the log that makes a version."""
        return self.directory / "_delta_log" / f"{version:020d}{kind}"

    def _open(self, version: int | None = None) -> DeltaTable:
        """A version; the latest one is kept open, and read on where others have written since.

        A handle never forgets a commit that it has read on: after 200, an append took twice as long as after none. So it
        is opened anew as often as there is a new checkpoint to open it from.
        """
        try:
            first = self._commit_file(0).stat()
        except FileNotFoundError:
            raise NotFound(f"there is no table {self.name}.", where=str(self.directory)) from None
        identity = first.st_ino, first.st_mtime_ns
        try:
            if version is not None:
                return DeltaTable(str(self.directory), version=version)
            with self._opening:
                kept = self._latest
                if kept is None or kept.identity != identity:
                    kept, self._spans = None, {}
                if kept is None or kept.table.version() - kept.version >= _CHECKPOINT:
                    table = DeltaTable(str(self.directory))
                    kept = self._latest = _Open(identity, table.version(), table)
                # Versions follow each other without a gap, and the log is never cut.
                if self._commit_file(kept.table.version() + 1).exists():
                    kept.table.update_incremental()
                return kept.table
        except TableNotFoundError:
            raise NotFound(f"there is no table {self.name}.", where=str(self.directory)) from None
        except DeltaError as error:
            raise NotFound(
                f"there is no version {version}, or it is damaged: {error}", where=f"table {self.name}"
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other writers of this machine out, between reading `once` and writing it."""
        durable.make_directory(self.directory)
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _configuration(schema: pa.Schema) -> dict[str, str | None]:
    """How a new table is kept. Statistics are noted of columns of times, which is what files are found by: each commit reads
    and writes those of all files, which after 200 commits of 30 columns took half of its time."""
    times = [
        each.name for each in schema if pa.types.is_timestamp(each.type) and re.fullmatch(r"[A-Za-z0-9_]+", each.name)
    ]
    if not times:
        return _CONFIGURATION | {"delta.dataSkippingNumIndexedCols": "0"}
    return _CONFIGURATION | {"delta.dataSkippingStatsColumns": ",".join(times)}


@dataclass(frozen=True)
class Span:
    """One Parquet file of a table: its rows, and the smallest and largest value of a column of times, where noted."""

    path: str
    rows: int
    low: datetime | None
    high: datetime | None

    @classmethod
    def noted(cls, path: str, rows: int, low: datetime | None, high: datetime | None) -> Span:
        """From the statistics of a commit, which cut times to milliseconds: the largest value may be a little larger."""
        return cls(path, rows, low, high and high + timedelta(microseconds=999))

    def holds(self, start: datetime, end: datetime | None = None) -> bool:
        """Whether there may be rows of [start, end) in it."""
        late = self.low is not None and end is not None and self.low >= end
        return not late and (self.high is None or self.high >= start)


@dataclass(frozen=True)
class _Open:
    """A handle of the table whose first commit is the file `identity`, opened at `version`."""

    identity: tuple[int, int]
    version: int
    table: DeltaTable


@dataclass(frozen=True)
class _Spans:
    """The files of a version, by path."""

    version: int
    files: dict[str, Span]


def scanned(paths: Iterable[str]) -> str:
    """A DuckDB table expression over Parquet files; a column that some do not have is null there."""
    # `=` in a path is no partition, and * ? [ are no patterns.
    plain = (re.sub(r"([*?\[])", r"[\1]", path).replace("'", "''") for path in paths)
    listed = ", ".join(f"'{path}'" for path in plain)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
