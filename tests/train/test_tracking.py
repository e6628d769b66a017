"""Runs are projected into MLflow's own database, where MLflow's own client finds them."""

from datetime import UTC, datetime

from modelyard.records import Run
from modelyard.train import tracking

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

    client = tracking._client(f"sqlite:///{store.files / 'mlflow.db'}")
    found = client.get_run(identity)
    assert found.data.params == {"max_iter": "100"}
    assert found.data.metrics == {"train.log_loss": 0.4, "test.log_loss": 0.5, "baseline.log_loss": 0.6}
    assert found.data.tags["data.departures"] == "abc"
    assert found.info.status == "FINISHED"
    assert [each.path for each in client.list_artifacts(identity, "model")] == ["model/manifest.json"]
    assert client.get_experiment(found.info.experiment_id).name == "flights/late"
