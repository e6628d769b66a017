"""The ground of a training run: which rows, known when, divided how, and the identity of all that it follows from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard import data, train
from modelyard.data import Frame
from modelyard.digest import canonical, digest
from modelyard.errors import NotFound
from modelyard.evaluate import Scored
from modelyard.models import signature, target
from modelyard.records import Observation, Version
from modelyard.spec.code import read_function
from modelyard.spec.load import Project
from modelyard.spec.models import Model
from modelyard.spec.types import Spec
from modelyard.store import Store
from modelyard.train import Cut, leak

SEEN = 50_000
"""So many training rows tell as much of a fit as all of them."""
LEANING = 0.05
"""A column with less of the model's weight changes no world."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One model at one time: its declaration, the versions of its data, its rows and how they are cut. `fitted` are the rows
    that what is released is fitted on, and no others; the signature is theirs."""

    name: str
    model: Model
    as_of: datetime
    start: datetime | None
    dataset: Version
    views: Mapping[str, Version]
    frame: Frame
    cut: Cut
    fitted: Frame
    signature: dict[str, Any]
    window: str = "all rows"

    @property
    def entity(self) -> str:
        """model.NAME."""
        return f"model.{self.name}"

    @cached_property
    def rows(self) -> np.ndarray:
        """Where in the frame the rows of `fitted` are."""
        return _fitted(self.cut, self.model)

    def table(self, rows: np.ndarray, columns: Iterable[str] = ()) -> pa.Table:
        """Some rows of the frame; all columns, or these."""
        wanted = list(dict.fromkeys(columns))
        return (self.frame.table.select(wanted) if wanted else self.frame.table).take(pa.array(rows))

    @cached_property
    def test(self) -> pa.Table:
        """The rows to judge by."""
        return self.table(self.cut.test)

    @cached_property
    def seen(self) -> pa.Table:
        """Rows that the model was fitted on, to tell what it learnt by heart: the newest, or without times some of all."""
        rows = self.cut.train
        if self.frame.time is None and len(rows) > SEEN:
            rows = rows[np.linspace(0, len(rows) - 1, SEEN).astype(np.int64)]
        return self.table(rows[-SEEN:])

    def labels(self, table: pa.Table) -> np.ndarray:
        """The target of rows, as `fit` and the metrics take it."""
        return target.encode(table, self.signature)

    def scored(self, table: pa.Table, answers: np.ndarray) -> Scored:
        """Answers beside the labels of the same rows."""
        classes = self.signature["classes"]
        return Scored(self.model.task, self.labels(table), answers, tuple(classes) if classes else None)

    def times(self, rows: np.ndarray) -> tuple[datetime | None, datetime | None]:
        """First and last time of some rows; None without times."""
        if self.frame.time is None or not len(rows):
            return None, None
        column = self.frame.table.column(self.frame.time)
        first, last = column[int(rows[0])].as_py(), column[int(rows[-1])].as_py()
        return first, last


def prepare(
    store: Store,
    spec: Spec,
    name: str,
    *,
    as_of: datetime,
    pinned: Mapping[str, int] | None = None,
) -> Trial:
    """Read and cut the rows of a model. `pinned`: entity to version number; default the newest versions.

    DataError when they cannot be trained on, NotFound when the data was not built yet.
    """
    model = spec.models[name]
    dataset = _version(store, f"dataset.{model.data}", pinned)
    views = {view: _version(store, f"feature.{view}", pinned) for view in model.features}
    frame = data.training_frame(
        store,
        spec,
        name,
        dataset=dataset,
        views=views,
        as_of=as_of,
        start=train.window.farthest(model.window, as_of),
    )
    start, why = _begin(store, spec, name, frame, as_of)
    frame = _from(frame, start)
    cut = train.split(frame, model.split, as_of=as_of, seed=model.seed)
    leak.refuse_copies(frame.table, frame.inputs, model.target, cut.train, where=f"model.{name}")
    fitted = replace(frame, table=frame.table.take(pa.array(_fitted(cut, model))))
    described = signature.infer(fitted.table, frame.inputs, model.target, model.task, model.positive)
    return Trial(name, model, as_of, start, dataset, views, frame, cut, fitted, described, why)


def _fitted(cut: Cut, model: Model) -> np.ndarray:
    return cut.all if model.split.refit == "all" else cut.train


def _begin(store: Store, spec: Spec, name: str, frame: Frame, as_of: datetime) -> tuple[datetime | None, str]:
    """Where the rows of a model begin, and why."""
    if frame.time is None:
        return None, "all rows"
    now = pa.scalar(as_of, pa.timestamp("us", "UTC"))
    known = pc.and_(pc.is_valid(frame.table[frame.target]), pc.less_equal(frame.table[frame.known_at], now))
    times = _micros(frame.table[frame.time].filter(pc.fill_null(known, False)))
    model = spec.models[name]
    return train.window.choose(model.window, times, as_of, changed(store, spec, name, as_of), model.split.test)


def changed(store: Store, spec: Spec, model: str, as_of: datetime) -> datetime | None:
    """When the world of a model changed last, as its monitors said up to `as_of`: `began` of what alarmed them, and of columns
    that the model leans on and that have not only come back to a former state."""
    watching = [name for name, monitor in spec.monitors.items() if spec.deployments[monitor.deployment].model == model]
    found = store.read(Observation, monitor=watching, level=["warn", "page"], at__le=as_of)
    onsets = [
        datetime.fromisoformat(str(part["began"]))
        for each in found
        for part in (each.detail, *each.detail.get("changed", ()))
        if part.get("began") and part.get("change") != "recurring" and (part.get("importance") or 1.0) >= LEANING
    ]
    aware = [onset if onset.tzinfo else onset.replace(tzinfo=UTC) for onset in onsets]
    return max((onset for onset in aware if onset <= as_of), default=None)


def _from(frame: Frame, start: datetime | None) -> Frame:
    """The rows of a frame from a time on."""
    if start is None or frame.time is None:
        return frame
    first = int(np.searchsorted(_micros(frame.table[frame.time]), round(start.timestamp() * 1e6)))
    return replace(frame, table=frame.table.slice(first)) if first else frame


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()


def content(store: Store, project: Project, trial: Trial) -> tuple[dict[str, Any], str]:
    """All that the model follows from, as the first part of its version's body, and the version's digest.

    Code, lock and signature are kept as blobs here.
    """
    model = trial.model
    code = read_function(project.directory, model.train)
    lock = project.environment()
    first, last = trial.times(trial.rows)
    body = {
        "task": model.task,
        "target": model.target,
        "positive": trial.signature["positive"],
        "classes": trial.signature["classes"],
        "inputs": list(trial.frame.inputs),
        "dataset": _source(trial.dataset),
        "features": {view: _source(version) for view, version in trial.views.items()},
        "code": {"function": code.function, "fingerprint": code.fingerprint, "blob": keep(store, code.files)},
        "params": dict(model.params),
        "seed": model.seed,
        "recipe": train.recipe(model),
        "lock": {"digest": lock.digest, "blob": store.blobs.put(lock.text.encode())},
        "as_of": trial.as_of.isoformat(),
        "window": {"start": trial.start.isoformat() if trial.start else None, "end": None, "says": trial.window},
        "split": trial.cut.as_json(),
        "train_rows": len(trial.cut.train),
        "test_rows": len(trial.cut.test),
        "fitted_rows": len(trial.rows),
        "data_start": first.isoformat() if first else None,
        "data_end": last.isoformat() if last else None,
        "label_delay_seconds": dict(trial.cut.delay),
        "signature": store.blobs.put(canonical(trial.signature)),
    }
    return body, _identity(trial, body)


def keep(store: Store, files: Mapping[str, str]) -> str:
    """Keep files as a blob tree, as `Blobs.put_tree` does for a folder."""
    return store.blobs.put(canonical({name: store.blobs.put(text.encode()) for name, text in sorted(files.items())}))


def _identity(trial: Trial, body: Mapping[str, Any]) -> str:
    """The digest of what the model follows from: not when it was made, nor the limits that it was made in."""
    cut = trial.cut
    zero = int(trial.rows[0])
    recipe = {part: value for part, value in body["recipe"].items() if part not in ("limits", "split")}
    return digest(
        {
            "entity": trial.entity,
            **{part: body[part] for part in ("task", "target", "positive", "classes", "inputs", "params", "seed")},
            "data": [trial.dataset.digest, *(version.digest for version in trial.views.values())],
            "rows": [digest((rows - zero).astype("<i8").tobytes()) for rows in (cut.train, cut.test)],
            "first": body["data_start"],
            "code": body["code"]["fingerprint"],
            "lock": body["lock"]["digest"],
            "recipe": recipe,
            "signature": body["signature"],
            "baseline": list(trial.model.baseline.by),
            "parity": trial.model.parity,
        }
    )


def latest(store: Store, entity: str) -> Version | None:
    """The newest version of an entity."""
    return next(iter(store.read(Version, entity=entity, order="number", descending=True, limit=1)), None)


def _version(store: Store, entity: str, pinned: Mapping[str, int] | None) -> Version:
    version = store.one(Version, entity=entity, number=pinned[entity]) if pinned else latest(store, entity)
    if version is None:
        raise NotFound(f"{entity} has not been built yet", hint="Run: yard apply")
    return version


def _source(version: Version) -> dict[str, Any]:
    return {
        "entity": version.entity,
        "digest": version.digest,
        "number": version.number,
        "table": version.body["table"],
        "table_version": version.body["table_version"],
        "as_of": version.as_of.isoformat(),
        "time": version.body["time"],
    }
