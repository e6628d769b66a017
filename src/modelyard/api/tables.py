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
GIVE = "Give .csv, .csv.gz, .csv.zip or .parquet."


def read(path: Path, *, texts: Collection[str] = ()) -> pa.Table:
    """A CSV (also .gz, .zip) or Parquet file, or a folder of Parquet files, as a table. DataError when there is none or it
    is none.

    `texts`: columns of a CSV file that are text, whatever their values look like.
    """
    name = path.name.lower()
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise DataError("no such file", where=str(path), hint="Check the path.")
    if name.endswith((".parquet", ".pq")):
        try:
            return _plain(parquet.ParquetFile(path).read(), path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                "it cannot be read as Parquet", where=str(path), hint=_hint(path, "Write it again.")
            ) from error
    if not name.endswith(CSV):
        raise DataError("cannot read this kind of file", where=str(path), hint=_hint(path, GIVE))
    if not name.endswith((".gz", ".zip")) and (known := _hint(path, "")):
        raise DataError("it cannot be read as CSV", where=str(path), hint=known)
    return _csv(path, texts)


def _folder(path: Path) -> pa.Table:
    """All Parquet files below a folder, as Spark and others write one table; folders called `key=value` are columns."""
    if not any(each.is_file() for each in path.rglob("*.parquet")):
        raise DataError("this is a folder", where=str(path), hint="Name one file, or a folder of Parquet files.")
    try:
        return _plain(parquet.read_table(path), path)
    except (pa.ArrowException, OSError) as error:
        hint = "It must hold the Parquet files of one table, with the same columns, and nothing else."
        raise DataError("its files cannot be read as one table", where=str(path), hint=hint) from error


def _hint(path: Path, otherwise: str) -> str:
    """What to do with a file that is not what it is taken for, by how it begins."""
    with path.open("rb") as file:
        head = file.read(8)
    known = (
        (b"PAR1", "It is Parquet: call it .parquet."),
        (b"PK\x03\x04", "It looks like a workbook of Excel: save the sheet as CSV. A zipped CSV is called .csv.zip."),
        (b"\xd0\xcf\x11\xe0", "It looks like a workbook of Excel: save the sheet as CSV."),
        (b"\x1f\x8b", "It is compressed by gzip: call it .csv.gz."),
        (b"ARROW1", "It is an Arrow file: write it as Parquet."),
        ((b"\xff\xfe", b"\xfe\xff"), "The text is UTF-16: save it as UTF-8, e.g. iconv -f utf-16 -t utf-8 OLD > NEW."),
    )
    return next((hint for start, hint in known if head.startswith(start)), otherwise)


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
