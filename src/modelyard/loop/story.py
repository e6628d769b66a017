"""What happened, as people tell it: events read from the audit trail, where each effect stands with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from modelyard.loop.faults import CLEARED, DOUBTED, FAILED, MENDED
from modelyard.records import Audit
from modelyard.store import Store

DATA_FAILED, DATA_DOUBTED = "data_failed", "data_doubted"
OVER = {MENDED: FAILED, CLEARED: DOUBTED}
KINDS = {
    "release.created": "release",
    "release.refused": "refused",
    "release.approved": "approval",
    "release.rejected": "rejection",
    "rollout.started": "canary",
    "rollout.stepped": "canary",
    "rollout.paused": "canary",
    "rollout.joined": "canary",
    "rollout.reweighed": "canary",
    "rollout.compared": "canary",
    "rollout.finished": "canary",
    "rollout.promoted": "promotion",
    "rollout.replaced": "promotion",
    "rollout.rolled_back": "rollback",
    "request.retrain": "retrain",
    "request.rollback": "trigger",
    "request.pause": "trigger",
    "request.alert": "trigger",
    "request.run": "trigger",
    "request.webhook": "trigger",
    "reaction.done": "reaction",
    "reaction.refused": "reaction",
    "request.refused": "refused",
    "request.failed": "failed",
    "monitor.alarmed": "alert",
    FAILED: DATA_FAILED,
    MENDED: "data",
    DOUBTED: DATA_DOUBTED,
    CLEARED: "data",
    "message.sent": "message",
}


def events(store: Store) -> list[dict[str, Any]]:
    """Events in the order in which they happened: `{"at", "kind", "subject", "why"}`."""
    return told(store.read(Audit, action=tuple(KINDS), order="id"))


def told(entries: Iterable[Audit]) -> list[dict[str, Any]]:
    """Audit entries as events; data that keeps failing, or is doubted, is told once, until that is over."""
    shown: list[dict[str, Any]] = []
    lasting: set[tuple[str, str]] = set()
    for entry in entries:
        if (entry.action, entry.subject) in lasting:
            continue
        if entry.action in OVER.values():
            lasting.add((entry.action, entry.subject))
        elif entry.action in OVER:
            lasting.discard((OVER[entry.action], entry.subject))
        why = entry.detail.get("why", "")
        shown.append({"at": entry.at.isoformat(), "kind": _kind(entry), "subject": entry.subject, "why": why})
    return shown


def _kind(entry: Audit) -> str:
    """What an entry is to people: an alarm says which, and the first release takes nobody's place."""
    if entry.action == "monitor.alarmed":
        return str(entry.detail.get("kind", KINDS[entry.action]))
    return "release" if entry.detail.get("first") else KINDS[entry.action]


def counts(events: list[dict[str, Any]]) -> dict[str, int]:
    """How often a model was retrained, promoted, rolled back, and how often an alarm went off."""
    kinds = Counter(event["kind"] for event in events)
    known = set(KINDS.values()) - {"alert", DATA_FAILED, DATA_DOUBTED}
    return {
        "retrains": kinds["retrain"],
        "promotions": kinds["promotion"],
        "rollbacks": kinds["rollback"],
        "alerts": sum(count for kind, count in kinds.items() if kind not in known),
    }
