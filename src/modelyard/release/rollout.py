"""Carrying out decisions: what serves, what is tried, what names it, and why, in one transaction each.

A change is made against the revision that the decision was made from (compare and set): of two controllers, or a
controller and a person, one changes the routes and the other finds them changed. So nothing happens twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

import pyarrow as pa

from modelyard import __version__
from modelyard.digest import digest
from modelyard.errors import Conflict, NotFound, Refused
from modelyard.records import Alias, Audit, Deployment, Release
from modelyard.release.decide import decide, findings, routes, urgent
from modelyard.release.decisions import (
    Advance,
    Decision,
    Drill,
    Drop,
    Finish,
    Join,
    Note,
    Pause,
    Promote,
    Return,
    Reweigh,
    Rollback,
    Settle,
    Start,
    Wait,
)
from modelyard.release.evidence import Look, count, gather, kinds
from modelyard.release.guards import Evidence, Finding
from modelyard.release.names import NOBODY, name
from modelyard.release.state import Phase, Rollout, Situation
from modelyard.spec.predicate import misfit, parse
from modelyard.spec.strategies import BlueGreen, Canary, ChampionChallenger, Strategy
from modelyard.spec.types import DeploymentSpec
from modelyard.store import Held, Store, Transaction

TRIABLE = ("approved", "rolling_out", "live")
"""States in which a release may be tried in a deployment: approved, or already with another deployment of its model."""

_ATTEMPTS = 5


@dataclass(frozen=True)
class Place:
    """One deployment as it stands, and the releases of its model."""

    name: str
    spec: DeploymentSpec | None
    record: Deployment | None
    releases: dict[str, Release]
    situation: Situation

    @property
    def warm(self) -> tuple[str, ...]:
        """Releases kept loaded for a rollback by hand, the last champion first."""
        return tuple(self.record.routes.get("warm", ())) if self.record else ()

    @property
    def strategy(self) -> Strategy:
        """The declared strategy."""
        return self.spec.strategy if self.spec else Strategy()

    def called(self, release: str) -> str:
        """`late@3` for a digest."""
        found = self.releases.get(release)
        return name(found) if found else release[:12]


@dataclass(frozen=True)
class Change:
    """One new state of a deployment: what serves, the rollout after it, and which states and aliases move with it."""

    action: str
    why: str
    release: str
    champion: str
    rollout: Rollout | None
    warm: tuple[str, ...]
    states: Mapping[str, str] = field(default_factory=dict)
    challenger: str | None = None
    findings: tuple[Finding, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


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
    place = _configured(store, place, spec, now, actor, fence)
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
        _routable(place, decision.release, lambda found: kinds(store, found.body))
    rollout = place.situation.rollout
    found = findings(rollout, place.strategy, evidence) if rollout is not None else {}
    change = _change(place, decision, now, found)
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


def look(store: Store | Transaction, deployment: str, spec: DeploymentSpec | None = None) -> Place:
    """The deployment as it stands. Without `spec`, of the model that it serves."""
    record = store.one(Deployment, name=deployment)
    model = spec.model if spec else (record.model if record else "")
    releases = {release.digest: release for release in store.read(Release, model=model, order="number")}
    champion = _champion(record) if record is not None and record.model == model else None
    rollout = Rollout.of(record.rollout) if record is not None and champion else None
    warm = record.routes.get("warm", ()) if record is not None else ()
    situation = Situation(
        champion,
        rollout,
        _candidate(store, model, releases, champion, rollout),
        warm[0] if warm else None,
        _switched(store, deployment, spec),
    )
    return Place(deployment, spec, record, releases, situation)


SWITCHES = ("rollout.replaced", "rollout.promoted", "rollout.rolled_back", "rollout.drilled")


def _switched(store: Store | Transaction, deployment: str, spec: DeploymentSpec | None) -> datetime | None:
    """When traffic last went to another release; asked only where drills are declared."""
    declared = spec.strategy.blue_green if spec is not None else None
    if declared is None or declared.drill is None:
        return None
    subject = f"deployment.{deployment}"
    last = store.read(Audit, action=SWITCHES, subject=subject, order="sequence", descending=True, limit=1)
    return last[0].at if last else None


def _champion(record: Deployment) -> str | None:
    found = [arm["release"] for arm in record.routes.get("arms", ()) if arm["arm"] == "champion"]
    return found[0] if found else None


def _candidate(
    store: Store | Transaction,
    model: str,
    releases: Mapping[str, Release],
    champion: str | None,
    rollout: Rollout | None,
) -> str | None:
    """The release to try next: the model's champion in a new deployment, else the newest after what is here."""
    triable = [release for release in releases.values() if release.state in TRIABLE]
    if champion is None:
        alias = store.one(Alias, model=model, alias="champion")
        serving = [release for release in triable if alias is not None and release.number == alias.number]
        first = serving or triable[-1:]
        return first[0].digest if first else None
    here = [releases[each].number for each in (champion, *(rollout.challengers if rollout else ())) if each in releases]
    later = [release for release in triable if release.number > max(here, default=0)]
    return later[-1].digest if later else None


