"""The champion beside a candidate, on rows that neither has seen; or its recipe fitted again on the candidate's cut."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard import data, models, release, train
from modelyard.data import Frame
from modelyard.errors import YardError
from modelyard.evaluate import Versus
from modelyard.loop.trial import Trial, latest
from modelyard.models import signature
from modelyard.records import Alias, Release, State, Version
from modelyard.spec.types import Spec
from modelyard.store import Store
from modelyard.train.fitting import Engine, answers, clear

ENOUGH = 100
_NONE: tuple[State, str] = ("pass", "there is no champion yet to compare with")


def champion(store: Store, model: str) -> Release | None:
    """The release that the alias champion of a model names."""
    alias = store.one(Alias, model=model, alias="champion")
    return store.one(Release, model=model, number=alias.number) if alias else None


def compare(
    store: Store, engine: Engine, spec: Spec, trial: Trial, body: Mapping[str, Any], own: np.ndarray
) -> tuple[Versus | None, tuple[State, str]]:
    """The candidate's answers `own` on the test rows beside the champion's; else None and what becomes of the check.

    Where at least 100 test rows are younger than the champion's data its stored artefact answers for them. Else, and
    where target or classes are others by now, its recipe is fitted again on the candidate's training rows; the same recipe
    as the candidate's (`body`) would give the candidate.
    """
    if not any(check.better_than and check.better_than.release == "champion" for check in trial.model.checks):
        return None, _NONE
    rival = champion(store, trial.name)
    if rival is None:
        return None, _NONE
    name = release.name(rival)
    if rival.body["task"] != trial.model.task:
        return None, ("pass", f"{name} answers another question ({rival.body['task']}): nothing to compare")
    try:
        frame = _frame(store, spec, trial, rival)
        return _compare(store, engine, trial, rival, body, frame, own, name), _NONE
    except YardError as error:
        return None, ("insufficient_data", f"{name} cannot be compared: {error}")


def _compare(
    store: Store,
    engine: Engine,
    trial: Trial,
    rival: Release,
    body: Mapping[str, Any],
    frame: Frame,
    own: np.ndarray,
    name: str,
) -> Versus:
    unseen = _unseen(trial, rival)
    if unseen.sum() >= ENOUGH:
        rows = trial.cut.test[unseen]
        found = _stored(store, rival).predict(frame.table.take(pa.array(rows)))
        says = f"{name} on {len(rows):,} test rows that it has not seen"
    else:
        unseen = np.ones(len(trial.cut.test), dtype=bool)
        found = own if _same(rival.body, body) else _again(store, engine, trial, rival, frame)
        says = f"{name}, its recipe fitted on the same rows, on {len(found):,} test rows"
    table = trial.test.filter(pa.array(unseen))
    return Versus(trial.scored(table, own[unseen]), trial.scored(table, found), f"({says})")


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two bodies are of one recipe, which gives the same model of the same rows."""
    fitted = ("params", "seed", "inputs", "task", "target", "positive", "classes")
    told = [
        (body["code"]["fingerprint"], body["recipe"]["frame"], body["recipe"]["half_life_seconds"])
        for body in (one, other)
    ]
    return told[0] == told[1] and all(one[part] == other[part] for part in fitted)


def _unseen(trial: Trial, rival: Release) -> np.ndarray:
    """Which test rows are younger than all that the champion was fitted on."""
    none = np.zeros(len(trial.cut.test), dtype=bool)
    same = rival.body["target"] == trial.model.target and rival.body["classes"] == trial.signature["classes"]
    if not same or trial.frame.time is None or rival.body["data_end"] is None:
        return none
    end = pa.scalar(datetime.fromisoformat(rival.body["data_end"]), pa.timestamp("us", "UTC"))
    times = trial.test.column(trial.frame.time).cast(pa.timestamp("us", "UTC"))
    return pc.greater(times, end).to_numpy().astype(bool)


def _stored(store: Store, rival: Release) -> models.Model:
    return load(store, rival.body["artefact"], rival.body["signature"])


def load(store: Store, artefact: str, described: str) -> models.Model:
    """A stored model in its native form; its files last as long as it does."""
    folder = Path(tempfile.mkdtemp(prefix="yard-model-"))
    try:
        store.blobs.checkout(artefact, folder)
        model = models.load(folder, signature=json.loads(store.blobs.get(described)), compiled=False)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    return model


def _again(store: Store, engine: Engine, trial: Trial, rival: Release, frame: Frame) -> np.ndarray:
    """The champion's code, parameters and seed, fitted on the candidate's training rows, answering the test rows."""
    train_rows = frame.table.take(pa.array(trial.cut.train))
    described = signature.infer(train_rows, frame.inputs, frame.target, trial.model.task, trial.model.positive)
    job = f"{trial.name}-champion-{rival.number}"
    try:
        fits = train.refit_on(
            store, engine, rival.body, frame, rows={"cut": trial.cut.train}, job_name=job, signature=described
        )
        with fits as running:
            fitted = running.take("cut")
        return answers(fitted.model(), frame.table.take(pa.array(trial.cut.test)), rival.body["code"]["function"])
    finally:
        clear(store, job)


def _frame(store: Store, spec: Spec, trial: Trial, rival: Release) -> Frame:
    """The candidate's rows with the champion's inputs, which may be others than the candidate's."""
    wanted: list[str] = rival.body["inputs"]
    if set(wanted) <= set(trial.frame.table.column_names):
        return replace(trial.frame, inputs=tuple(wanted))
    views = tuple(name for name in rival.body["features"] if name in spec.features)
    changed: dict[str, Any] = {"features": views, "exclude": ()}
    older = spec.model_copy(update={"models": {trial.name: trial.model.model_copy(update=changed)}})
    versions = {**trial.views, **_newest(store, [view for view in views if view not in trial.views])}
    frame = data.training_frame(
        store, older, trial.name, dataset=trial.dataset, views=versions, as_of=trial.as_of, start=trial.start
    )
    missing = [name for name in wanted if name not in frame.table.column_names]
    if missing:
        raise YardError(f"its input {missing[0]!r} is no longer in the data")
    return replace(frame, inputs=tuple(wanted))


def _newest(store: Store, views: list[str]) -> dict[str, Version]:
    found = {view: latest(store, f"feature.{view}") for view in views}
    gone = [view for view, version in found.items() if version is None]
    if gone:
        raise YardError(f"the feature view {gone[0]} that it uses was never built")
    return {view: version for view, version in found.items() if version is not None}
