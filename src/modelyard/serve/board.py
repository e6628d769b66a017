"""What a gateway serves for one deployment at one revision: immutable, so that swapping it is one assignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from modelyard.records import Deployment
from modelyard.serve import releases
from modelyard.serve.policy import Policy, policy
from modelyard.serve.predicting import can_fall_back
from modelyard.serve.releases import Served
from modelyard.serve.routing import Arm, Table
from modelyard.spec.deployments import FixedValue, InputRule, Log
from modelyard.spec.levels import Objective, Slo
from modelyard.spec.values import parse_duration

Load = Callable[[str], Served]


@dataclass(frozen=True)
class Loaded:
    """A release that is loaded and warm, with its input policy in this deployment."""

    served: Served
    policy: Policy


@dataclass(frozen=True)
class Promise:
    """What a deployment declares about answering; a part of its `DeploymentSpec`."""

    inputs: Mapping[str, InputRule]
    fallback: str | FixedValue | None
    label: bool
    durability: str
    max_rows: int
    when_full: str = "refuse"
    deadline: float = 10.0
    coerce: bool = False
    extra: str = "reject"
    objectives: tuple[Objective, ...] = ()
    sample: float = 1.0

    @classmethod
    def of(cls, declared: Mapping[str, Any]) -> Promise:
        """From the dump of a `DeploymentSpec`, defaults for what it lacks."""
        log = Log.model_validate(declared.get("log") or {})
        return cls(
            {name: InputRule.model_validate(rule) for name, rule in (declared.get("inputs") or {}).items()},
            _FALLBACK.validate_python(declared.get("fallback")),
            declared.get("output") == "label",
            log.durability,
            int(declared.get("max_rows") or 10_000),
            log.when_full,
            parse_duration(declared.get("deadline") or "10s").total_seconds(),
            bool(declared.get("coerce")),
            declared.get("extra") or "reject",
            tuple(Slo.model_validate(declared["slo"]).objectives()) if declared.get("slo") else (),
            log.sample,
        )

    def coerces(self, name: str) -> bool:
        """Whether texts are read as an input's type."""
        rule = self.inputs.get(name)
        return self.coerce if rule is None or rule.coerce is None else rule.coerce


_FALLBACK: TypeAdapter[Any] = TypeAdapter(FixedValue | str | None)


@dataclass(frozen=True)
class Board:
    """The routes of a deployment with everything they need in memory.

    `companions` answer every row beside the others and are logged as shadows under their own name.
    """

    record: Deployment
    table: Table
    promise: Promise
    loaded: Mapping[str, Loaded]
    companions: tuple[Arm, ...] = ()
    complete: bool = True

    @property
    def name(self) -> str:
        """The deployment."""
        return self.record.name

    @cached_property
    def names(self) -> frozenset[str]:
        """Every column that a row may carry: inputs of all releases here, and their key and time."""
        found: set[str] = set()
        for each in self.loaded.values():
            found |= each.served.inputs.keys() | each.served.key.keys()
            found |= {each.served.time} if each.served.time else set()
        return frozenset(found)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The type of every column that a row may carry, by name; of two releases that differ, the first one's."""
        found: dict[str, str] = {}
        for each in self.loaded.values():
            found = {**each.served.key, **each.served.inputs, **found}
        return found

    def first(self) -> Served:
        """The release that answers most: its signature says how labels are read."""
        return self.loaded[max(self.table.arms, key=lambda arm: arm.weight).release].served


def build(record: Deployment, companions: Mapping[str, str], load: Load, kept: Mapping[str, Served]) -> Board:
    """Load and warm all releases of a deployment; `kept` are in memory already. Raises what loading raises."""
    table = Table.of(record.routes)
    promise = Promise.of(record.policy)
    champion = table.champion
    loaded = {}
    for digest in dict.fromkeys([*table.releases(), *companions.values()]):
        served = kept.get(digest) or _ready(load, digest)
        falls = can_fall_back(served, promise.fallback, champion.release if champion else None)
        loaded[digest] = Loaded(served, policy(served.signature, promise.inputs, falls=falls))
    beside = tuple(Arm(name, digest, 1.0) for name, digest in companions.items())
    return Board(record, table, promise, loaded, beside)


def _ready(load: Load, digest: str) -> Served:
    served = load(digest)
    releases.warm(served)
    return served