def _evidence(store: Store, place: Place, given: Look) -> dict[str, Evidence]:
    rollout = place.situation.rollout
    if rollout is None or place.record is None or rollout.kind != place.strategy.kind:
        return {}
    return gather(store, place.name, rollout, place.strategy, given)


# ---- from a decision to a change -------------------------------------------------------------------------------------


def _change(place: Place, decision: Decision, now: datetime, found: Mapping[str, tuple[Finding, ...]]) -> Change | None:
    """The new state that a decision asks for; None when nothing changes."""
    match decision:
        case Start():
            return _start(place, decision, now)
        case Advance(to=to, says=says):
            return _tried(place, "rollout.stepped", says, _running(place).advanced(to, now), found)
        case Reweigh(weights=weights, says=says):
            return _tried(place, "rollout.reweighed", says, _running(place).weighed(weights, now), found)
        case Note(says=says):
            return _tried(place, "rollout.compared", says, replace(_running(place), noted=now), found)
        case Pause(says=says):
            return _tried(place, "rollout.paused", says, _running(place).paused(), found)
        case Promote(says=says, release=release):
            return _promote(place, says, now, found, release)
        case Rollback(says=says):
            return _roll_back(place, says, found)
        case Settle(says=says):
            return _settle(place, says)
        case Finish(says=says):
            return _finish(place, says, found)
        case Join():
            return _join(place, decision, now)
        case Drop(release=release, says=says):
            return _drop(place, release, says, now, found)
        case Drill(release=release, says=says):
            return _drill(place, release, says, now)
        case Return(seconds=seconds, says=says):
            return _return(place, seconds, says)
        case Wait():
            return None
        case _:
            assert_never(decision)


def _running(place: Place) -> Rollout:
    assert place.situation.rollout is not None
    return place.situation.rollout


def _start(place: Place, decision: Start, now: datetime) -> Change:
    new = decision.release
    _intact(place, new)
    champion = place.situation.champion
    said = f"{place.called(new)}: {decision.says}"
    if champion is None or decision.how in ("first", "replace"):
        states = {new: "live"} | ({champion: "retired"} if champion else {})
        warm = (champion,) if champion else ()
        return Change("rollout.replaced", said, new, new, None, warm, states, detail={"first": champion is None})
    superseded = place.situation.rollout
    before = {each: "retired" for each in superseded.challengers if each != new} if superseded else {}
    detail = {"superseded": place.called(superseded.release)} if superseded else {}
    phase: Phase = "loading" if decision.how == "blue_green" else "steps"
    rollout = Rollout.begin(new, champion, now, decision.how, phase)
    states = before | {new: "rolling_out"}
    return Change("rollout.started", said, new, champion, rollout, place.warm, states, challenger=new, detail=detail)


def _intact(place: Place, release: str) -> None:
    """What was approved is a digest: a body that is not what it says is not put to work."""
    found = place.releases[release]
    if digest(found.body) != found.digest:
        raise Refused("its record was changed after it was made.", where=name(found), hint="Build a new release.")


def _tried(place: Place, action: str, says: str, rollout: Rollout, found: Mapping[str, tuple[Finding, ...]]) -> Change:
    said = f"{place.called(rollout.release)}: {says}"
    return Change(
        action,
        said,
        rollout.release,
        rollout.champion,
        rollout,
        place.warm,
        challenger=rollout.release,
        findings=found.get(rollout.release, ()),
    )


def _promote(
    place: Place, says: str, now: datetime, found: Mapping[str, tuple[Finding, ...]], release: str | None = None
) -> Change:
    rollout, declared = _running(place), place.strategy.chosen
    new, old = release or rollout.release, rollout.champion
    others = [each for each in rollout.challengers if each != new]
    probation = isinstance(declared, Canary | BlueGreen) and bool(declared.probation)
    states = {new: "live"} if probation else {new: "live", old: "retired"}
    after = replace(rollout.promoted(now), release=new, kind=place.strategy.kind) if probation else None
    challenger = None
    if isinstance(declared, ChampionChallenger) and others:  # they go on against the new champion
        challenger = others[0]
        after = replace(Rollout.begin(challenger, new, now, rollout.kind), others=tuple(others[1:]))
    else:
        states |= dict.fromkeys(others, "retired")
    said = f"{place.called(new)} is promoted: {says}"
    about = found.get(new, ())
    return Change("rollout.promoted", said, new, new, after, (old,), states, challenger=challenger, findings=about)


