"""Reproduce: build a release again from what the store holds alone, and say whether it is the same.

Data by the recorded versions (the sources may be overwritten), the declaration and the code from blobs (the checkout may
be gone), the fit in the release's own environment (another library may be installed by now).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard import data, models, release, train
from modelyard.engines.local import LocalEngine
from modelyard.errors import NotFound, Refused
from modelyard.loop import environments
from modelyard.models import target
from modelyard.records import Release, Version
from modelyard.release.folder import declared
from modelyard.spec import Project, load
from modelyard.spec.lock import environment
from modelyard.stats import metrics
from modelyard.store import Store
from modelyard.train import Fitted

Progress = Callable[[str], None]


def reproduce(store: Store, ref: str, *, engine: LocalEngine, progress: Progress = print) -> dict[str, Any]:
    """Build the release `ref` again.

    The report: `{"release", "digest", "identical", "agrees", "environment", "artefact", "metrics", "largest", "says"}`;
    `artefact` has the digests of the model file; `identical` says that they are the same, `agrees` that they are or else
    that every metric on the labelled rows is the same within the declared `parity`.
    """
    found = release.find(store, ref)
    with tempfile.TemporaryDirectory() as folder:
        project = rehydrate(store, found, Path(folder))
        runner, where = _environment(store, engine, found, project, progress)
        progress("~reading the data as it was")
        frame = training_frame(store, project, found)
        progress("~fitting again")
        job = f"reproduce-{found.digest[:16]}"
        fitted = train.refit(store, runner, found.body, frame, job_name=job)
        try:
            report = compare(store, found, fitted, frame, project.spec.models[found.model].parity)
        finally:
            train.fitting.clear(store, job)
    return {"release": release.name(found), "digest": found.digest, "environment": where, **report}


def rehydrate(store: Store, found: Release, folder: Path) -> Project:
    """The project as it was declared when the release was built."""
    declaration = declared(store, found)
    if declaration is None or not declaration.tree:
        raise NotFound("the declaration of this release is not in the store.", where=release.name(found))
    store.blobs.checkout(declaration.tree, folder)
    return load(folder, data=Path(declaration.directory))


def training_frame(store: Store, project: Project, found: Release) -> data.Frame:
    """The rows the release was made from, by its dataset versions."""
    body = found.body
    start = body["window"]["start"]
    return data.training_frame(
        store,
        project.spec,
        found.model,
        dataset=_version(store, body["dataset"]),
        views={name: _version(store, each) for name, each in body["features"].items()},
        as_of=datetime.fromisoformat(body["as_of"]),
        start=datetime.fromisoformat(start) if start else None,
    )


def _version(store: Store, named: Mapping[str, Any]) -> Version:
    versions = store.read(Version, entity=named["entity"], digest=named["digest"], order="number", descending=True)
    same = [each for each in versions if each.body.get("table_version") == named.get("table_version")]
    if not versions:
        raise NotFound(f"the version {named['digest'][:12]} of {named['entity']} is not in the store.")
    return (same or versions)[0]


def _environment(
    store: Store, engine: LocalEngine, found: Release, project: Project, progress: Progress
) -> tuple[Any, str]:
    """The engine that runs in the release's environment, and what to say about it."""
    lock = found.body["lock"]
    if environment(project.directory, project.spec.packages).digest == lock["digest"]:
        return engine, "the present one: the same packages"
    text = store.blobs.get(lock["blob"]).decode()
    python = environments.prepare(store, engine, lock["digest"], text, progress)
    return environments.InEnvironment(engine, python), "one of its own, built from the release's lock"


def compare(store: Store, found: Release, fitted: Fitted, frame: data.Frame, tolerance: float) -> dict[str, Any]:
    """Whether the files are the same and, if they are not, whether predictions and metrics are."""
    body = found.body
    artefact = {"recorded": body["manifest"]["native"], "rebuilt": fitted.manifest["native"]}
    if artefact["recorded"] == artefact["rebuilt"]:
        return {
            "identical": True,
            "agrees": True,
            "artefact": artefact,
            "metrics": {},
            "largest": 0.0,
            "says": "the artefact is identical",
        }
    signature = json.loads(store.blobs.get(body["signature"]))
    old, new = _predictions(store, body["artefact"], fitted, frame, signature)
    rows = _labelled(frame)
    y = target.encode(rows, signature)
    classes = signature.get("classes")
    before = metrics.score(signature["task"], y, old, classes)
    after = metrics.score(signature["task"], y, new, classes)
    apart = {name: abs(after[name] - before[name]) for name in before if name in after}
    agrees = bool(apart) and max(apart.values()) <= tolerance
    worst = max(apart, key=lambda name: apart[name], default="")
    says = "the artefact differs; its metrics " + ("agree" if agrees else "do not agree") + f" within {tolerance:g}"
    if worst:
        says += f" (largest difference: {apart[worst]:.3g} in {worst})"
    shown = {name: {"recorded": before[name], "rebuilt": after[name]} for name in apart}
    return {
        "identical": False,
        "agrees": agrees,
        "artefact": artefact,
        "metrics": shown,
        "largest": float(np.abs(old - new).max(initial=0.0)),
        "says": says,
    }


def _labelled(frame: data.Frame) -> pa.Table:
    return frame.table.filter(frame.table[frame.target].is_valid())


def _predictions(
    store: Store, artefact: str, fitted: Fitted, frame: data.Frame, signature: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """What the recorded and the rebuilt artefact say of the labelled rows."""
    rows = _labelled(frame)
    with tempfile.TemporaryDirectory() as folder:
        store.blobs.checkout(artefact, Path(folder))
        try:
            recorded = models.load(Path(folder), signature=signature, compiled=False).predict(rows)
            return recorded, fitted.model().predict(rows)
        except (ImportError, AttributeError, ValueError) as error:
            raise Refused(
                f"the artefacts differ, and they cannot be compared with the packages installed here: {error}",
                hint="Compare them in an environment with the release's packages.",
            ) from error
