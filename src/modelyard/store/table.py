"""Versioned tables of rows: Delta Lake in a directory, readable by DuckDB, Spark and Polars.

Every version stays readable for good: nothing is vacuumed, and the log is never cut.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from modelyard.errors import DataError, InputError, NotFound
from modelyard.store import durable
from modelyard.store.arrow import Rows

_Mode = Literal["append", "overwrite"]
Within = tuple[str, datetime, datetime]
"""A column of times, and the span [start, end) that its values are wanted of."""
_CONFIGURATION: dict[str, str | None] = {
    # By default the log is cut after 30 days, and with it the way back to older versions.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    # Opening a table reads what was committed since the last checkpoint; by default that are up to 100 commits.
    "delta.checkpointInterval": "10",
}


class Table:
    """One Delta table, `name` below `root`; writers of one machine go one after the other."""

    def __init__(self, root: Path, name: str) -> None:
        if not all(re.fullmatch(r"[^\W_][\w .=+-]*", part) for part in name.split("/")):
            raise InputError("a table's name is letters, digits and _ - . = + in parts divided by /.", where=repr(name))
        self.name = name
        self.directory = root / name

    def exists(self) -> bool:
        """Whether it has a version."""
        return self.directory.is_dir() and DeltaTable.is_deltatable(str(self.directory))

    def version(self) -> int:
        """The latest version, from 0; NotFound when there is none."""
        return self._open().version()

    def files(self, version: int | None = None, *, within: Within | None = None) -> list[str]:
        """Absolute paths of the Parquet files of a version (default: the latest); a later file may have more columns.

        DuckDB reads them together; `scan` gives the SQL for that. `within` leaves out files that cannot hold such rows.
        """
        table = self._open(version)
        paths = table.file_uris() if within is None else _holding(table, within)
        # Delta gives percent-encoded URLs; our tables have no partitions, so the name is all we need of them.
        return [str(self.directory / path.rpartition("/")[2]) for path in paths]

    def holding(self, within: Within, names: Iterable[str]) -> tuple[list[str], set[str]]:
        """The files that may hold rows of a span, and which pieces of data (`once`) the very same version has already."""
        table = self._open()
        paths = [str(self.directory / path.rpartition("/")[2]) for path in _holding(table, within)]
        return paths, {name for name in names if table.transaction_version(name) is not None}

    def scan(self, version: int | None = None, *, within: Within | None = None) -> str:
        """A DuckDB table expression over the rows of a version: `SELECT ... FROM {scan}`; columns not yet there are null.

        With `within`, over the files that may hold such rows (always one at least): other rows are among them.
        """
        # `=` in a path is no partition, and * ? [ are no patterns.
        files = self.files(version, within=within) or self.files(version)[:1]
        paths = (re.sub(r"([*?\[])", r"[\1]", path).replace("'", "''") for path in files)
        listed = ", ".join(f"'{path}'" for path in paths)
        return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"

    def schema(self, version: int | None = None) -> pa.Schema:
        """The columns of a version and their types."""
        return pa.schema(self._open(version).schema().to_arrow())

    def append(self, data: pa.Table | pa.RecordBatchReader, *, once: str | None = None) -> int:
        """Add rows and return the new version. Columns that are new are added, missing ones are null.

        With `once`, the name of this piece of data, a repetition writes nothing and returns the present version. DataError
        when a column's values do not fit the type it has (see `store.arrow`).
        """
        return self._write(data, "append", once)

    def overwrite(self, data: pa.Table | pa.RecordBatchReader, *, once: str | None = None) -> int:
        """Replace rows and columns and return the new version; older versions stay readable. `once` as for append."""
        return self._write(data, "overwrite", once)

    def compact(self) -> int:
        """Write many small files together and return the version; the rows stay the same."""
        with self._alone():
            table = self._open()
            before = self._names(table)
            table.optimize.compact()
            return self._settled(table, before)

    def _write(self, data: pa.Table | pa.RecordBatchReader, mode: _Mode, once: str | None) -> int:
        with self._alone():
            table = self._open() if self.exists() else None
            if table is None:
                self._commit(str(self.directory), Rows(data), mode, once)
                return self._settled(self._open(), set())
            # Delta accepts a repeated transaction, and would double the rows.
            if once is not None and table.transaction_version(once) is not None:
                return table.version()
            before = self._names(table)
            existing = pa.schema(table.schema().to_arrow()) if mode == "append" else None
            self._commit(table, Rows(data, existing), mode, once)
            return self._settled(table, before)

    def _commit(self, target: DeltaTable | str, rows: Rows, mode: _Mode, once: str | None) -> None:
        marks = [Transaction(once, 1)] if once is not None else None
        try:
            write_deltalake(
                target,
                rows.reader,
                mode=mode,
                schema_mode="merge" if mode == "append" else "overwrite",
                configuration=None if isinstance(target, DeltaTable) else _CONFIGURATION,
                commit_properties=CommitProperties(app_transactions=marks),
            )
        except (DeltaError, pa.ArrowException, ValueError) as error:
            if rows.failure is not None:
                raise rows.failure from None
            raise DataError(f"the rows cannot be written: {error}", where=f"table {self.name}") from error

    def _settled(self, table: DeltaTable, before: set[Path]) -> int:
        """fsync what was not there before: Delta leaves that to the system."""
        log = self.directory / "_delta_log"
        # A checkpoint's pointer is written anew each time.
        for path in (self._names(table) - before) | {log / "_last_checkpoint"}:
            if path.is_file():
                durable.sync(path)
        durable.sync(log)
        durable.sync(self.directory)
        return table.version()

    def _names(self, table: DeltaTable) -> set[Path]:
        """The files of the log, and of the present version."""
        data = {self.directory / uri.rpartition("/")[2] for uri in table.file_uris()}
        return data | set((self.directory / "_delta_log").iterdir())

    def _open(self, version: int | None = None) -> DeltaTable:
        if not (self.directory / "_delta_log").is_dir():
            raise NotFound(f"there is no table {self.name}.", where=str(self.directory))
        try:
            return DeltaTable(str(self.directory), version=version)
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


def _holding(table: DeltaTable, within: Within) -> list[str]:
    """The files that may hold rows of a span, by the smallest and largest value that Delta notes of each."""
    column, start, end = within
    added = pa.table(table.get_add_actions(flatten=True))
    if f"min.{column}" in added.column_names:
        kind = added.schema.field(f"min.{column}").type
        outside = pc.or_(
            pc.greater_equal(added[f"min.{column}"], pa.scalar(end, kind)),
            pc.less(added[f"max.{column}"], pa.scalar(start, kind)),
        )
        added = added.filter(pc.invert(pc.fill_null(outside, False)))
    return [str(path) for path in added["path"].to_pylist()]
