"""A plan: what will happen to which entity and why, and the steps that make it so. Plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from modelyard.plan import steps as kinds
from modelyard.plan.steps import Step
from modelyard.records import Alias, Declaration, Deployment, Release, Request, Version

Category = Literal["new", "breaking", "incomparable", "model", "verdict", "control", "data", "remove", "none"]


@dataclass(frozen=True)
class Change:
    """What happens to one entity, and why."""

    entity: str
    category: Category
    action: str
    why: str


@dataclass(frozen=True)
class Plan:
    """Changes for people, steps for the loop, and the digest of all that they depend on."""

    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    digest: str

    def as_json(self) -> dict[str, Any]:
        """`{"changes": [{"entity", "category", "action", "why"}], "steps": [...], "digest"}`."""
        return {
            "changes": [asdict(change) for change in self.changes],
            "steps": [kinds.as_json(step) for step in self.steps],
            "digest": self.digest,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        """The plan that `as_json` wrote."""
        changes = tuple(Change(**change) for change in value["changes"])
        return cls(changes, tuple(kinds.from_json(step) for step in value["steps"]), value["digest"])


@dataclass(frozen=True)
class Recorded:
    """What is recorded: the declaration applied last, the newest version of each entity, releases, open requests."""

    declaration: Declaration | None = None
    versions: dict[str, Version] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
