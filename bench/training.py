"""What Modelyard adds to a training run over the bare fit: prints both, the ratio and the difference (goal: ≤ 3 s).

The bare run is a script that reads the same rows, fits on the cut and on all rows, and predicts. Ours does the same
with a child process, a store, verdicts, a compiled form, a reference profile and MLflow. Usage: bench/training.py [ROWS]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard import data
from modelyard.clock import SimulatedClock
from modelyard.digest import digest
from modelyard.engines.local import LocalEngine
from modelyard.loop.model_step import build_model
from modelyard.spec.fingerprints import fingerprints
from modelyard.spec.load import load
from modelyard.store import open_store

START = datetime(2025, 1, 1, tzinfo=UTC)
NUMBERS, WORDS = 15, 4
YARD = """
    project: bench
    sources: {raw: {uri: rows.parquet, time: at}}
    datasets: {rows: {sql: SELECT * FROM raw, key: [id], time: at}}
    models:
      bench:
        {task: binary_classification, data: rows, target: y, train: "bench_model:fit", seed: 7,
         checks: [{metric: {name: roc_auc, min: 0.5}}, {better_than: {release: baseline}}]}
"""
FIT = """
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    def fit(X, y, seed):
        words = [name for name in X.columns if X[name].dtype == object]
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        columns = make_column_transformer((codes, words), remainder="passthrough")
        return make_pipeline(columns, HistGradientBoostingClassifier(random_state=seed)).fit(X, y)
"""
BARE = """
    import pandas as pd
    from bench_model import fit
    rows = pd.read_parquet("rows.parquet").sort_values("at")
    X = rows.drop(columns=["id", "at", "y"])
    X = X.astype({name: object for name in X.columns if not pd.api.types.is_numeric_dtype(X[name])})
    y = rows["y"].astype(int)
    cut = int(len(X) * 0.8)
    fit(X[:cut], y[:cut], 7).predict_proba(X)
    fit(X, y, 7).predict_proba(X)
"""


def rows(count: int) -> pa.Table:
    """`count` rows over a year, 15 numbers and 4 texts."""
    rng = np.random.default_rng(1)
    at = [START + timedelta(seconds=365 * 86400 * i / count) for i in range(count)]
    table = {"id": np.arange(count), "at": pa.array(at, pa.timestamp("us", "UTC"))}
    table |= {f"n{i}": rng.normal(size=count) for i in range(NUMBERS)}
    table |= {f"w{i}": rng.choice(list("ABCDEFGH"), count).tolist() for i in range(WORDS)}
    table["y"] = table["n0"] + rng.normal(size=count) > 0.5
    return pa.table(table)


def bare(folder: Path) -> np.ndarray:
    """Seconds of the bare script, its start included: of the wall's clock, and of the processors."""
    started = spent()
    subprocess.run([sys.executable, "-c", textwrap.dedent(BARE)], cwd=folder, check=True)
    return spent() - started


def spent() -> np.ndarray:
    """The wall's clock, and what this process and its children had of the processors so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return np.array([time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)])


def ours(folder: Path, home: Path) -> list[np.ndarray]:
    """Seconds of two training runs of ours, the first of a process and a later one; the data is built already."""
    project = load(folder)
    clock, engine = SimulatedClock(START + timedelta(days=400)), LocalEngine()
    store = open_store(home, project="bench", clock=clock)
    fingerprint = digest(fingerprints(project)["dataset.rows"])
    data.build_dataset(store, project, "rows", as_of=clock.now(), fingerprint=fingerprint, actor="bench", engine=engine)
    took = []
    for number in range(2):
        (folder / "yard.yaml").write_text(textwrap.dedent(YARD).replace("seed: 7", f"seed: {7 + number}"))
        project = load(folder)
        started = spent()
        build_model(store, project, "bench", as_of=clock.now(), actor="bench", engine=engine, why="bench")
        took.append(spent() - started)
    store.close()
    return took


def main(count: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        folder.mkdir()
        pq.write_table(rows(count), folder / "rows.parquet")
        (folder / "yard.yaml").write_text(textwrap.dedent(YARD))
        (folder / "bench_model.py").write_text(textwrap.dedent(FIT))
        first, later = ours(folder, Path(name) / "home")
        plain = bare(folder)
    print(f"{count:,} rows; seconds of the clock, and of the processors, which other work does not stretch")
    print(f"bare                   {plain[0]:6.2f}          {plain[1]:6.2f}")
    for what, took in (("first run of a process", first), ("a later run", later)):
        more = took - plain
        print(f"{what:22} {took[0]:6.2f} ({more[0]:+.2f})  {took[1]:6.2f} ({more[1]:+.2f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 80_000)