def _roll_back(place: Place, says: str, found: Mapping[str, tuple[Finding, ...]]) -> Change:
    rollout = _running(place)
    if rollout.phase == "drill":
        return _return(place, None, says)
    bad, good = rollout.release, rollout.champion
    in_probation = rollout.phase == "probation"
    states = dict.fromkeys(rollout.challengers, "rolled_back") | ({good: "live"} if in_probation else {})
    warm = tuple(each for each in place.warm if each not in (good, *rollout.challengers))
    called = " and ".join(place.called(each) for each in rollout.challengers)
    said = f"{called} {'are' if rollout.others else 'is'} rolled back, {place.called(good)} serves: {says}"
    return Change("rollout.rolled_back", said, bad, good, None, warm, states, findings=found.get(bad, ()))


def _settle(place: Place, says: str) -> Change:
    rollout = _running(place)
    states = {rollout.champion: "retired"}
    said = f"{place.called(rollout.release)} stays: {says}"
    return Change("rollout.settled", said, rollout.release, rollout.release, None, place.warm, states)


def _finish(place: Place, says: str, found: Mapping[str, tuple[Finding, ...]]) -> Change:
    rollout = _running(place)
    tried, good = rollout.release, rollout.champion
    said = f"{place.called(good)} stays, {place.called(tried)} is withdrawn: {says}"
    states = dict.fromkeys(rollout.challengers, "retired")
    return Change("rollout.finished", said, tried, good, None, place.warm, states, findings=found.get(tried, ()))


def _join(place: Place, decision: Join, now: datetime) -> Change:
    new, rollout = decision.release, _running(place)
    _intact(place, new)
    states = {new: "rolling_out"}
    left: Rollout | None = rollout
    if decision.instead is not None:
        states[decision.instead] = "retired"
        left = rollout.without(decision.instead, now)
    champion = rollout.champion
    after = left.joined(new, now) if left else Rollout.begin(new, champion, now, rollout.kind)
    instead = f" {place.called(decision.instead)} makes room for it." if decision.instead else ""
    detail = {"superseded": place.called(decision.instead)} if decision.instead else {}
    said = f"{place.called(new)}: {decision.says}.{instead}"
    return Change(
        "rollout.joined", said, new, champion, after, place.warm, states, challenger=after.release, detail=detail
    )


def _drop(place: Place, release: str, says: str, now: datetime, found: Mapping[str, tuple[Finding, ...]]) -> Change:
    rollout = _running(place)
    left = rollout.without(release, now)
    said = f"{place.called(release)} is withdrawn, {place.called(rollout.champion)} serves: {says}"
    return Change(
        "rollout.rolled_back",
        said,
        release,
        rollout.champion,
        left,
        place.warm,
        {release: "rolled_back"},
        challenger=left.release if left else None,
        findings=found.get(release, ()),
    )


def _drill(place: Place, release: str, says: str, now: datetime) -> Change:
    champion = place.situation.champion
    assert champion is not None
    rollout = Rollout.begin(release, champion, now, place.strategy.kind, "drill")
    said = f"{place.called(release)} answers for a moment, and {place.called(champion)} again after it: {says}"
    return Change("rollout.drill_started", said, release, champion, rollout, place.warm)


def _return(place: Place, seconds: float | None, says: str) -> Change:
    rollout = _running(place)
    passed = {"seconds": round(seconds, 3)} if seconds is not None else {}
    said = (
        f"{place.called(rollout.champion)} answers again after the drill with {place.called(rollout.release)}: {says}"
    )
    detail = {"passed": seconds is not None, **passed}
    return Change("rollout.drilled", said, rollout.release, rollout.champion, None, place.warm, detail=detail)


# ---- by hand ---------------------------------------------------------------------------------------------------------


