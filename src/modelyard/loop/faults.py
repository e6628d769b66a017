"""Tables that could not be built: told once in the audit trail, from which alerts are made, until they can be again."""

from __future__ import annotations

from modelyard.loop.yard import Yard
from modelyard.records import Audit
from modelyard.store import Held

FAILED, MENDED = "table.failed", "table.mended"


def failed(yard: Yard, entity: str, why: str, held: Held) -> None:
    """Record that the newest data of `entity` could not be taken in, unless just that stands there already."""
    last = _last(yard, entity)
    if last is None or last.action == MENDED or last.detail["why"] != why:
        _note(yard, entity, FAILED, why, held)


def mended(yard: Yard, entity: str, held: Held) -> None:
    """Record that `entity` was built again, when it had failed before."""
    last = _last(yard, entity)
    if last is not None and last.action == FAILED:
        _note(yard, entity, MENDED, "it could be built again", held)


def _last(yard: Yard, entity: str) -> Audit | None:
    found = yard.store.read(Audit, action=(FAILED, MENDED), subject=entity, order="sequence", descending=True, limit=1)
    return found[0] if found else None


def _note(yard: Yard, entity: str, action: str, why: str, held: Held) -> None:
    with yard.store.transaction(actor=yard.actor, action=action, subject=entity, detail={"why": why}, fence=held):
        pass
