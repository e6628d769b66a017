"""New data in the sources: the tables grow by it, and predictions get the labels that came with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard import data, serve
from modelyard.digest import digest
from modelyard.loop import apply as applying
from modelyard.loop.ground import latest_versions, survey
from modelyard.loop.yard import Yard
from modelyard.plan import BuildDataset, BuildView
from modelyard.records import Deployment, Mark
from modelyard.serve import Labels
from modelyard.serve.keys import of_columns
from modelyard.spec.sources import digests
from modelyard.store import Held
from modelyard.store.predictions import window

MARK = "sources"
LABELS_REACH_BACK = timedelta(days=400)
AGAIN = timedelta(minutes=10)
"""How often to look when no file has changed: rows and labels may become known by time alone."""


def refresh(yard: Yard, held: Held) -> None:
    """When the sources' files have changed, or some time has passed, append new rows and take the labels among them.

    A file that fails its checks leaves the last good version standing, and is looked at again when it changes.
    """
    seen = digest(digests(yard.project.data, yard.project.spec.sources))
    mark = yard.store.one(Mark, name=MARK)
    if mark is not None and mark.value["digest"] == seen and yard.now - mark.at < AGAIN:
        return
    plan, parts = survey(yard.project, yard.store, as_of=yard.now)
    work = applying.Work(yard, parts, yard.now, held)
    appends = {change.entity for change in plan.changes if change.category == "data"}
    for step in plan.steps:
        if isinstance(step, BuildDataset | BuildView) and step.entity in appends:
            applying.run(work, step)
    for name, deployment in yard.project.spec.deployments.items():
        take_labels(yard, name, deployment.model)
    _remember(yard, seen, held)


def take_labels(yard: Yard, deployment: str, model: str) -> int:
    """Give the predictions of a deployment the labels that its dataset knows by now, by key. How many were new."""
    spec = yard.project.spec.models[model]
    declared = yard.project.spec.datasets[spec.data]
    version = latest_versions(yard.store).get(f"dataset.{spec.data}")
    if not declared.key or version is None or yard.store.one(Deployment, name=deployment) is None:
        return 0
    waiting = unlabelled(yard, deployment)
    if not waiting:
        return 0
    views = {view: latest_versions(yard.store)[f"feature.{view}"] for view in spec.features}
    frame = data.training_frame(yard.store, yard.project.spec, model, dataset=version, views=views, as_of=yard.now)
    known = frame.table.filter(pc.is_valid(frame.table[frame.target]))
    keys = of_columns({name: known[name].combine_chunks() for name in frame.key}, len(known)) or []
    chosen = np.flatnonzero([key in waiting for key in keys])
    if not len(chosen):
        return 0
    gateway = serve.Gateway(yard.store, clock=yard.store.clock)
    try:
        gateway.refresh()
        labels = Labels.of_keys(
            [keys[place] for place in chosen.tolist()],
            known[frame.target].take(pa.array(chosen)).to_pylist(),
            _times(known[data.KNOWN_AT].take(pa.array(chosen)), yard.now),
            gateway.board(deployment).first(),
        )
        gateway.learn(deployment, labels, actor=yard.actor)
    finally:
        gateway.close()
    return len(chosen)


def _times(column: pa.ChunkedArray, now: datetime) -> list[datetime]:
    """When labels became known: their row's time where it says one, else now."""
    return [now if time is None else time.astimezone(UTC) for time in column.to_pylist()]


def unlabelled(yard: Yard, deployment: str) -> set[str]:
    """The keys (canonical JSON) of answered rows that have no label yet."""
    start: datetime = yard.now - LABELS_REACH_BACK
    log = window(yard.store, deployment, start=start, end=yard.now, columns=["key", "role"])
    open_rows = log.filter(pc.and_(pc.is_null(log["label"]), pc.equal(log["role"], "answer")))
    return set(open_rows["key"].to_pylist()) - {""}


def _remember(yard: Yard, seen: str, held: Held) -> None:
    store = yard.store
    with store.transaction(actor=yard.actor, action="sources.read", subject=store.project, fence=held) as tx:
        if not tx.change(Mark, {"name": MARK}, value={"digest": seen}, at=yard.now):
            tx.add(Mark(name=MARK, value={"digest": seen}, at=yard.now))
