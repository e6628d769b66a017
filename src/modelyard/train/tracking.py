"""Every finished run once more in MLflow tracking, for those who live there: a projection of our records, never their source.

The database is `mlflow.db` beside the store's files (`mlflow ui --backend-store-uri sqlite:///…/mlflow.db`), one
experiment per model, named PROJECT/MODEL. MLflow opens what is written here, and is not loaded for it: to load it and
let it make an empty database takes as long as training on some ten thousand rows (ADR 17).
"""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from datetime import datetime
from importlib import metadata
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from modelyard.clock import Clock
from modelyard.digest import digest
from modelyard.environ import inherited
from modelyard.records import Run
from modelyard.store import Store

_LONGEST = 500
_PATIENCE = 60.0
_one_at_a_time = Lock()


def project(store: Store, run: Run, *, tags: Mapping[str, str], artefact: Path | None = None) -> str:
    """Write a finished `run` with `tags` and the files of its artefact into MLflow; returns MLflow's run id.

    Metrics are `train.NAME` (on at most 50,000 training rows), `test.NAME`, `baseline.NAME`. The same run again is
    written over. Raises sqlite3.Error, OSError or SubprocessError: the caller decides what it costs.
    """
    identity = digest([store.project, store.env, run.key])[:32]
    folder = (store.files / "mlruns").resolve()
    if artefact is not None:
        shutil.copytree(artefact, folder / identity / "artifacts" / "model", dirs_exist_ok=True)
    tags = {
        **tags,
        "modelyard.env": store.env,
        "modelyard.as_of": run.as_of.isoformat(),
        "mlflow.runName": run.key,
    }
    with closing(_opened(store.files / "mlflow.db")) as database, database:
        database.execute("BEGIN IMMEDIATE")
        experiment = _experiment(database, f"{store.project}/{run.model}", folder.as_uri(), store.clock)
        _write(database, run, identity, experiment, f"{folder.as_uri()}/{identity}/artifacts", tags)
    return identity


def _write(
    database: sqlite3.Connection, run: Run, identity: str, experiment: int, place: str, tags: Mapping[str, str]
) -> None:
    """The rows of one run, as MLflow writes them."""
    for table in ("tags", "params", "metrics", "latest_metrics", "runs"):
        database.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (identity,))
    ended = _millis(run.ended or run.started)
    about: dict[str, Any] = {
        "run_uuid": identity, "name": run.key, "experiment_id": experiment, "artifact_uri": place,
        "status": "FINISHED" if run.state == "done" else "FAILED", "start_time": _millis(run.started), "end_time": ended,
        "lifecycle_stage": "active", "user_id": "unknown", "source_type": "UNKNOWN", "source_name": "",
        "entry_point_name": "", "source_version": "",
    }  # fmt: skip
    _insert(database, "runs", [about])
    _insert(database, "tags", ({"run_uuid": identity, "key": key, "value": value} for key, value in tags.items()))
    params = {name: str(value)[:_LONGEST] for name, value in run.params.items()}
    _insert(database, "params", ({"run_uuid": identity, "key": key, "value": value} for key, value in params.items()))
    metrics = [
        {"run_uuid": identity, "key": f"{part}.{name}", "timestamp": ended, "step": 0, **_number(value)}
        for part, values in run.metrics.items()
        for name, value in (values or {}).items()
        if isinstance(value, int | float)
    ]
    _insert(database, "metrics", metrics)
    _insert(database, "latest_metrics", metrics)


def _number(value: float) -> dict[str, Any]:
    """A metric's value, for which MLflow has no NaN and no infinity."""
    if math.isnan(value):
        return {"value": 0.0, "is_nan": True}
    return {"value": min(max(float(value), -sys.float_info.max), sys.float_info.max), "is_nan": False}


def _experiment(database: sqlite3.Connection, name: str, place: str, clock: Clock) -> int:
    """The experiment of that name, made if need be."""
    now = _millis(clock.now())
    about = {"name": name, "artifact_location": place, "lifecycle_stage": "active"}
    _insert(database, "experiments", [about | {"creation_time": now, "last_update_time": now}], "OR IGNORE")
    found = database.execute("SELECT experiment_id FROM experiments WHERE name = ?", (name,)).fetchone()
    return int(found[0])


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]], how: str = "") -> None:
    for row in rows:
        columns, places = ", ".join(row), ", ".join("?" * len(row))
        database.execute(f"INSERT {how} INTO {table} ({columns}) VALUES ({places})", tuple(row.values()))


def _opened(path: Path) -> sqlite3.Connection:
    """MLflow's database, made if need be: whole or not at all, by whoever is first."""
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="mlflow-") as folder:
            shutil.copyfile(_empty(), Path(folder) / path.name)
            with suppress(FileExistsError):  # another process was faster
                os.link(Path(folder) / path.name, path)
    return sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)


def warm() -> None:
    """Begin to make the empty database, where this machine has none yet, beside what the process does."""
    if not _kept().exists():
        Thread(target=_made_ahead, name="mlflow").start()


def _made_ahead() -> None:
    with suppress(sqlite3.Error, OSError, subprocess.SubprocessError):  # it shows again when a run is to be written
        _empty()


def _kept() -> Path:
    """Where the user's cache holds the empty database of the MLflow that is installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "modelyard" / f"mlflow-{metadata.version('mlflow-skinny')}.db"


def _empty() -> Path:
    """The empty database, which MLflow makes by all its migrations: once for a machine, in a process of its own."""
    kept = _kept()
    with _one_at_a_time:
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent, prefix="mlflow-") as folder:
                made = Path(folder) / kept.name
                _by_mlflow(made)
                with closing(sqlite3.connect(made)) as database, database:
                    database.execute("DELETE FROM experiments")  # one that names this folder
                os.replace(made, kept)
    return kept


def _by_mlflow(path: Path) -> None:
    """Let MLflow make a database."""
    asks = "import sys, mlflow; mlflow.MlflowClient(tracking_uri=sys.argv[1]).search_experiments(max_results=1)"
    subprocess.run(
        [sys.executable, "-c", asks, f"sqlite:///{path.resolve()}"],
        cwd=path.parent,
        env=inherited({"MLFLOW_DISABLE_TELEMETRY": "true"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
