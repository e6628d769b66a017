"""A table in a file that a user names: read as the files of a source are, so that both mean the same."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as parquet

from modelyard.errors import DataError

if TYPE_CHECKING:
    from modelyard.spec.tables import Source


CSV = (".csv", ".csv.gz", ".csv.zip")


def read(path: Path, *, texts: Collection[str] = ()) -> pa.Table:
    """A CSV (also .gz, .zip) or Parquet file as a table. DataError when there is none or it is none.

    `texts`: columns of a CSV file that are text, whatever their values look like.
    """
    name = path.name.lower()
    if path.is_dir():
        raise DataError("this is a folder", where=str(path), hint="Name one file.")
    if not path.is_file():
        raise DataError("no such file", where=str(path), hint="Check the path.")
    if name.endswith(".parquet"):
        try:
            return _plain(parquet.ParquetFile(path).read(), path)
        except (pa.ArrowException, OSError) as error:
            raise DataError("it cannot be read as Parquet", where=str(path), hint="Write it again.") from error
    if name.endswith(CSV):
        return _csv(path, texts)
    raise DataError("cannot read this kind of file", where=str(path), hint="Give .csv, .csv.gz, .csv.zip or .parquet.")


def _plain(table: pa.Table, path: Path) -> pa.Table:
    """Without the numbers of rows that pandas writes beside the data."""
    double = sorted(name for name, times in Counter(table.column_names).items() if times > 1)
    if double:
        raise DataError(f"two columns are named {double[0]!r}", where=str(path), hint="Rename one.")
    return table.select([name for name in table.column_names if not name.startswith("__index_level_")])


def _csv(path: Path, texts: Collection[str]) -> pa.Table:
    from modelyard.data import csv_files, duck

    with tempfile.TemporaryDirectory() as folder, duck.connect(Path(folder)) as connection:
        found = csv_files.parse(connection, path, _source(path, texts), cache=Path(folder), where=str(path))
        return parquet.read_table(found.path, memory_map=False)


def _source(path: Path, texts: Collection[str]) -> Source:
    from modelyard.spec.tables import Source

    return Source(uri=str(path), types=dict.fromkeys(texts, "string"))
