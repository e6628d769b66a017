"""Runs are projected into MLflow's own database, where MLflow's own client finds them."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from modelyard.records import Run
from modelyard.train import tracking

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow's own code
AT = datetime(2026, 1, 1, tzinfo=UTC)


def run(number):
    return Run(
        key=f"late-{number}", model="late", state="done", started=AT, ended=AT, as_of=AT, params={"max_iter": 100},
        metrics={"train": {"log_loss": 0.4}, "test": {"log_loss": 0.5}, "baseline": {"log_loss": 0.6}, "slices": None},
    )  # fmt: skip


def test_a_run_is_found_by_mlflow_itself(store, tmp_path):
    (tmp_path / "artefact").mkdir()
    (tmp_path / "artefact" / "manifest.json").write_text("{}")
    identity = tracking.project(store, run(1), tags={"data.departures": "abc"}, artefact=tmp_path / "artefact")
    assert tracking.project(store, run(2), tags={}) != identity

    client = client_of(store)
    found = client.get_run(identity)
    assert found.data.params == {"max_iter": "100"}
    assert found.data.metrics == {"train.log_loss": 0.4, "test.log_loss": 0.5, "baseline.log_loss": 0.6}
    assert found.data.tags["data.departures"] == "abc"
    assert (found.info.status, found.info.run_name) == ("FINISHED", "late-1")
    assert [each.path for each in client.list_artifacts(identity, "model")] == ["model/manifest.json"]
    assert client.get_experiment(found.info.experiment_id).name == "flights/late"


def test_mlflow_goes_on_where_a_run_was_written(store):
    identity = tracking.project(store, run(1), tags={})
    client = client_of(store)
    client.set_tag(identity, "note", "good")
    client.log_metric(identity, "later", 1.0)
    own = client.create_run(client.get_run(identity).info.experiment_id).info.run_id
    tracking.project(store, run(2), tags={})
    assert client.get_run(identity).data.tags["note"] == "good"
    assert len(client.search_runs([client.get_run(own).info.experiment_id])) == 3


def test_whoever_is_first_makes_the_database_for_all(store, monkeypatch):
    empty = tracking._empty

    def late():
        monkeypatch.setattr(tracking, "_empty", empty)
        tracking.project(store, run(2), tags={})  # another process is faster
        return empty()

    monkeypatch.setattr(tracking, "_empty", late)
    tracking.project(store, run(1), tags={})
    assert {each.info.run_name for each in client_of(store).search_runs(["1"])} == {"late-1", "late-2"}


def test_a_run_that_was_written_already_is_written_over(store):
    """The process may have died before its own record said so."""
    assert tracking.project(store, run(1), tags={"a": "1"}) == tracking.project(store, run(1), tags={"b": "2"})
    (found,) = client_of(store).search_runs(["1"])
    assert "a" not in found.data.tags and found.data.tags["b"] == "2"


def test_what_mlflow_cannot_hold_is_kept_as_it_would(store):
    odd = replace(run(1), metrics={"test": {"nan": float("nan"), "far": float("inf"), "no": None}})
    found = client_of(store).get_run(tracking.project(store, odd, tags={})).data.metrics
    assert set(found) == {"test.nan", "test.far"}
    assert np.isnan(found["test.nan"]) and found["test.far"] > 1e308


def test_the_empty_database_is_made_by_the_mlflow_installed_and_once_for_a_machine(store, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tracking.project(store, run(1), tags={})
    (kept,) = (tmp_path / "cache" / "modelyard").iterdir()
    monkeypatch.setattr(tracking, "_by_mlflow", lambda path: pytest.fail("it is there"))
    (store.files / "mlflow.db").unlink()
    tracking.project(store, run(2), tags={})
    assert [found.info.run_name for found in client_of(store).search_runs(["1"])] == ["late-2"]
    with closing(sqlite3.connect(kept)) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def client_of(store):
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow

    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{store.files / 'mlflow.db'}")
