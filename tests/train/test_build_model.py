"""From rows to a release: what is built, kept, judged, found again, and what a failure leaves behind."""

import json
import textwrap
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard import data, models, train
from modelyard.digest import digest
from modelyard.errors import DataError, UserCodeError
from modelyard.loop.model_step import build_model, judge_again
from modelyard.models import Baseline
from modelyard.records import Alias, Release, Run, Verdict, Version
from modelyard.spec.fingerprints import fingerprints
from modelyard.spec.load import load
from modelyard.stats.profile import Profile

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=60)

YARD = """
    project: shop
    sources:
      sold: {uri: orders.parquet, time: at}
    datasets:
      orders:
        sql: SELECT * FROM sold
        key: [id]
        time: at
        known_at: [{columns: [returned], after: 1d}]
    models:
      returns:
        task: binary_classification
        data: orders
        target: returned
        train: shop:fit
        params: {C: 1.0}
        split: {test: 10d}
        baseline: {by: [channel]}
        checks:
          - {metric: {name: roc_auc, min: MINIMUM}}
          - {better_than: {release: baseline, by: 1%}}
          - {better_than: {release: champion, by: -50%}}
          - {slices: {by: [channel], metric: roc_auc, min: 0.5}, severity: warn}
"""
FIT = """
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    def fit(X, y, *, params, seed):
        words = OneHotEncoder(handle_unknown="ignore")
        columns = make_column_transformer((words, ["channel"]), remainder="passthrough")
        return make_pipeline(columns, LogisticRegression(random_state=seed, **params)).fit(X, y)
"""


def orders(days):
    rng = np.random.default_rng(3)
    count = days * 40
    price = rng.normal(0, 1, count)
    return pa.table(
        {
            "id": range(count),
            "at": pa.array([START + timedelta(minutes=36 * i) for i in range(count)], pa.timestamp("us", "UTC")),
            "channel": rng.choice(["web", "shop"], count).tolist(),
            "price": price,
            "returned": price + rng.normal(0, 0.7, count) > 0.5,
        }
    )


