"""A table in a file that a user names: read as the files of a source are, so that both mean the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as parquet

from modelyard.errors import DataError

if TYPE_CHECKING:
    from modelyard.spec.types import Source


def read(path: Path) -> pa.Table:
    """A CSV (also .gz, .zip) or Parquet file as a table. DataError when there is none or it is none."""
    name = path.name.lower()
    if not path.is_file():
        raise DataError("no such file", where=str(path), hint="Check the path.")
    if name.endswith(".parquet"):
        try:
            return _plain(parquet.read_table(path))
        except (pa.ArrowException, OSError) as error:
            raise DataError("it cannot be read as Parquet", where=str(path), hint="Write it again.") from error
    if name.endswith((".csv", ".csv.gz", ".csv.zip")):
        return _csv(path)
    raise DataError("cannot read this kind of file", where=str(path), hint="Give .csv, .csv.gz, .csv.zip or .parquet.")


def _plain(table: pa.Table) -> pa.Table:
    """Without the numbers of rows that pandas writes beside the data."""
    return table.select([name for name in table.column_names if not name.startswith("__index_level_")])


def _csv(path: Path) -> pa.Table:
    from modelyard.data import csv_files, duck

    with tempfile.TemporaryDirectory() as folder, duck.connect(Path(folder)) as connection:
        found = csv_files.parse(connection, path, _source(path), cache=Path(folder), where=str(path))
        return parquet.read_table(found.path, memory_map=False)


def _source(path: Path) -> Source:
    from modelyard.spec.types import Source

    return Source(uri=str(path))
