"""Tables that could not be built, or whose checks warn: told once in the audit trail, from which alerts are made, until
that is over.
"""

from __future__ import annotations

from modelyard.data import ahead
from modelyard.loop.yard import Yard
from modelyard.records import Audit, Verdict, Version
from modelyard.store import Held

FAILED, MENDED = "table.failed", "table.mended"
DOUBTED, CLEARED = "table.doubted", "table.cleared"


def failed(yard: Yard, entity: str, why: str, held: Held) -> None:
    """Record that the newest data of `entity` could not be taken in, unless just that stands there already."""
    last = _last(yard, entity, FAILED, MENDED)
    if last is None or last.action == MENDED or last.detail["why"] != why:
        _note(yard, entity, FAILED, why, held)


def mended(yard: Yard, entity: str, held: Held) -> None:
    """Record that `entity` was built again, when it had failed before."""
    last = _last(yard, entity, FAILED, MENDED)
    if last is not None and last.action == FAILED:
        _note(yard, entity, MENDED, "it could be built again", held)


def judged(yard: Yard, version: Version, held: Held) -> str:
    """Record what the checks of severity `warn` say against a table that was built, or that they are silent again.

    Returns what is news of it, else "".
    """
    last = _last(yard, version.entity, DOUBTED, CLEARED)
    known = last.detail["why"] if last is not None and last.action == DOUBTED else ""
    why = "; ".join(_doubts(yard, version))
    if why and why != known:
        _note(yard, version.entity, DOUBTED, why, held)
        return why
    if known and not why:
        _note(yard, version.entity, CLEARED, "its checks pass again", held)
    return ""


def _doubts(yard: Yard, version: Version) -> list[str]:
    """What each check of severity `warn` said last. The look ahead is asked once, and is a warning of the version."""
    found = yard.store.read(Verdict, entity=version.entity, subject=version.digest, severity="warn", order="id")
    newest = {verdict.check: verdict for verdict in found}
    return [each.says for each in newest.values() if each.state == "fail" and each.check != ahead.CHECK]


def _last(yard: Yard, entity: str, *actions: str) -> Audit | None:
    found = yard.store.read(Audit, action=actions, subject=entity, order="id", descending=True, limit=1)
    return found[0] if found else None


def _note(yard: Yard, entity: str, action: str, why: str, held: Held) -> None:
    with yard.store.transaction(actor=yard.actor, action=action, subject=entity, detail={"why": why}, fence=held):
        pass
