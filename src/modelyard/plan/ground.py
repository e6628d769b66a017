"""What a plan is made from: the declaration, its fingerprints, the sources, the records; and questions about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from modelyard.digest import digest
from modelyard.plan.plan import Recorded
from modelyard.records import Request, Version
from modelyard.spec.fingerprints import Parts
from modelyard.spec.types import Spec

SECTIONS = {
    "source": "sources",
    "dataset": "datasets",
    "feature": "features",
    "model": "models",
    "deployment": "deployments",
    "monitor": "monitors",
    "trigger": "triggers",
    "kpi": "kpis",
    "alert": "alerts",
}
SERVABLE = ("approved", "rolling_out", "live")


@dataclass(frozen=True)
class Ground:
    """Values only: nothing here is read from a store, a file or a clock."""

    spec: Spec
    parts: dict[str, Parts]
    sources: dict[str, str]
    recorded: Recorded
    as_of: datetime

    @cached_property
    def now(self) -> dict[str, Any]:
        """The declaration as JSON."""
        return self.spec.model_dump(mode="json", by_alias=True)

    @cached_property
    def before(self) -> dict[str, Any]:
        """The declaration applied last, as JSON; empty before the first."""
        return self.recorded.declaration.spec if self.recorded.declaration else {}

    def entity(self, spec: dict[str, Any], entity: str) -> dict[str, Any] | None:
        """What a declaration says about an entity; None when it does not name it."""
        kind, _, name = entity.partition(".")
        found: dict[str, Any] | None = (spec.get(SECTIONS[kind]) or {}).get(name)
        return found

    def former(self, entity: str) -> str:
        """The name under which an entity was known: its own, or the one it was declared to have had."""
        was = (self.entity(self.now, entity) or {}).get("was")
        old = f"{entity.partition('.')[0]}.{was}"
        versions = self.recorded.versions
        return old if was and old in versions and entity not in versions else entity

    def declared(self, entity: str) -> Parts | None:
        """The parts of an entity as recorded; None when it was not recorded as done."""
        return self._fingerprints.get(self.former(entity))

    def shared(self, group: str) -> Parts:
        """A group of recorded hashes that belong to no version: checks, control, packages, project."""
        return self._fingerprints.get(group, {})

    @cached_property
    def _fingerprints(self) -> dict[str, Parts]:
        return self.recorded.declaration.fingerprints if self.recorded.declaration else {}

    def moved(self, group: str, entity: str) -> bool:
        """Whether a recorded hash of a group differs from the present one."""
        recorded = self.shared(group).get(self.former(entity))
        return recorded is not None and recorded != self.parts[group].get(entity)

    def version(self, entity: str) -> Version | None:
        """The newest version of an entity."""
        return self.recorded.versions.get(self.former(entity))

    def current(self, entity: str) -> bool:
        """Whether the newest version of an entity is built from what is declared now."""
        version = self.version(entity)
        return version is not None and version.fingerprint == digest(self.parts[entity])

    def old(self, entity: str) -> dict[str, Any] | None:
        """What the declaration applied last said about an entity."""
        return self.entity(self.before, self.former(entity)) if self.before else None

    def new(self, entity: str) -> dict[str, Any]:
        """What is declared about an entity."""
        return self.entity(self.now, entity) or {}

    def request(self, model: str) -> Request | None:
        """The oldest open request to retrain a model."""
        names = (model, f"model.{model}")
        found = [item for item in self.recorded.requests if item.kind == "retrain" and item.subject in names]
        return min((item for item in found if item.state == "open"), key=lambda item: item.id or 0, default=None)

    def servable(self, model: str) -> list[int]:
        """The numbers of a model's releases that may answer."""
        return [item.number for item in self.recorded.releases if item.model == model and item.state in SERVABLE]

    def unfinished(self, model: str) -> bool:
        """Whether a model was built from this declaration, and what should have followed was cut off."""
        version = self.version(f"model.{model}")
        if version is None or self.declared(f"model.{model}") == self.parts[f"model.{model}"]:
            return False
        released = {(item.body.get("version") or {}).get("digest") for item in self.recorded.releases}
        return version.digest not in released

    def identity(self) -> dict[str, Any]:
        """All that a plan depends on, as JSON; `as_of` only through what follows from it."""
        records = self.recorded
        return {
            "spec": self.now,
            "fingerprints": self.parts,
            "sources": self.sources,
            "declaration": records.declaration.digest if records.declaration else None,
            "versions": {
                name: [item.number, item.fingerprint, item.digest] for name, item in sorted(records.versions.items())
            },
            "releases": [[item.model, item.number, item.state in SERVABLE] for item in records.releases],
            "deployments": [[item.name, item.model] for item in records.deployments],
            "requests": [item.key for item in records.requests if item.state == "open"],
        }
