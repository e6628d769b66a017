"""How many recorded rows a simulation answers and logs in a second, in batches: the gateway's `replay`, nothing around it.

    python bench/simulate.py [ROWS] [BATCH]        # goal: at least 20,000 rows a second

A compiled model of 15 numbers and 4 texts answers; every row has its key, its routing key and its time, and is in the
log, on its way to the table of predictions, before the next batch comes. The bare predict is shown beside it.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from datetime import timedelta
from pathlib import Path

import numpy as np
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


def play(store: Store, table: pa.Table, batch: int, name: str) -> np.ndarray:
    """Seconds to replay the whole table, batch by batch: of the wall's clock, and of the processors."""
    gateway = serve.Gateway(store, clock=store.clock)
    gateway.refresh()
    asked = table.drop_columns(["y"])
    keys = [str(number) for number in asked["id"].to_pylist()]
    started = training.spent()
    for start in range(0, len(asked), batch):
        rows = asked.slice(start, batch)
        answer = gateway.replay(
            "api", rows, request_id=f"{name}-{start}", routing_keys=keys[start : start + batch], times=rows["at"]
        )
        assert answer.answered == len(rows)
    took = training.spent() - started
    gateway.close()
    return took


def bare(store: Store, table: pa.Table, batch: int) -> np.ndarray:
    """As `play`, for the model's own answers to the same batches."""
    gateway = serve.Gateway(store, clock=store.clock)
    gateway.refresh()
    model = gateway.board("api").first().model
    asked = table.drop_columns(["id", "at", "y"])
    started = training.spent()
    for start in range(0, len(asked), batch):
        model.predict(asked.slice(start, batch).combine_chunks())
    took = training.spent() - started
    gateway.close()
    return took


def main(count: int = ROWS, batch: int = BATCH) -> None:
    """Measure and print the median of a few rounds."""
    with tempfile.TemporaryDirectory() as name:
        table = training.rows(count)
        store = served(Path(name), table)
        ours = np.median([play(store, table, batch, f"r{number}") for number in range(ROUNDS)], axis=0)
        plain = np.median([bare(store, table, batch) for _ in range(ROUNDS)], axis=0)
        store.close()
    for what, (wall, cpu) in {"replay, goal 20,000": ours, "the model alone": plain}.items():
        print(f"{what:20} {count / wall:9,.0f} rows/s, {count / cpu:9,.0f} per second of a processor")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
