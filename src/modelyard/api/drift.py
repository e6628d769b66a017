"""Two files compared: needs no project, no home, no door."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as parquet

from modelyard.errors import DataError, InputError
from modelyard.stats.frames import Comparison, examine

if TYPE_CHECKING:
    from modelyard.spec.types import Source


def drift(
    reference: Path,
    current: Path,
    *,
    key: Sequence[str] = (),
    time: str | None = None,
    columns: Sequence[str] = (),
    exclude: Sequence[str] = (),
    min_rows: int = 200,
    together: bool = True,
) -> Comparison:
    """Compare two files column by column, and as whole rows. InputError or DataError for what cannot be read."""
    tables = [read(path) for path in (reference, current)]
    try:
        return examine(
            *tables,
            key=key,
            time=time,
            columns=columns or None,
            exclude=exclude,
            min_rows=min_rows,
            together=together,
        )
    except ValueError as error:
        raise InputError(
            str(error), where=f"{reference.name}, {current.name}", hint="Names are as in the files."
        ) from error


def read(path: Path) -> pa.Table:
    """A CSV (also .gz, .zip) or Parquet file as a table. DataError when there is none or it is none."""
    name = path.name.lower()
    if not path.is_file():
        raise DataError("no such file", where=str(path), hint="Check the path.")
    if name.endswith(".parquet"):
        try:
            return parquet.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise DataError("it cannot be read as Parquet", where=str(path), hint="Write it again.") from error
    if name.endswith((".csv", ".csv.gz", ".csv.zip")):
        return _csv(path)
    raise DataError("cannot read this kind of file", where=str(path), hint="Give .csv, .csv.gz, .csv.zip or .parquet.")


def _csv(path: Path) -> pa.Table:
    from modelyard.data import csv_files, duck

    with tempfile.TemporaryDirectory() as folder, duck.connect(Path(folder)) as connection:
        found = csv_files.parse(connection, path, _source(path), cache=Path(folder), where=str(path))
        return parquet.read_table(found.path, memory_map=False)


def _source(path: Path) -> Source:
    from modelyard.spec.types import Source

    return Source(uri=str(path))
