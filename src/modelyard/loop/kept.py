"""What a release keeps of its training beside the model: what its answers, inputs and worth are compared with later.

What needs no model is worked out while the child process fits on the cut, what needs the model of the cut only while it
fits on all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard import models, monitor
from modelyard.digest import canonical
from modelyard.loop.trial import Trial
from modelyard.models import compiling
from modelyard.stats.performance import Performance
from modelyard.store import Store
from modelyard.train import Fitted, baseline, reference, worth
from modelyard.train.fitting import answers


@dataclass(frozen=True, eq=False)
class Asked:
    """The model of the cut, and what it answered for the test rows and for `trial.seen`."""

    model: models.Model
    test: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True, eq=False)
class Ground:
    """What needs no model: the rows that the released one is fitted on, and the profile of their inputs."""

    table: pa.Table
    inputs: reference.Inputs

    @classmethod
    def of(cls, trial: Trial) -> Ground:
        """Of a trial's rows; the profile is still to be worked out (`inputs.work`)."""
        frame = trial.fitted
        return cls(frame.table, reference.Inputs(frame.table, frame.inputs, frame.time))


@dataclass(frozen=True, eq=False)
class Ahead:
    """What needs the model of the cut only: what it was worth, and the digest of the baseline to fall back on."""

    known: Performance
    baseline: str


def ahead(store: Store, trial: Trial, asked: Asked, ground: Ground) -> Ahead:
    """What the model of the cut was worth on the test rows; and the baseline, stored."""
    table = ground.table
    known = worth.performance(
        trial.model.task,
        trial.test,
        trial.labels(trial.test),
        asked.test,
        asked.model.predict,
        inputs=trial.frame.inputs,
        time=trial.frame.time,
        classes=trial.signature["classes"] or (),
        seen=(trial.seen, trial.labels(trial.seen), asked.seen),
    )
    heuristic = baseline.fit(table, trial.labels(table), by=trial.model.baseline.by, signature=trial.signature)
    return Ahead(known, store.blobs.put(heuristic.to_json()))


def complete(
    store: Store, trial: Trial, asked: Asked, ground: Ground, before: Ahead, released: Fitted
) -> dict[str, Any]:
    """The artefact with its compiled form, and the references with the answers of the form that will serve, as digests."""
    table, time, classes = ground.table, trial.frame.time, trial.signature["classes"]
    parity = compiling.compile(released.model(), released.directory, table, trial.signature, trial.model.parity)
    given = answers(models.load(released.directory, signature=trial.signature), table, trial.model.train)
    own, known = None, before.known
    if trial.model.split.refit == "all":
        own = given[np.searchsorted(trial.rows, trial.cut.test)]
        known = known.fitted_again(asked.test, own)
        given = reference.as_unseen(given, own, asked.test)
    times = (table.column(time), trial.test.column(time)) if time else (None, None)
    profile = reference.profile(ground.inputs, given, classes, times[1], asked.test, own)
    rows = monitor.sample(reference.watched(table, given, trial.frame.inputs, classes), times[0])
    return {
        "artefact": store.blobs.put_tree(released.directory),
        "manifest": released.manifest,
        "compiled": parity,
        "baseline": before.baseline,
        "performance": store.blobs.put(canonical(known.to_json())),
        "reference": store.blobs.put(canonical(profile.to_json())),
        "sample": store.blobs.put(rows),
    }