def rollback(store: Store, deployment: str, *, actor: str, why: str, fence: Held | None = None) -> Rollback:
    """Put the last champion back at once, or end the canary that runs. Refused when there is nothing to go back to."""
    for attempt in range(_ATTEMPTS):
        place = look(store, deployment)
        change = _by_hand(place, why)
        try:
            commit(store, place, change, store.clock.now(), actor, fence)
            return Rollback(change.why)
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _by_hand(place: Place, why: str) -> Change:
    if place.record is None or place.situation.champion is None:
        raise NotFound(f"there is no deployment {place.name!r} that serves.", hint="`yard status` shows those that do.")
    if place.situation.rollout is not None:
        return _roll_back(place, why, {})
    bad = place.situation.champion
    if not place.warm:
        raise Refused(
            f"there is nothing to roll back to: {place.called(bad)} has no predecessor that is kept warm.",
            where=place.name,
        )
    good = place.warm[0]
    said = f"{place.called(bad)} is rolled back, {place.called(good)} serves: {why}"
    return Change("rollout.rolled_back", said, bad, good, None, place.warm[1:], {bad: "rolled_back", good: "live"})


def pause(store: Store, deployment: str, *, actor: str, why: str, fence: Held | None = None) -> Pause:
    """Keep the routes of the canary that runs as they are until a person decides. Refused when none runs."""
    place = look(store, deployment)
    rollout = place.situation.rollout
    if rollout is None or rollout.phase != "steps":
        raise Refused("no release is being tried.", where=deployment)
    commit(store, place, _tried(place, "rollout.paused", why, rollout.paused(), {}), store.clock.now(), actor, fence)
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
    change = _promote(place, why, now, {}, release)
    commit(store, place, change, now, actor, fence)
    return Promote(change.why)


# ---- the one transaction ---------------------------------------------------------------------------------------------


def commit(store: Store, place: Place, change: Change, now: datetime, actor: str, fence: Held | None) -> Deployment:
    """Make a change: routes, states, aliases and the audit entry together. Conflict when the routes moved meanwhile."""
    detail = {
        "why": change.why,
        "release": place.called(change.release),
        "digest": change.release,
        "champion": place.called(change.champion),
        "swapped": change.champion != place.situation.champion,
        "strategy": place.strategy.kind,
        "modelyard": __version__,
        **change.detail,
    }
    if change.findings:
        detail["guards"] = [finding.as_json() for finding in change.findings]
    if place.situation.rollout is not None:
        detail["data"] = _data(store, place, now)
    subject = f"deployment.{place.name}"
    with store.transaction(actor=actor, action=change.action, subject=subject, detail=detail, fence=fence) as tx:
        deployment = _write(tx, place, change, now)
        for release, state in change.states.items():
            _move(tx, place, release, state)
        if change.champion != place.situation.champion:
            _point(tx, place, "champion", change.champion, now)
        _point_challenger(tx, place, change, now)
        tx.detail["revision"] = deployment.revision
    return deployment


def _data(store: Store, place: Place, now: datetime) -> dict[str, Any]:
    """Which rows a decision about a rollout was made from: the log's table, its version, and the stretch of time."""
    table = store.table(f"predictions/{place.name}")
    return {
        "table": table.name,
        "version": table.version() if table.exists() else None,
        "from": _running(place).entries[0].isoformat(),
        "to": now.isoformat(),
    }


def _write(tx: Transaction, place: Place, change: Change, now: datetime) -> Deployment:
    """The deployment's next revision."""
    model = place.releases[change.champion].model
    values: dict[str, Any] = {
        "model": model,
        "routes": obeyed(place, change.rollout, change.champion, change.warm),
        "rollout": change.rollout.as_json() if change.rollout else {},
        "at": now,
    }
    if place.spec is not None:
        values["policy"] = policy(place.spec)
    if place.record is None:
        return tx.add(Deployment(name=place.name, revision=1, **values))
    revision = place.record.revision + 1
    if not tx.change(Deployment, {"name": place.name, "revision": place.record.revision}, revision=revision, **values):
        raise Conflict("its routes were changed a moment ago.", where=place.name, hint="Look again, then decide.")
    written = tx.one(Deployment, name=place.name)
    assert written is not None
    return written


def _move(tx: Transaction, place: Place, release: str, state: str) -> None:
    """Set a release's state. What another deployment serves is not retired; what nobody approved does not start."""
    found = place.releases.get(release)
    if found is None:
        return
    if state == "retired" and _serves_elsewhere(tx, place, release):
        return
    where: dict[str, Any] = {"id": found.id}
    if state == "rolling_out" and found.state == "live":
        return
    if state in ("rolling_out", "live") and release == place.situation.candidate:
        where["state"] = list(TRIABLE)
    if not tx.change(Release, where, state=state):
        raise Conflict("it may not be rolled out any more.", where=name(found))


