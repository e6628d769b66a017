"""The difference between what is declared and what is recorded, as changes and steps. Pure: values in, a plan out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime

from modelyard.digest import digest
from modelyard.plan import steps as kinds
from modelyard.plan.ground import Ground
from modelyard.plan.models import models
from modelyard.plan.others import about, deployments, policies, removed, renamed
from modelyard.plan.plan import Change, Plan, Recorded
from modelyard.plan.steps import Step
from modelyard.plan.tables import tables
from modelyard.spec.fingerprints import Parts
from modelyard.spec.types import Spec

Moves = list[tuple[Change, Step]]
"""A change and the step that makes it so, in order."""

RULES: tuple[Callable[[Ground, Moves], Iterator[tuple[Change, Step]]], ...] = (
    renamed,
    tables,
    models,
    deployments,
    policies,
    removed,
    about,
)
"""Each is given what the ones before it found."""


def make(
    spec: Spec, fingerprints: dict[str, Parts], sources: dict[str, str], recorded: Recorded, as_of: datetime
) -> Plan:
    """Plan what makes the declaration so.

    `fingerprints` as from `spec.fingerprints`; `sources` the digest of each source's files; `as_of` the time up to
    which rows are known. What is as declared is not in the plan.
    """
    ground = Ground(spec, fingerprints, sources, recorded, as_of)
    moves: Moves = []
    for rule in RULES:
        moves.extend(list(rule(ground, moves)))
    changes = tuple(change for change, _ in moves)
    steps = tuple(dict.fromkeys(step for _, step in moves))
    said = {"changes": [asdict(change) for change in changes], "steps": [kinds.as_json(step) for step in steps]}
    return Plan(changes, steps, digest({**said, "ground": ground.identity()}))
