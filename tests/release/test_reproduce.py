"""A release is built again from the store alone: the checkout is gone, the sources are overwritten."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard import data, release, train
from modelyard.clock import SimulatedClock
from modelyard.digest import canonical, digest
from modelyard.engines.local import LocalEngine, Outcome
from modelyard.errors import Refused
from modelyard.loop import environments
from modelyard.loop.reproduce import reproduce
from modelyard.loop.snapshot import snapshot
from modelyard.models import signature, target
from modelyard.records import Declaration, Version
from modelyard.spec import load
from modelyard.spec.code import read_function
from modelyard.spec.fingerprints import fingerprints
from modelyard.spec.lock import environment
from modelyard.store import Store, open_store

NOW = datetime(2020, 6, 1, tzinfo=UTC)
YAML = """
project: rides
sources:
  rides: {uri: data/rides.csv, time: at}
datasets:
  trips: {sql: "SELECT * FROM rides", key: [id], time: at}
models:
  price:
    task: regression
    data: trips
    target: y
    train: rides_model:fit
    split: {by: time, test: 30d, mature: 0s}
"""
FIT = """
from sklearn.linear_model import Ridge

def fit(X, y, *, params, seed):
    return Ridge(alpha=1.0).fit(X, y)
"""
NOISY = FIT.replace("fit(X, y)", "fit(X + __import__('os').getpid() * 1e-12, y)")


def rides(folder: Path, slope: float) -> None:
    x = np.random.default_rng(1).normal(size=120)
    lines = [
        f"{n},2020-0{1 + n // 30}-{1 + n % 28:02d}T12:00:00Z,{each},{slope * each + 1}" for n, each in enumerate(x)
    ]
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "rides.csv").write_text("id,at,x,y\n" + "\n".join(lines) + "\n")


def build(store: Store, folder: Path, fit: str) -> None:
    """Release a model of the project in `folder`, step by step as the loop does."""
    folder.mkdir()
    (folder / "yard.yaml").write_text(YAML)
    (folder / "rides_model.py").write_text(fit)
    rides(folder, 2.0)
    project, engine = load(folder), LocalEngine()
    parts = fingerprints(project)
    model = project.spec.models["price"]
    trips = data.build_dataset(
        store, project, "trips", as_of=NOW, fingerprint=digest(parts["dataset.trips"]), actor="ann", engine=engine
    )
    frame = data.training_frame(store, project.spec, "price", dataset=trips, views={}, as_of=NOW)
    cut = train.split(frame, model.split, as_of=NOW, seed=model.seed)
    rows = frame.table.take(cut.all)
    sig = signature.infer(rows, frame.inputs, "y", "regression")
    code = read_function(folder, model.train)
    fits = train.fit_each(
        store,
        engine,
        table=rows,
        y=target.encode(rows, sig),
        weights=None,
        rows={"all": np.arange(len(rows))},
        code=code,
        params={},
        seed=model.seed,
        limits=model.limits,
        signature=sig,
        job_name="first",
    )
    with fits as running:
        fitted = running.take("all")
    staged = folder.parent / "staged"
    for name, text in code.files.items():
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_text(text)
    lock = environment(folder, project.spec.packages)
    body: dict[str, Any] = {
        "as_of": NOW.isoformat(),
        "window": {"start": None, "end": None},
        "seed": model.seed,
        "params": {},
        "recipe": train.recipe(model),
        "fitted_rows": len(cut.all),
        "dataset": {"entity": "dataset.trips", "digest": trips.digest, "table_version": trips.body["table_version"]},
        "features": {},
        "code": {"function": code.function, "fingerprint": code.fingerprint, "blob": store.blobs.put_tree(staged)},
        "lock": {"digest": lock.digest, "blob": store.blobs.put(lock.text.encode())},
        "signature": store.blobs.put(canonical(sig)),
        "artefact": store.blobs.put_tree(fitted.directory),
        "manifest": fitted.manifest,
    }
    version = Version(
        entity="model.price",
        number=1,
        fingerprint=digest(parts["model.price"]),
        digest=digest(body),
        as_of=NOW,
        created=NOW,
        actor="ann",
        body=body,
    )
    release.create(store, model="price", version=version, verdicts=[], author="ann")
    with store.transaction(actor="ann", action="declaration.applied", subject="rides") as tx:
        tree = snapshot(project, store.blobs)
        tx.add(
            Declaration(digest="d", spec={}, fingerprints=parts, tree=tree, directory=str(folder), at=NOW, actor="ann")
        )
    shutil.rmtree(folder)
    folder.mkdir()
    rides(folder, -5.0)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "yard", project="rides", clock=SimulatedClock(NOW)) as opened:
        yield opened


def test_it_is_identical_with_the_checkout_deleted_and_the_sources_overwritten(store: Store, tmp_path: Path) -> None:
    build(store, tmp_path / "project", FIT)
    told: list[str] = []
    report = reproduce(store, "price@1", engine=LocalEngine(), progress=told.append)
    assert (report["release"], report["identical"], report["agrees"]) == ("price@1", True, True)
    assert "present one" in report["environment"]
    assert told


def test_a_fit_that_is_not_deterministic_is_compared_by_its_metrics(store: Store, tmp_path: Path) -> None:
    build(store, tmp_path / "project", NOISY)
    report = reproduce(store, "price@1", engine=LocalEngine(), progress=lambda _: None)
    assert (report["identical"], report["agrees"]) == (False, True)
    assert "its metrics agree within 0.0001" in report["says"]
    assert report["metrics"]["rmse"].keys() == {"recorded", "rebuilt"}


def test_the_interpreter_is_the_one_that_the_lock_names() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}.0"
    assert environments.interpreter(f"# Python {here}; the packages that were installed\n") == sys.executable
    with pytest.raises(Refused, match=r"Python 3.1.0, which is not here"):
        environments.interpreter("# Python 3.1.0; the packages that were installed\n")


class Unlucky:
    """An engine whose commands fail with these words."""

    def __init__(self, says: str) -> None:
        self.says = says

    def run(self, argv: list[str], *, cwd: Path, log: Path, timeout: timedelta) -> Outcome:
        log.write_text(self.says)
        return Outcome(1, 0.0, "crash")


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("Retrying: Failed to establish a new connection\nERROR: No matching", "no package index can be reached"),
        ("ERROR: No matching distribution found for nope==1", "could not be built: ERROR: No matching .* nope==1"),
        ("", "could not be built: it said nothing"),
    ],
)
def test_an_environment_that_cannot_be_built_says_why(store: Store, says: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        environments.prepare(store, Unlucky(says), "abc", "nope==1\n", lambda _: None)  # type: ignore[arg-type]
    assert not (store.files / "envs" / "abc" / "ready").exists()
