"""The message of an alarm that rises: one per cause, with everything a person needs to act."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelyard.monitor import describe, inputs, segments
from modelyard.monitor.grouping import led
from modelyard.monitor.reaction import reaction
from modelyard.monitor.seen import Seen
from modelyard.records import Release
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.stats import Profile, severity
from modelyard.store import Store

COLUMNS = 3
"""So many changed columns are described."""
ALONE = ("software", "stale", "volume", "kpis", "cost")
"""Kinds of which nobody expects that they moved the metric."""
CURES = {
    "stale": "ask the owner of the source; the answers rest on old data",
    "schema": "mend the source or its query; the model does not know these columns",
    "units": "convert the column back where it is read; do not retrain on mixed units",
    "missing": "mend the source; the input policy fills in meanwhile",
    "duplicates": "look for a client that sends twice",
    "volume": "ask whether a client or a feed has stopped, or sends twice",
    "drift": "retrain when enough labels of the new state are there, or mend the source if it is a fault",
    "joint": "the columns belong together otherwise than they did: look at how they are joined, then retrain",
    "concept": "the world behind the inputs changed: retrain on rows after it did",
    "slices": "look at these rows first: a feature that they lack, or data of their own",
    "calibration": "calibrate the answers again on recent labels, or retrain",
    "quality": "retrain, or roll back if a release began it",
    "estimate": "wait for labels; they decide",
    "decay": "retrain before that date",
    "kpis": "see in `yard kpi show` whether a release moved it: then roll back; else ask what else happened",
    "cost": "look at what the training was given: its rows, its parameters, its machine",
    "software": "look at the gateway: its host, its model's size, its callers",
}


@dataclass(frozen=True)
class Told:
    """`audit`: what the trail keeps (kind, level, why); `details`: what is added to the observation of each kind."""

    audit: dict[str, Any]
    details: dict[str, dict[str, Any]]


def tell(
    store: Store,
    spec: Spec,
    name: str,
    monitor: Monitor,
    release: Release | None,
    seen: list[Seen],
    risen: set[str],
    now: datetime,
) -> Told | None:
    """What is told when an alarm rises; None when none does. A group is told when any part of it rises."""
    groups = [(first, parts) for first, parts in led(seen) if {first.kind, *(each.kind for each in parts)} & risen]
    if not groups:
        return None
    details = {each.kind: each.detail for each in seen}
    kinds, says, more = [], [], {}
    for first, parts in groups:
        changed = _changed(store, monitor, release, first, now)
        kinds.append("+".join(each.kind for each in (first, *parts)))
        says.append(_says(spec, name, monitor, first, parts, changed, details))
        more[first.kind] = {
            "changed": [each.as_json() for each in changed],
            "message": says[-1],
            "cure": _cure(first, parts),
        }
    level = max((each.level for first, parts in groups for each in (first, *parts)), key=severity)
    return Told({"kind": "+".join(kinds), "level": level, "why": " ".join(says)}, more)


def _says(
    spec: Spec,
    name: str,
    monitor: Monitor,
    first: Seen,
    parts: list[Seen],
    changed: list[describe.Told],
    details: dict[str, dict[str, Any]],
) -> str:
    told = [f"{first.kind}: {first.says.removesuffix('.')}."]
    told += [each.says for each in changed if each.says]
    if parts:
        with_it = "; ".join(f"{each.kind}: {each.says.removesuffix('.')}" for each in parts)
        told.append(f"With it: {with_it}.")
    if first.kind not in ALONE:
        told.append(describe.effect(details))
    told.append(reaction(spec, name, monitor, (first, *parts)))
    cure = _cure(first, parts)
    return " ".join(told) + (f" What helps: {cure}." if cure else "")


def _cure(first: Seen, parts: list[Seen]) -> str:
    """What helps: by what was found, also of a part (a share of the label that moved moves inputs, too); else by its kind."""
    found = (each.detail["cure"] for each in (first, *parts) if each.detail.get("cure"))
    return str(next(found, CURES.get(first.kind, "")))


def _changed(
    store: Store, monitor: Monitor, release: Release | None, first: Seen, now: datetime
) -> list[describe.Told]:
    """The changed columns of a finding about inputs, described."""
    found = first.detail.get("columns")
    if first.kind not in inputs.KINDS or not isinstance(found, list) or release is None:
        return []
    names = [each["column"] for each in found if each.get("level") in ("warn", "page")][:COLUMNS]
    stretches = segments.stretches(store, monitor.deployment, release, now - monitor.window, now)
    window = Profile.merge([each.profile for each in stretches])
    return describe.columns(store, monitor, release, names, window, now)
