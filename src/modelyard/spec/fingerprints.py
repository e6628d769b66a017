"""Fingerprints: per entity, the hash of each part of it, so that a plan can tell what changed without running anything.

`digest(parts)` of a dataset, feature view or model is the `fingerprint` of the versions built from it: its parts cover
all that its content follows from, through `upstream` and `data` also what lies above. What does not make a rebuild
necessary stands apart, under four names that are no entities: `checks` and `control` (by entity), `packages` (name to
version) and `project`.
"""

from __future__ import annotations

import graphlib
from typing import Any

from pydantic import BaseModel

from modelyard.digest import digest
from modelyard.spec.code import Codebase
from modelyard.spec.load import Project
from modelyard.spec.models import Model
from modelyard.spec.sql import normalise, read_sql
from modelyard.spec.tables import DataCheck, Dataset, FeatureView, Source
from modelyard.spec.types import Spec

Parts = dict[str, str]

SHARED = ("checks", "control", "packages", "project")
"""Keys of the result that are not entities."""

_SOURCE = {"uri", "time", "timezone", "types", "nulls", "known_at"}
_DATASET = {"key", "time", "timezone", "known_at"}
_VIEW = {"entity", "from_", "time", "timezone", "ttl", "known_at"}
_PROBLEM = {"task", "features", "target", "positive", "exclude"}
_RECIPE = {"window", "half_life", "params", "frame", "seed", "parity", "baseline"}
_CONTROL = {"approval", "limits"}


def fingerprints(project: Project) -> dict[str, Parts]:
    """The parts of every entity of a valid project. Reads its SQL, code and lock files; runs nothing."""
    reader = _Reader(project)
    return {**reader.tables(), **reader.models(), **_controls(project.spec), **reader.kpis(), **reader.shared()}


def parents(spec: Spec, entity: str) -> list[str]:
    """What must be there before an entity: datasets, feature views and models, nearest last."""
    kind, _, name = entity.partition(".")
    if kind == "dataset" and name in spec.datasets:
        return [f"dataset.{item}" for item in spec.datasets[name].from_ if item in spec.datasets]
    if kind == "feature" and name in spec.features:
        return [f"dataset.{spec.features[name].from_}"] if spec.features[name].from_ in spec.datasets else []
    if kind == "model" and name in spec.models:
        model = spec.models[name]
        return [f"dataset.{model.data}", *(f"feature.{view}" for view in model.features)]
    if kind == "deployment" and name in spec.deployments:
        return [f"model.{spec.deployments[name].model}"]
    return []


def sources_of(spec: Spec, entity: str) -> list[str]:
    """The sources that a dataset or feature view reads itself."""
    kind, _, name = entity.partition(".")
    if kind == "dataset" and name in spec.datasets:
        return [item for item in spec.datasets[name].from_ if item in spec.sources]
    if kind == "feature" and name in spec.features:
        return [item for item in [spec.features[name].from_] if item in spec.sources]
    return []


def build_order(spec: Spec) -> list[str]:
    """Datasets, feature views and models, each after what it is made from; otherwise as declared."""
    graph = {f"dataset.{name}": parents(spec, f"dataset.{name}") for name in spec.datasets}
    tables = list(graphlib.TopologicalSorter(graph).static_order())
    return [*tables, *(f"feature.{name}" for name in spec.features), *(f"model.{name}" for name in spec.models)]


