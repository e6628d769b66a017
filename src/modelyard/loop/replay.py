"""Recorded history as traffic: rows become requests at their time, labels come back when they were known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard import data
from modelyard.clock import SimulatedClock
from modelyard.digest import digest
from modelyard.engines.local import LocalEngine
from modelyard.errors import InputError
from modelyard.loop import upstream
from modelyard.loop.ground import latest_versions
from modelyard.serve import Gateway, Labels
from modelyard.serve.keys import of_columns
from modelyard.spec import Project
from modelyard.spec.fingerprints import fingerprints
from modelyard.spec.types import Spec
from modelyard.store import Store, open_store

PATIENCE = 3600.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class History:
    """The rows of one deployment, ordered by time, with the moment at which each label became known.

    `times` and `known` are microseconds since 1970, known is -1 for never; `arrival` orders rows by that moment.
    """

    frame: data.Frame
    times: np.ndarray
    known: np.ndarray
    arrival: np.ndarray

    @cached_property
    def arrivals(self) -> np.ndarray:
        """When labels became known, in order of `arrival`."""
        return self.known[self.arrival]

    @classmethod
    def of(cls, frame: data.Frame, model: str) -> History:
        """Index a frame for replay; a model without a time cannot be replayed."""
        if frame.time is None:
            raise InputError(
                "its dataset has no time, so its history cannot be replayed",
                where=f"models.{model}",
                hint="Declare `time` on the dataset.",
            )
        times = _micros(frame.table[frame.time])
        known = _micros(frame.table[data.KNOWN_AT])
        known = np.where(pc.is_valid(frame.table[frame.target]).to_numpy(zero_copy_only=False), known, -1)
        return cls(frame, times, known, np.argsort(known, kind="stable"))

    def rows(self, start: datetime, end: datetime) -> slice:
        """The rows whose time is in [start, end)."""
        low, high = np.searchsorted(self.times, [_micro(start), _micro(end)])
        return slice(int(low), int(high))

    def labels(self, start: datetime, end: datetime) -> np.ndarray:
        """Numbers of the rows whose label became known in [start, end)."""
        low, high = np.searchsorted(self.arrivals, [_micro(start), _micro(end)])
        return np.sort(self.arrival[low:high])


def _micro(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000)


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    values = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return pc.fill_null(values, -1).to_numpy()


def load(project: Project, home: Path, *, until: datetime, actor: str, engine: LocalEngine) -> dict[str, History]:
    """Build the whole history of every deployment's model as known at `until`, in a memory of its own under `home`."""
    store = open_store(home, project=project.spec.project, env="history", clock=SimulatedClock(until))
    with store.lease("history", wait=PATIENCE):
        return _load(store, project, until=until, actor=actor, engine=engine)


def _load(store: Store, project: Project, *, until: datetime, actor: str, engine: LocalEngine) -> dict[str, History]:
    parts = fingerprints(project)
    models = sorted({deployment.model for deployment in project.spec.deployments.values()})
    histories = {}
    for model in models:
        for entity in upstream.tables(project.spec, model):
            kind, name = entity.split(".", 1)
            build = data.build_dataset if kind == "dataset" else data.build_view
            build(
                store,
                project,
                name,
                as_of=until,
                fingerprint=digest(parts[entity]),
                actor=actor,
                engine=engine,
                gate=False,
            )
        versions = latest_versions(store)
        spec = project.spec.models[model]
        frame = data.training_frame(
            store,
            project.spec,
            model,
            dataset=versions[f"dataset.{spec.data}"],
            views={view: versions[f"feature.{view}"] for view in spec.features},
            as_of=until,
        )
        histories[model] = History.of(frame, model)
    return {name: histories[deployment.model] for name, deployment in project.spec.deployments.items()}


def arrived(spec: Spec, histories: Mapping[str, History], dataset: str, at: datetime) -> int | None:
    """How many rows a dataset had at a time; None of one that no replayed model learns from."""
    for name, history in histories.items():
        if spec.models[spec.deployments[name].model].data == dataset:
            return int(np.searchsorted(history.times, _micro(at)))
    return None


def send(gateway: Gateway, deployment: str, history: History, request_id: str, start: datetime, end: datetime) -> int:
    """Ask the gateway for every row of [start, end); each row is a request of its own. How many were answered."""
    span = history.rows(start, end)
    if span.start == span.stop:
        return 0
    frame = history.frame
    names = [*frame.key, frame.time, *frame.inputs]
    batch = frame.table.slice(span.start, span.stop - span.start).select(list(dict.fromkeys(names)))
    keys = routing_keys(history, span)
    answer = gateway.replay(
        deployment,
        batch,
        request_id=request_id,
        routing_keys=keys,
        times=batch[frame.time],
    )
    return answer.answered


def routing_keys(history: History, span: slice) -> list[str]:
    """The routing key of each row: its key where the dataset declares one, else its number in the history."""
    frame = history.frame
    if not frame.key:
        return [str(number) for number in range(span.start, span.stop)]
    there = frame.table.slice(span.start, span.stop - span.start)
    columns = {name: pa.array(map(str, there[name].to_pylist()), pa.string()) for name in frame.key}
    return of_columns(columns, len(there)) or []


def answer(
    gateway: Gateway,
    deployment: str,
    history: History,
    requests: list[tuple[str, slice]],
    start: datetime,
    end: datetime,
) -> int:
    """Give the gateway the labels that became known in [start, end) for rows already sent. How many were given."""
    numbers = history.labels(start, end)
    if not len(numbers) or not requests:
        return 0
    firsts = np.array([span.start for _, span in requests])
    within = (numbers >= firsts[0]) & (numbers < requests[-1][1].stop)
    numbers = numbers[within]
    which = np.searchsorted(firsts, numbers, side="right") - 1
    labels = Labels.of_rows(
        [requests[request][0] for request in which.tolist()],
        (numbers - firsts[which]).tolist(),
        history.frame.table[history.frame.target].take(pa.array(numbers)).to_pylist(),
        [_EPOCH + timedelta(microseconds=micros) for micros in history.known[numbers].tolist()],
        gateway.board(deployment).first(),
    )
    gateway.learn(deployment, labels)
    return len(numbers)
