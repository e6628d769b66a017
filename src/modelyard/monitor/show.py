"""What a monitor saw, for people and programs."""

from __future__ import annotations

from typing import Any

from modelyard.records import Observation
from modelyard.store import Store

LIMIT = 200


def show(store: Store, name: str, *, limit: int = LIMIT) -> dict[str, Any]:
    """`{"monitor", "levels": {kind: level now}, "observations": [newest first]}`; empty when it has not looked yet."""
    found = store.read(Observation, monitor=name, order=("end", "id"), descending=True, limit=limit)
    levels: dict[str, str] = {}
    for each in found:
        levels.setdefault(each.kind, each.level)
    return {"monitor": name, "levels": levels, "observations": [_told(each) for each in found]}


def _told(each: Observation) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "level": each.level,
        "says": each.says,
        "start": each.start.isoformat(),
        "end": each.end.isoformat(),
        "deployment": each.deployment,
        "model": each.model,
        "detail": each.detail,
    }
