"""What people ask about releases: what is pending, what happened to one, and the end of what is declared no more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from modelyard.records import Audit, Deployment, Release
from modelyard.release.names import name
from modelyard.release.state import Rollout
from modelyard.store import Held, Store

ACTIONS = (
    "release.created",
    "release.approved",
    "release.rejected",
    "rollout.started",
    "rollout.stepped",
    "rollout.promoted",
    "rollout.rolled_back",
    "rollout.paused",
    "rollout.replaced",
    "rollout.settled",
    "rollout.joined",
    "rollout.reweighed",
    "rollout.compared",
    "rollout.finished",
    "rollout.drill_started",
    "rollout.drilled",
)
"""Audit actions that speak of a release; each has it as `release` (such as `late@3`) in its detail, and a `why`."""


def pending(store: Store, deployments: Collection[str], models: Collection[str]) -> Iterator[str]:
    """Sentences: which releases of `models` wait for approval, and what is being tried in `deployments`."""
    for release in store.read(Release, state="pending_approval", order="id"):
        if release.model in models:
            yield f"{name(release)} waits for approval: `yard release approve {name(release)}`"
    called = {release.digest: name(release) for release in store.read(Release)}
    for deployment in store.read(Deployment, order="name"):
        if deployment.name in deployments and deployment.rollout:
            yield f"{deployment.name}: {_tried(deployment.rollout, called)}"


def _tried(state: dict[str, Any], called: dict[str, str]) -> str:
    rollout = Rollout.of(state)
    assert rollout is not None
    names = [called.get(each, each[:12]) for each in rollout.challengers]
    release = " and ".join(names)
    match rollout.phase, rollout.kind:
        case "probation", _:
            return f"{release} serves in probation"
        case "paused", _:
            return f"the canary of {release} is paused: promote it or roll it back"
        case "drill", _:
            return f"{release} answers for a moment, in a drill"
        case "loading", _:
            return f"{release} is being loaded, to be switched to"
        case _, "canary":
            return f"{release} is in step {rollout.step + 1} of its canary"
        case _, kind:
            return f"{release} {'are' if rollout.others else 'is'} tried: {kind.replace('_', ' ')}"


def tries(store: Store, deployment: str, release: Release) -> bool:
    """Whether a release is being tried in a deployment now."""
    record = store.one(Deployment, name=deployment)
    rollout = Rollout.of(record.rollout) if record is not None else None
    return rollout is not None and rollout.phase != "drill" and release.digest in rollout.challengers


def history(store: Store, release: Release) -> list[dict[str, Any]]:
    """What happened to a release, oldest first: `{"at", "actor", "action", "subject", "why"}`."""
    called = name(release)
    return [
        {
            "at": entry.at.isoformat(),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "why": entry.detail.get("why", ""),
        }
        for entry in store.read(Audit, action=ACTIONS, order="id")
        if called in (entry.detail.get("release"), entry.detail.get("superseded"), entry.detail.get("champion"))
    ]


def retire(store: Store, entity: str, *, actor: str, fence: Held | None = None) -> str:
    """Retire what is declared no more, and say so: a deployment answers no longer, a model's open releases are closed.

    History stays. What another deployment serves goes on serving.
    """
    kind, _, called = entity.partition(".")
    detail = {"why": f"{entity} is declared no more"}
    with store.transaction(actor=actor, action="release.retired", subject=entity, detail=detail, fence=fence) as tx:
        if kind == "deployment":
            record = tx.one(Deployment, name=called)
            if record is not None and record.routes.get("arms"):
                routes = {**record.routes, "arms": [], "shadows": [], "warm": []}
                at = store.clock.now()
                tx.change(Deployment, {"id": record.id}, revision=record.revision + 1, routes=routes, rollout={}, at=at)
        elif kind == "model":
            tx.change(Release, {"model": called, "state": ["pending_approval", "approved"]}, state="retired")
    return "retired; its history is kept"