@pytest.fixture
def yard(store, engine, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    pq.write_table(orders(90), folder / "orders.parquet")
    store.clock.set(NOW)

    class Yard:
        def write(self, yard=YARD, fit=FIT, minimum="0.6"):
            (folder / "yard.yaml").write_text(textwrap.dedent(yard).replace("MINIMUM", minimum))
            (folder / "shop.py").write_text(textwrap.dedent(fit))
            return self

        def rows(self, as_of=NOW):
            self.project = load(folder)
            self.dataset = data.build_dataset(
                store, self.project, "orders", as_of=as_of, actor="ann", engine=engine,
                fingerprint=digest(fingerprints(self.project)["dataset.orders"]),
            )  # fmt: skip
            return self

        def build(self, as_of=NOW):
            return build_model(store, self.project, "returns", as_of=as_of, actor="ann", engine=engine, why="test")

        def frame(self, as_of=NOW):
            return data.training_frame(store, self.project.spec, "returns", dataset=self.dataset, views={}, as_of=as_of)

    return Yard().write()


def test_a_model_is_built_judged_and_released_with_all_that_it_follows_from(yard, store, engine, tmp_path):
    outcome = yard.rows().build()
    body = outcome.version.body

    assert [verdict.state for verdict in outcome.verdicts] == ["pass"] * 4
    assert store.read(Verdict, subject=outcome.version.digest) != []
    assert outcome.release.body["version"]["digest"] == outcome.version.digest
    assert outcome.release.state == "approved"
    run = store.one(Run)
    assert (run.state, run.body["version"], run.mlflow_id != "") == ("done", 1, True), run.body

    assert body["classes"] == [False, True]
    assert body["inputs"] == ["channel", "price"]
    assert body["label_delay_seconds"] == {"p50": 86400.0, "p95": 86400.0}
    assert body["split"]["left_out"] == {"label unknown": 40}
    assert body["train_rows"] + body["test_rows"] == body["fitted_rows"] == 59 * 40 + 1
    assert set(body["metrics"]) == {"train", "test", "baseline", "champion"}
    assert {each["value"] for each in body["slices"]} == {"web", "shop"}

    described = json.loads(store.blobs.get(body["signature"]))
    frame = yard.frame()
    store.blobs.checkout(body["artefact"], tmp_path / "m")
    native = models.load(tmp_path / "m", signature=described, compiled=False).predict(frame.table)
    assert body["compiled"]["kept"], body["compiled"]
    np.testing.assert_allclose(models.load(tmp_path / "m", signature=described).predict(frame.table), native, atol=1e-4)
    assert Baseline.from_json(store.blobs.get(body["baseline"])).predict(frame.table).shape == native.shape
    profile = Profile.from_json(json.loads(store.blobs.get(body["reference"])))
    assert sorted(profile.columns) == ["channel", "prediction", "price"]

    again = train.refit(store, engine, outcome.release.body, frame, job_name="again")
    assert again.manifest["native"] == body["manifest"]["native"]


def test_what_is_judged_may_be_what_is_released(yard, store):
    body = yard.write(YARD.replace("{test: 10d}", "{test: 10d, refit: none}")).rows().build().release.body
    assert body["fitted_rows"] == body["train_rows"]
    assert body["manifest"]["native"] == body["cut"]["native"]


def test_the_same_ground_is_not_fitted_twice(yard, store):
    first, second = yard.rows().build(), yard.build()
    assert (second.version, second.release) == (first.version, first.release)
    assert len(store.read(Run)) == 1
    assert len(store.read(Verdict, entity="model.returns")) == 4


def test_a_failed_check_is_recorded_and_releases_nothing_until_the_bar_is_lowered(yard, store):
    refused = yard.write(minimum="0.999").rows().build()
    assert refused.release is None
    assert refused.verdicts[0].state == "fail"
    assert "artefact" not in refused.version.body, "what does not pass is not fitted on all rows"
    assert store.one(Version, entity="model.returns").number == 1

    yard.write(minimum="0.7").rows()
    passed = judge_again(store, yard.project, "returns", actor="ann", as_of=NOW)
    assert passed.release.number == 1
    assert passed.release.body["manifest"]["native"] != passed.release.body["cut"]["native"]
    assert {"artefact", "compiled", "reference", "performance", "baseline", "sample"} <= set(passed.release.body)
    assert judge_again(store, yard.project, "returns", actor="ann", as_of=NOW).release == passed.release
    assert len(store.read(Run)) == 1
    assert len(store.read(Version, entity="model.returns")) == 1


def test_a_candidate_meets_the_champion_on_rows_that_it_has_not_seen_or_its_recipe_on_the_same_cut(yard, store):
    first = yard.rows().build()
    with store.transaction(actor="ann", action="release.promoted", subject="returns") as tx:
        tx.add(Alias(model="returns", alias="champion", number=first.release.number, at=NOW))

    soon = NOW + timedelta(days=1)
    said = yard.rows(soon).build(soon).verdicts[2]
    assert said.state == "pass"
    assert "returns@1, its recipe fitted on the same rows, on 400 test rows" in said.says
    assert said.detail["other"] == said.detail["value"], "the same recipe on the same rows is the same model"
    changed = yard.write(YARD.replace("{C: 1.0}", "{C: 0.01}")).rows(soon).build(soon).verdicts[2]
    assert "returns@1, its recipe fitted on the same rows" in changed.says
    assert changed.detail["other"] == said.detail["value"] != changed.detail["value"]

    later = NOW + timedelta(days=8)
    said = yard.write().rows(later).build(later).verdicts[2]
    assert "returns@1 on 320 test rows that it has not seen" in said.says
    assert len(store.read(Release)) == 4


def test_a_function_that_fails_leaves_a_failed_run_and_nothing_else(yard, store):
    yard.write(fit="def fit(X, y):\n    raise ValueError('no')").rows()
    with pytest.raises(UserCodeError, match="ValueError: no"):
        yard.build()
    run = store.one(Run)
    assert run.state == "failed" and "ValueError: no" in run.error and "Traceback" in run.body["log"]
    assert store.one(Version, entity="model.returns") is None

    yard.write().rows()
    assert yard.build().release is not None


def test_too_young_rows_are_a_sentence(yard):
    early = START + timedelta(hours=20)
    yard.rows(early)
    with pytest.raises(DataError, match=r"only 0 of 34 rows can be trained on \(34 label unknown\)"):
        yard.build(early)