class _Reader:
    """Hashes the parts of one project; each file is read once."""

    def __init__(self, project: Project) -> None:
        self.spec = project.spec
        self.directory = project.directory
        self.text = project.text
        self.code = Codebase(project.directory)
        self.lock = project.environment()
        self._sources = {name: digest(_dump(item, _SOURCE)) for name, item in self.spec.sources.items()}
        self._tables: dict[str, Parts] = {}

    def tables(self) -> dict[str, Parts]:
        """Datasets and feature views."""
        for entity in build_order(self.spec):
            kind, _, name = entity.partition(".")
            if kind == "dataset":
                self._tables[entity] = self._dataset(entity, self.spec.datasets[name])
            elif kind == "feature":
                self._tables[entity] = self._view(entity, self.spec.features[name])
        return self._tables

    def _dataset(self, entity: str, dataset: Dataset) -> Parts:
        parts = {"shape": digest(_dump(dataset, _DATASET)), "upstream": self._upstream(entity)}
        if dataset.sql is not None:
            return {"sql": self._sql(dataset.sql), **parts}
        return {"code": self.code.read(str(dataset.python)).fingerprint, **parts}

    def _view(self, entity: str, view: FeatureView) -> Parts:
        sql = self._sql(view.sql) if view.sql is not None else ""
        return {"sql": sql, "shape": digest(_dump(view, _VIEW)), "upstream": self._upstream(entity)}

    def _sql(self, text: str) -> str:
        return digest(normalise(read_sql(self.directory, text)))

    def _upstream(self, entity: str) -> str:
        above = {name: digest(self._tables[name]) for name in parents(self.spec, entity)}
        return digest({**above, **{name: self._sources[name] for name in sources_of(self.spec, entity)}})

    def models(self) -> dict[str, Parts]:
        """Models."""
        return {f"model.{name}": self._model(model) for name, model in self.spec.models.items()}

    def _model(self, model: Model) -> Parts:
        # The dataset goes in by what it is, not by its name: renaming it retrains nothing.
        return {
            "data": digest(self._tables[f"dataset.{model.data}"]),
            "features": digest({name: digest(self._tables[f"feature.{name}"]) for name in model.features}),
            "problem": digest(_dump(model, _PROBLEM)),
            "split": digest(_dump(model, {"split"})),
            "recipe": digest(_dump(model, _RECIPE)),
            "code": self.code.read(model.train).fingerprint,
            "packages": self.lock.digest,
        }

    def kpis(self) -> dict[str, Parts]:
        """Business figures: what is declared, and the SQL that it names."""
        return {
            f"kpi.{name}": {
                "declaration": digest(_dump(item)),
                "sql": self._sql(item.sql) if item.sql is not None else "",
            }
            for name, item in self.spec.kpis.items()
        }

    def shared(self) -> dict[str, Parts]:
        """What belongs to no version."""
        spec = self.spec
        checks = {f"dataset.{name}": self._checks(item.checks) for name, item in spec.datasets.items()}
        checks |= {f"feature.{name}": self._checks(item.checks) for name, item in spec.features.items()}
        checks |= {f"model.{name}": digest(_dump(item, {"checks"})) for name, item in spec.models.items()}
        control = {f"model.{name}": digest(_dump(item, _CONTROL)) for name, item in spec.models.items()}
        described = {
            "charter": digest(_dump(spec.charter)),
            "simulate": digest(_dump(spec.simulate)),
            "costs": digest(_dump(spec.costs)),
        }
        about = {"text": digest(self.text.encode()), **described}
        return {"checks": checks, "control": control, "packages": self.lock.shown(), "project": about}

    def _checks(self, checks: tuple[DataCheck, ...]) -> str:
        code = [self.code.read(check.python).fingerprint for check in checks if check.python is not None]
        return digest({"checks": [_dump(check) for check in checks], "code": code})


def _controls(spec: Spec) -> dict[str, Parts]:
    """Entities that have no versions: what they declare is all that they are."""
    sections: dict[str, dict[str, Any]] = {
        "source": {name: _freshness(item) for name, item in spec.sources.items()},
        "deployment": {name: _dump(item) for name, item in spec.deployments.items()},
        "monitor": {name: _dump(item) for name, item in spec.monitors.items()},
        "trigger": {name: _dump(item) for name, item in spec.triggers.items()},
        "alert": {name: _dump(item) for name, item in spec.alerts.items()},
    }
    return {
        f"{kind}.{name}": {"declaration": digest(value)}
        for kind, items in sections.items()
        for name, value in items.items()
    }


def _freshness(source: Source) -> Any:
    """What of a source is watched; the rest of it is part of what is made from it."""
    return _dump(source, {"freshness"})


def _dump(value: BaseModel, keys: set[str] | None = None) -> Any:
    """A declaration as JSON, less its former name; of it only some keys."""
    return value.model_dump(mode="json", by_alias=True, include=keys, exclude={"was"})
