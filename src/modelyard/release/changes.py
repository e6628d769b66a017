"""From a decision to the new state of a deployment. Pure: what a change means, not how it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from modelyard.digest import digest
from modelyard.errors import NotFound, Refused
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
from modelyard.release.guards import Finding
from modelyard.release.names import name
from modelyard.release.place import Place
from modelyard.release.state import Phase, Rollout
from modelyard.spec.strategies import BlueGreen, Canary, ChampionChallenger


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


def change_for(
    place: Place, decision: Decision, now: datetime, found: Mapping[str, tuple[Finding, ...]]
) -> Change | None:
    """The new state that a decision asks for; None when nothing changes."""
    match decision:
        case Start():
            return _start(place, decision, now)
        case Advance(to=to, says=says):
            return tried(place, "rollout.stepped", says, trying(place).advanced(to, now), found)
        case Reweigh(weights=weights, says=says):
            return tried(place, "rollout.reweighed", says, trying(place).weighed(weights, now), found)
        case Note(says=says):
            return tried(place, "rollout.compared", says, replace(trying(place), noted=now), found)
        case Pause(says=says):
            return tried(place, "rollout.paused", says, trying(place).paused(), found)
        case Promote(says=says, release=release):
            return promoted(place, says, now, found, release)
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


def trying(place: Place) -> Rollout:
    """The rollout that a decision about one was made for."""
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


def tried(place: Place, action: str, says: str, rollout: Rollout, found: Mapping[str, tuple[Finding, ...]]) -> Change:
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


def promoted(
    place: Place, says: str, now: datetime, found: Mapping[str, tuple[Finding, ...]], release: str | None = None
) -> Change:
    rollout, declared = trying(place), place.strategy.chosen
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
    rollout = trying(place)
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
    rollout = trying(place)
    states = {rollout.champion: "retired"}
    said = f"{place.called(rollout.release)} stays: {says}"
    return Change("rollout.settled", said, rollout.release, rollout.release, None, place.warm, states)


def _finish(place: Place, says: str, found: Mapping[str, tuple[Finding, ...]]) -> Change:
    rollout = trying(place)
    tried, good = rollout.release, rollout.champion
    said = f"{place.called(good)} stays, {place.called(tried)} is withdrawn: {says}"
    states = dict.fromkeys(rollout.challengers, "retired")
    return Change("rollout.finished", said, tried, good, None, place.warm, states, findings=found.get(tried, ()))


def _join(place: Place, decision: Join, now: datetime) -> Change:
    new, rollout = decision.release, trying(place)
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
    rollout = trying(place)
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
    rollout = trying(place)
    passed = {"seconds": round(seconds, 3)} if seconds is not None else {}
    said = (
        f"{place.called(rollout.champion)} answers again after the drill with {place.called(rollout.release)}: {says}"
    )
    detail = {"passed": seconds is not None, **passed}
    return Change("rollout.drilled", said, rollout.release, rollout.champion, None, place.warm, detail=detail)


def undone(place: Place, why: str) -> Change:
    """A rollback by hand: of what is being tried, else of the champion."""
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
