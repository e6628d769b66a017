"""Carrying out decisions: what serves, what is tried, and why; by a turn of the controller, a guard, or a person."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from modelyard.errors import Conflict, Refused
from modelyard.release.changes import change_for, promoted, tried, undone
from modelyard.release.commit import commit, configured
from modelyard.release.decide import decide, findings, urgent
from modelyard.release.decisions import Decision, Join, Pause, Promote, Rollback, Start
from modelyard.release.evidence import Look, count, gather, kinds
from modelyard.release.guards import Evidence
from modelyard.release.obeyed import routable
from modelyard.release.place import Place, look
from modelyard.spec.deployments import DeploymentSpec
from modelyard.store import Held, Store

_ATTEMPTS = 5


Runs = Callable[[int], tuple[bool, datetime | None]]
"""Whether every gateway runs the routes of a revision, and since when the last of them does."""


def tick(
    store: Store,
    deployment: str,
    spec: DeploymentSpec,
    *,
    now: datetime,
    actor: str,
    fence: Held | None = None,
    simulated: bool = False,
    running: Runs | None = None,
) -> Decision:
    """Move one deployment as far as its strategy allows at `now`: start what is approved, go on with what runs.

    `running(revision)` says whether every gateway runs these routes already; without it that is taken for granted once
    the challenger has seen a row. Returns what was decided; `.acts` says whether anything changed, `.says` why.
    """
    place = look(store, deployment, spec)
    place = configured(store, place, spec, now, actor, fence)
    evidence = _evidence(store, place, _look(place, now, simulated, running))
    # A simulation has no time in which gateways switch, so there is no drill in it.
    situation = replace(place.situation, switched=None) if simulated else place.situation
    decision = decide(situation, spec.strategy, now, evidence)
    _carry_out(store, place, decision, evidence, now, actor, fence)
    return decision


def consider(
    store: Store, deployment: str, spec: DeploymentSpec, *, now: datetime, running: Runs | None = None
) -> tuple[Decision, dict[str, Evidence]]:
    """What a turn at `now` would decide, and from what; nothing is changed."""
    place = look(store, deployment, spec)
    evidence = _evidence(store, place, _look(place, now, False, running))
    return decide(place.situation, spec.strategy, now, evidence), evidence


def guard(
    store: Store,
    deployment: str,
    spec: DeploymentSpec,
    *,
    now: datetime,
    actor: str,
    live: Mapping[str, pa.Table] | None = None,
    running: Runs | None = None,
    ejected: Collection[str] = (),
) -> Decision | None:
    """Look at what a rollout's guards can tell at once, and act if they must; cheap enough for every second.

    `live` are rows of the log by segment, which its table may not have yet; `ejected` are
    releases that a gateway asks no more for the moment, because they only failed. Needs no lease: the change is made against the revision
    it was decided from. None when nothing had to be done.
    """
    place = look(store, deployment, spec)
    rollout = place.situation.rollout
    if rollout is None or place.record is None:
        return None
    given = replace(_look(place, now, False, running), live=live)
    evidence = count(store, deployment, rollout, spec.strategy, given)
    decision = urgent(place.situation, spec.strategy, now, evidence, ejected)
    if decision is not None:
        _carry_out(store, place, decision, evidence, now, actor, None)
    return decision


def _look(place: Place, now: datetime, simulated: bool, running: Runs | None) -> Look:
    if running is None or place.record is None:
        return Look(now, simulated)
    runs, since = running(place.record.revision)
    switched = (since - place.record.at).total_seconds() if runs and since is not None else None
    return Look(now, simulated, runs, switched)


def _carry_out(
    store: Store,
    place: Place,
    decision: Decision,
    evidence: Mapping[str, Evidence],
    now: datetime,
    actor: str,
    fence: Held | None,
) -> None:
    if isinstance(decision, Start | Join):
        routable(place, decision.release, lambda found: kinds(store, found.body))
    rollout = place.situation.rollout
    found = findings(rollout, place.strategy, evidence) if rollout is not None else {}
    change = change_for(place, decision, now, found)
    if change is not None:
        compared = evidence.get(change.release) if rollout is not None else None
        commit(store, place, replace(change, detail={**change.detail, **_compared(compared)}), now, actor, fence)


def _compared(evidence: Evidence | None) -> dict[str, Any]:
    """What was compared beyond the guards, for the audit entry."""
    if evidence is None:
        return {}
    parts = {"agreement": evidence.agreement, "contrast": evidence.contrast}
    told = {part: _finite(value.as_json()) for part, value in parts.items() if value is not None}
    return {"compared": told} if told else {}


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: a bound that is none is left out."""
    return {key: value for key, value in values.items() if not (isinstance(value, float) and not math.isfinite(value))}


def _evidence(store: Store, place: Place, given: Look) -> dict[str, Evidence]:
    rollout = place.situation.rollout
    if rollout is None or place.record is None or rollout.kind != place.strategy.kind:
        return {}
    return gather(store, place.name, rollout, place.strategy, given)


# ---- by hand ---------------------------------------------------------------------------------------------------------


def rollback(store: Store, deployment: str, *, actor: str, why: str, fence: Held | None = None) -> Rollback:
    """Put the last champion back at once, or end the canary that runs. Refused when there is nothing to go back to."""
    for attempt in range(_ATTEMPTS):
        place = look(store, deployment)
        change = undone(place, why)
        try:
            commit(store, place, change, store.clock.now(), actor, fence)
            return Rollback(change.why)
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def pause(store: Store, deployment: str, *, actor: str, why: str, fence: Held | None = None) -> Pause:
    """Keep the routes of the canary that runs as they are until a person decides. Refused when none runs."""
    place = look(store, deployment)
    rollout = place.situation.rollout
    if rollout is None or rollout.phase != "steps":
        raise Refused("no release is being tried.", where=deployment)
    commit(store, place, tried(place, "rollout.paused", why, rollout.paused(), {}), store.clock.now(), actor, fence)
    return Pause(f"{place.called(rollout.release)} is paused: {why}")


def promote(
    store: Store,
    deployment: str,
    spec: DeploymentSpec,
    *,
    actor: str,
    why: str,
    release: str | None = None,
    fence: Held | None = None,
) -> Promote:
    """Promote a challenger by hand, whatever the guards know: `release` (digest), or the only one.

    Refused when none is being tried, or not this one, or several are and none is named.
    """
    place = look(store, deployment, spec)
    rollout = place.situation.rollout
    if rollout is None or rollout.phase in ("probation", "drill"):
        raise Refused("no release is being tried.", where=deployment)
    called = " and ".join(place.called(each) for each in rollout.challengers)
    if release is None and rollout.others:
        raise Refused(f"several releases are being tried: {called}.", where=deployment, hint="Name one.")
    if release is not None and release not in rollout.challengers:
        raise Refused(f"{place.called(release)} is not being tried: {called} is.", where=deployment)
    now = store.clock.now()
    change = promoted(place, why, now, {}, release)
    commit(store, place, change, now, actor, fence)
    return Promote(change.why)
