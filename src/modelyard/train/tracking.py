"""Every finished run once more in MLflow tracking, for those who live there: a projection of our records, never their source.

The database is `mlflow.db` beside the store's files (`mlflow ui --backend-store-uri sqlite:///…/mlflow.db`), one
experiment per model, named PROJECT/MODEL. MLflow is imported by the first projection only.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from modelyard.records import Run
from modelyard.store import Store

_LONGEST = 500
_one_at_a_time = threading.Lock()


def project(store: Store, run: Run, *, tags: Mapping[str, str], artefact: Path | None = None) -> str:
    """Write a finished `run` with `tags` and the files of its artefact into MLflow; returns MLflow's run id.

    Metrics are `train.NAME` (on at most 50,000 training rows), `test.NAME`, `baseline.NAME`. Raises what MLflow raises: the caller decides what it costs.
    """
    with _one_at_a_time, _quiet():
        client = _client(_database(store))
        experiment = _experiment(client, f"{store.project}/{run.model}", store.files / "mlruns")
        created = client.create_run(
            experiment,
            start_time=_millis(run.started),
            run_name=run.key,
            tags={**tags, "modelyard.env": store.env, "modelyard.as_of": run.as_of.isoformat()},
        )
        identity = created.info.run_id
        client.log_batch(identity, metrics=_metrics(run), params=_params(run.params))
        if artefact is not None:
            client.log_artifacts(identity, str(artefact), "model")
        ended = run.ended or run.started
        client.set_terminated(identity, "FINISHED" if run.state == "done" else "FAILED", end_time=_millis(ended))
        return str(identity)


def warm(store: Store) -> None:
    """Load MLflow and make its database, which takes seconds the first time; a failure shows again when it is used."""
    try:
        with _one_at_a_time, _quiet():
            _client(_database(store)).search_experiments(max_results=1)
    except Exception:  # whatever MLflow raises: this is only ahead of time
        logging.getLogger(__name__).debug("MLflow cannot be made ready", exc_info=True)


def _database(store: Store) -> str:
    return f"sqlite:///{store.files / 'mlflow.db'}"


@lru_cache(maxsize=8)
def _client(uri: str) -> Any:
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _experiment(client: Any, name: str, artefacts: Path) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=artefacts.resolve().as_uri()))
    except MlflowException:
        # Another process was faster.
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def _metrics(run: Run) -> list[Any]:
    from mlflow.entities import Metric

    at = _millis(run.ended or run.started)
    return [
        Metric(f"{part}.{name}", value, at, 0)
        for part, values in run.metrics.items()
        for name, value in (values or {}).items()
        if isinstance(value, int | float)
    ]


def _params(params: Mapping[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:_LONGEST]) for name, value in params.items()]


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow and the migrations of its database speak freely: only errors pass."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
