"""A release as the gateway serves it: its model in memory, its heuristic, its signature, and the names of its key."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from modelyard import models
from modelyard.errors import DataError, NotFound
from modelyard.models.runner import Runner
from modelyard.records import Release, Version
from modelyard.serve.columns import TYPES
from modelyard.serve.policy import scalar
from modelyard.store import Store


class Answers(Protocol):
    """What can be asked for a table's rows: a model, or a heuristic."""

    def predict(self, table: pa.Table) -> np.ndarray:
        """One prediction per row."""
        ...


@dataclass(frozen=True)
class Served:
    """A loaded release. `key` and `time` are columns of its dataset that a row may carry: name to input type."""

    digest: str
    name: str
    signature: Mapping[str, Any]
    model: models.Model
    baseline: Answers | None = None
    key: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None

    @property
    def apart(self) -> bool:
        """Whether the model answers from a process of its own, so that asking it is waiting."""
        return isinstance(self.model, Runner)

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The model's inputs: name to type."""
        return {each["name"]: each["type"] for each in self.signature["inputs"]}


_KINDS = {
    "string": "category",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "date": "date",
}


def load_release(store: Store, digest: str) -> Served:
    """Load a release from what the store holds, without running arbitrary code.

    NotFound when there is none, DataError or ModelFormatError when its bytes are damaged or not trusted.
    """
    release = next(iter(store.read(Release, digest=digest, limit=1)), None)
    if release is None:
        raise NotFound(f"there is no release {digest[:12]}.")
    body = release.body
    signature = _signature(store, body["signature"])
    directory = Path(tempfile.mkdtemp(prefix="yard-model-"))
    try:
        store.blobs.checkout(body["artefact"], directory)
        model = models.load(directory, signature=signature, threads=1)
        baseline = models.Baseline.from_json(store.blobs.get(body["baseline"])) if body.get("baseline") else None
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    # A model made of the project's own code reads its files again when its process is started anew.
    weakref.finalize(model, shutil.rmtree, directory, ignore_errors=True)
    key, time = _names(store, body)
    return Served(digest, f"{release.model}@{release.number}", signature, model, baseline, key, time)


def _signature(store: Store, known: Any) -> dict[str, Any]:
    """The signature, bound by its digest or written out in the release's body."""
    signature = json.loads(store.blobs.get(known)) if isinstance(known, str) else known
    if not isinstance(signature, dict) or "inputs" not in signature:
        raise DataError("the release has no signature.")
    return signature


def _names(store: Store, body: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
    """Key and time of the dataset version behind a release."""
    dataset = body.get("dataset") or {}
    versions = store.read(Version, entity=dataset.get("entity", ""), digest=dataset.get("digest", ""), limit=1)
    if not versions:
        return {}, None
    known = versions[0].body
    return {name: _KINDS.get(known["columns"].get(name, "string"), "category") for name in known["key"]}, known["time"]


def warm(served: Served) -> None:
    """Ask the model once, with a typical row: what is slow the first time happens before traffic comes."""
    row = {each["name"]: pa.array([_typical(each)], TYPES[each["type"]]) for each in served.signature["inputs"]}
    served.model.predict(pa.table(row))
    if served.baseline is not None:
        served.baseline.predict(pa.table(row))


def _typical(known: Mapping[str, Any]) -> Any:
    for measure in ("median", "mode", "min"):
        if known.get(measure) is not None:
            return scalar(known[measure], known["type"]).as_py()
    return None
