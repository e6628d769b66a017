"""A million rows by 20 columns ingested, checked and kept as a snapshot, against a bare read and Delta write.

python bench/ingest.py [ROWS]          # seconds and their ratio, from Parquet and from CSV (at most 3 is the goal)
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from deltalake import write_deltalake

from modelyard import data
from modelyard.clock import SimulatedClock
from modelyard.engines import LocalEngine
from modelyard.spec.load import Project
from modelyard.spec.types import Spec
from modelyard.store import open_store

AS_OF = datetime(2030, 1, 1, tzinfo=UTC)
ROUNDS = 3


def make(folder: Path, rows: int) -> None:
    """Write the same 20 columns as Parquet and as CSV."""
    numbers = ", ".join(f"random() * {i + 1} AS n{i}" for i in range(9))
    integers = ", ".join(f"CAST(random() * 1000 AS INTEGER) AS i{i}" for i in range(5))
    texts = ", ".join(f"'value' || CAST(random() * {10 ** (i + 1)} AS INTEGER) AS s{i}" for i in range(4))
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE t AS SELECT i AS id, TIMESTAMPTZ '2020-01-01 00:00:00+00' + to_seconds(i) AS at,"
            f" {numbers}, {integers}, {texts} FROM range({rows}) r(i)"
        )
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY t TO '{folder}/rows.parquet'")
        connection.execute(f"COPY t TO '{folder}/rows.csv'")


def declared(folder: Path, kind: str) -> Project:
    """A dataset of all rows with the usual checks."""
    checks = [
        {"unique": ["id"]},
        {"not_null": ["id", "at", "n0", "i0", "s0"]},
        {"between": {"column": "n0", "min": 0, "max": 1}},
        {"row_count": {"min": 1000}},
    ]
    spec = {
        "project": "bench",
        "sources": {"raw": {"uri": f"rows.{kind}", "time": "at"}},
        "datasets": {"kept": {"sql": "SELECT * FROM raw", "key": ["id"], "time": "at", "checks": checks}},
    }
    return Project(folder, Spec.model_validate(spec), "", folder)


def bare(folder: Path, kind: str) -> float:
    """Seconds of a read and a Delta write with nothing in between."""
    target = folder / "bare"
    shutil.rmtree(target, ignore_errors=True)
    start = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        write_deltalake(str(target), connection.execute(f"FROM '{folder}/rows.{kind}'").to_arrow_table())
    return time.perf_counter() - start


def ours(folder: Path, kind: str) -> float:
    """Seconds of a first build, into an empty store."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        store = open_store(home, project="bench", clock=SimulatedClock(AS_OF))
        project = declared(folder, kind)
        start = time.perf_counter()
        version = data.build_dataset(
            store, project, "kept", as_of=AS_OF, fingerprint="bench", actor="bench", engine=LocalEngine()
        )
        took = time.perf_counter() - start
        assert version.body["rows"] > 0
        store.close()
    return took


def main() -> int:
    """Alternate both ways and print the best of each: the machine's noise only adds."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows)
        for kind in ("parquet", "csv"):
            times = [(ours(folder, kind), bare(folder, kind)) for _ in range(ROUNDS)]
            mine, plain = (min(column) for column in zip(*times, strict=True))
            print(
                f"{rows:,} x 20 from {kind}: {mine:.2f} s, bare read and write {plain:.2f} s, ratio {mine / plain:.2f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
