"""How many recorded rows a simulation answers and logs in a second, in batches: the gateway's `replay`, nothing around it.

    python bench/simulate.py [ROWS] [BATCH]        # goal: at least 20,000 rows a second

A compiled model of 15 numbers and 4 texts answers; every row has its key, its routing key and its time, and is in the
log, on its way to the table of predictions, before the next batch comes. The bare predict is shown beside it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import textwrap
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import training

from modelyard import serve
from modelyard.clock import SimulatedClock
from modelyard.loop import apply as applying
from modelyard.loop.yard import Yard
from modelyard.spec.load import load
from modelyard.store import Store, open_store

ROWS, BATCH, ROUNDS = 100_000, 1_000, 3
DEPLOYMENTS = "deployments: {api: {model: bench}}"


def served(folder: Path, table: pa.Table) -> Store:
    """A store in which a model of the table serves."""
    pq.write_table(table, folder / "rows.parquet")
    declared = textwrap.dedent(training.YARD).replace("models:", f"{DEPLOYMENTS}\nmodels:")
    (folder / "yard.yaml").write_text(declared)
    (folder / "bench_model.py").write_text(textwrap.dedent(training.FIT))
    clock = SimulatedClock(training.START + timedelta(days=400))
    store = open_store(folder / "home", project="bench", env="simulation", clock=clock)
    applied = applying.apply(Yard(load(folder), store, "bench", simulated=True))
    assert applied.ok, [result.says for result in applied.results]
    return store


def play(store: Store, table: pa.Table, batch: int, name: str) -> float:
    """Seconds to replay the whole table, batch by batch."""
    gateway = serve.Gateway(store, clock=store.clock)
    gateway.refresh()
    asked = table.drop_columns(["y"])
    keys = [str(number) for number in asked["id"].to_pylist()]
    started = time.perf_counter()
    for start in range(0, len(asked), batch):
        rows = asked.slice(start, batch)
        answer = gateway.replay(
            "api", rows, request_id=f"{name}-{start}", routing_keys=keys[start : start + batch], times=rows["at"]
        )
        assert answer.answered == len(rows)
    took = time.perf_counter() - started
    gateway.close()
    return took


def bare(store: Store, table: pa.Table, batch: int) -> float:
    """Seconds of the model's own answers to the same batches."""
    gateway = serve.Gateway(store, clock=store.clock)
    gateway.refresh()
    model = gateway.board("api").first().model
    asked = table.drop_columns(["id", "at", "y"])
    started = time.perf_counter()
    for start in range(0, len(asked), batch):
        model.predict(asked.slice(start, batch).combine_chunks())
    took = time.perf_counter() - started
    gateway.close()
    return took


def main(count: int = ROWS, batch: int = BATCH) -> None:
    """Measure and print the median of a few rounds."""
    with tempfile.TemporaryDirectory() as name:
        table = training.rows(count)
        store = served(Path(name), table)
        ours = statistics.median(play(store, table, batch, f"r{number}") for number in range(ROUNDS))
        plain = statistics.median(bare(store, table, batch) for _ in range(ROUNDS))
        store.close()
    print(f"{count:,} rows in batches of {batch:,}: {count / ours:,.0f} rows/s, goal 20,000")
    print(f"the model alone: {count / plain:,.0f} rows/s, ratio {ours / plain:.1f}")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
