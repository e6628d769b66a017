"""Approving and rejecting: a decision of one person about one digest, counted by the declared rule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from modelyard.errors import Conflict, Forbidden, Refused
from modelyard.records import Approval, Release
from modelyard.release.names import find, name
from modelyard.spec.models import ApprovalRule
from modelyard.spec.types import Spec
from modelyard.store import Held, Store, Transaction

SIMULATED = "simulated-approver"


class _Decided(Exception):
    """Nothing is left to do: leave the transaction without a trace."""

    def __init__(self, release: Release) -> None:
        self.release = release


def approve(
    store: Store,
    ref: str,
    *,
    actor: str,
    role: str,
    reason: str = "",
    rule: ApprovalRule | None = None,
    fence: Held | None = None,
) -> Release:
    """Record that `actor` approves the digest of the release `ref`; once enough have, it is approved.

    Deciding the same again changes nothing. Forbidden without one of the rule's roles, and to its author unless
    declared; Conflict after an opposite decision of the same actor; Refused when it was rejected or rolled back.
    """
    return _decide(store, ref, "approve", actor, role, reason, rule or ApprovalRule(required=1, roles=(role,)), fence)


def reject(
    store: Store,
    ref: str,
    *,
    actor: str,
    role: str,
    reason: str = "",
    rule: ApprovalRule | None = None,
    fence: Held | None = None,
) -> Release:
    """Record that `actor` rejects the digest of the release `ref`: one rejection is enough, and final.

    Its author may reject it. Refused once it is being rolled out or serves: then it is rolled back.
    """
    return _decide(store, ref, "reject", actor, role, reason, rule or ApprovalRule(required=1, roles=(role,)), fence)


def _decide(
    store: Store,
    ref: str,
    decision: Literal["approve", "reject"],
    actor: str,
    role: str,
    reason: str,
    rule: ApprovalRule,
    fence: Held | None,
) -> Release:
    release = find(store, ref)
    _authorise(release, decision, actor, role, rule)
    done = {"approve": "approved", "reject": "rejected"}[decision]
    try:
        with store.transaction(
            actor=actor,
            action=f"release.{done}",
            subject=f"model.{release.model}",
            detail={"release": name(release), "digest": release.digest, "role": role},
            fence=fence,
        ) as tx:
            _record(tx, release, decision, actor, role, reason, store.clock.now())
            state = _count(tx, release, decision, rule)
            tx.change(Release, {"id": release.id}, state=state)
            said = f"{name(release)} is {state.replace('_', ' ')}"
            tx.detail["why"] = f"{said}: {reason}" if reason else said
    except _Decided as already:
        return already.release
    return find(store, name(release))


def _authorise(release: Release, decision: str, actor: str, role: str, rule: ApprovalRule) -> None:
    if rule.roles and role not in rule.roles:
        raise Forbidden(
            f"{actor} acts as {role}; releases of {release.model} are decided by: {', '.join(rule.roles)}.",
            where=name(release),
        )
    if decision == "approve" and actor == release.author and not rule.author_may_approve:
        raise Forbidden(
            f"{actor} is its author, and authors do not approve their own releases.",
            where=name(release),
            hint="Ask somebody else, or declare `author_may_approve: true`.",
        )


def _record(
    tx: Transaction, release: Release, decision: str, actor: str, role: str, reason: str, now: datetime
) -> None:
    """Add the decision, or leave when the same one is there."""
    present = tx.one(Release, id=release.id)
    assert present is not None
    earlier = tx.one(Approval, release=release.digest, actor=actor)
    if earlier is not None and earlier.decision == decision:
        raise _Decided(present)
    if earlier is not None:
        verb = {"approve": "approved", "reject": "rejected"}[earlier.decision]
        raise Conflict(f"{actor} {verb} it on {earlier.at:%Y-%m-%d %H:%M}.", where=name(release))
    _still_open(present, decision)
    tx.add(
        Approval(release=release.digest, actor=actor, role=role, decision=decision, reason=reason, at=now)  # type: ignore[arg-type]
    )


def _still_open(release: Release, decision: str) -> None:
    """Refuse a decision that comes too late, with what can be done instead."""
    state = release.state
    if state == "pending_approval" or (state == "approved" and decision == "reject"):
        return
    if state == "approved":
        raise _Decided(release)
    told = {
        "rolling_out": ("it is being rolled out already.", "`yard release rollback` ends that."),
        "live": ("it serves already.", "`yard release rollback` puts the last champion back."),
        "rejected": ("it was rejected.", "A rejected release stays so: build a new one."),
        "rolled_back": ("it was rolled back.", "A release that was rolled back stays so: build a new one."),
        "retired": ("it is retired.", "A newer release took its place."),
    }[state]
    raise Refused(told[0], where=name(release), hint=told[1])


def _count(tx: Transaction, release: Release, decision: str, rule: ApprovalRule) -> str:
    """The release's state after the decision. Writers go one after the other, so the count is exact."""
    if decision == "reject":
        return "rejected"
    approvals = tx.read(Approval, release=release.digest, decision="approve")
    counted = {each.actor for each in approvals if not rule.roles or each.role in rule.roles}
    return "approved" if len(counted) >= rule.required else "pending_approval"


def auto_approve(
    store: Store,
    spec: Spec,
    *,
    now: datetime,
    after: timedelta,
    actor: str = SIMULATED,
    fence: Held | None = None,
) -> list[Release]:
    """Play the approvers of a simulation: approve what has been pending for `after`, by each model's declared rule."""
    approved = []
    for release in store.read(Release, state="pending_approval", created__le=now - after):
        model = spec.models.get(release.model)
        rule = (model.approval if model else None) or ApprovalRule()
        role = rule.roles[0] if rule.roles else "model_owner"
        for number in range(rule.required):
            person = actor if number == 0 else f"{actor}-{number + 1}"
            reason = f"the simulated approver says yes after {after}" if after else ""
            release = approve(store, release.digest, actor=person, role=role, reason=reason, rule=rule, fence=fence)
        approved.append(release)
    return approved