def _serves_elsewhere(tx: Transaction, place: Place, release: str) -> bool:
    others = [each for each in tx.read(Deployment) if each.name != place.name]
    return any(arm["release"] == release for each in others for arm in each.routes.get("arms", ()))


def _point_challenger(tx: Transaction, place: Place, change: Change, now: datetime) -> None:
    """Name what is being tried; when that has ended, nobody, unless another deployment is trying something else."""
    if change.challenger is not None:
        _point(tx, place, "challenger", change.challenger, now)
    elif place.situation.rollout is not None:
        ended = place.releases.get(place.situation.rollout.release)
        present = tx.one(Alias, model=place.releases[change.champion].model, alias="challenger")
        if present is not None and ended is not None and present.number == ended.number:
            _point(tx, place, "challenger", None, now)


def _point(tx: Transaction, place: Place, alias: str, release: str | None, now: datetime) -> None:
    """Let an alias name a release, or nobody."""
    number = place.releases[release].number if release else NOBODY
    model = next(iter(place.releases.values())).model
    present = tx.one(Alias, model=model, alias=alias)
    if present is None:
        if number != NOBODY:
            tx.add(Alias(model=model, alias=alias, number=number, at=now))
    elif present.number != number:
        tx.change(Alias, {"id": present.id}, number=number, at=now)


def obeyed(place: Place, rollout: Rollout | None, champion: str, warm: tuple[str, ...]) -> dict[str, Any]:
    """The routing table that gateways obey: arms and shadows of the strategy, by what rows are routed, and which."""
    spec = place.spec
    if rollout is not None and rollout.kind != place.strategy.kind and place.record is not None:
        return dict(place.record.routes)  # the rollout is about to be ended, or tried anew
    made = routes(rollout, champion, place.strategy, warm)
    if spec is None:
        before = place.record.routes if place.record else {}
        return made | {key: before[key] for key in ("route_by", "segment") if key in before}
    if spec.route_by is not None:
        made["route_by"] = spec.route_by
    if spec.strategy.only is not None:
        made["segment"] = _listed(parse(spec.strategy.only.segment))
    return made


def _listed(parsed: Any) -> Any:
    """Nested tuples as JSON has them, so that routes read back are equal."""
    return [_listed(each) for each in parsed] if isinstance(parsed, tuple) else parsed


def _routable(place: Place, release: str, kinds: Callable[[Release], Mapping[str, str]]) -> None:
    """Refuse to put a release to work whose inputs the declared routing cannot ask."""
    spec = place.spec
    if spec is None or (spec.route_by is None and spec.strategy.only is None):
        return
    found = place.releases[release]
    known = kinds(found)
    where = f"deployments.{place.name}"
    if spec.route_by is not None and spec.route_by not in known:
        raise Refused(
            f"`{spec.route_by}` is neither an input of {name(found)} nor a key of its dataset.",
            where=f"{where}.route_by",
            hint=f"There are: {', '.join(sorted(known))}.",
        )
    why = misfit(parse(spec.strategy.only.segment), known) if spec.strategy.only is not None else ""
    if why:
        raise Refused(f"{why} ({name(found)}).", where=f"{where}.strategy.only.segment", hint="Mend the condition.")


# ---- the declared policy of a deployment -----------------------------------------------------------------------------


def policy(spec: DeploymentSpec) -> dict[str, Any]:
    """What a gateway needs to know of the declaration beside the routes: input rules, fallback, output, log, limits."""
    return spec.model_dump(mode="json", by_alias=True, exclude={"strategy", "was", "model"})


def _configured(
    store: Store, place: Place, spec: DeploymentSpec, now: datetime, actor: str, fence: Held | None
) -> Place:
    """Bring a changed policy (or the routes of a changed canary) to the gateways, before anything else is decided."""
    record, champion = place.record, place.situation.champion
    if record is None or champion is None:
        return place
    wanted = obeyed(place, place.situation.rollout, champion, place.warm)
    if record.policy == policy(spec) and record.routes == wanted:
        return place
    detail = {"why": "the declaration of the deployment changed"}
    subject = f"deployment.{place.name}"
    with store.transaction(actor=actor, action="rollout.configured", subject=subject, detail=detail, fence=fence) as tx:
        changed = tx.change(
            Deployment,
            {"name": place.name, "revision": record.revision},
            revision=record.revision + 1,
            policy=policy(spec),
            routes=wanted,
            at=now,
        )
        if not changed:
            raise Conflict("its routes were changed a moment ago.", where=place.name)
    return look(store, place.name, spec)
