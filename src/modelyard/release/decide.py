"""What a deployment should do next: pure decisions over its situation, its strategy, the time and the evidence.

The rules of a rollout stand in `RULES`; the first that has something to say decides:

1. a guard failed: roll back, whatever the step, paused or in probation;
2. the strategy is no canary any more: end the rollout in the challenger's favour;
3. a newer release is approved while this one is in shadow or paused: the newer one takes its place. In any later step,
   and during probation, it waits until the rollout has ended;
4. probation is over: the old champion stops shadowing and is retired (it stays warm, for a rollback by hand);
5. the step is done: the next step, or promotion. A step is done when its minimum time has passed, every gateway
   runs its routes, and at least one row of the challenger was seen in it. Promotion (to a step with all traffic, or
   after the last step) also needs a pass of every guard that can be judged; steps before only need that none fails;
6. `within` has passed: roll back, promote or pause, as `on_inconclusive` says;
7. otherwise wait, and say for what.

What was rolled back or rejected is never a candidate again: only a release in state approved is, and only a later one
than the champion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from modelyard.release.guards import Evidence, Finding, judge
from modelyard.release.losses import LOSSES
from modelyard.spec.types import Canary, Step, Strategy
from modelyard.spec.values import show_duration

Phase = Literal["steps", "paused", "probation"]


@dataclass(frozen=True)
class Rollout:
    """A release being tried. In probation `release` serves already and `champion` is the one before it.

    `step` counts from 0. `entries` are the times at which the steps so far began; in probation, when that began.
    """

    release: str
    champion: str
    phase: Phase
    step: int
    started: datetime
    entries: tuple[datetime, ...]

    @property
    def entered(self) -> datetime:
        """When the present step, or the probation, began."""
        return self.entries[-1]

    @classmethod
    def begin(cls, release: str, champion: str, now: datetime) -> Rollout:
        """The first step."""
        return cls(release, champion, "steps", 0, now, (now,))

    def advanced(self, to: int, now: datetime) -> Rollout:
        """In step number `to`."""
        return replace(self, step=to, entries=(*self.entries, now))

    def promoted(self, now: datetime) -> Rollout:
        """In probation."""
        return replace(self, phase="probation", entries=(now,))

    def paused(self) -> Rollout:
        """The same step, until a person decides."""
        return replace(self, phase="paused")

    def as_json(self) -> dict[str, Any]:
        """For the deployment's record."""
        return {
            "release": self.release,
            "champion": self.champion,
            "phase": self.phase,
            "step": self.step,
            "started": self.started.isoformat(),
            "entries": [entry.isoformat() for entry in self.entries],
        }

    @classmethod
    def of(cls, state: dict[str, Any]) -> Rollout | None:
        """From the deployment's record; None when nothing is being tried."""
        if not state:
            return None
        return cls(
            state["release"],
            state["champion"],
            state["phase"],
            state["step"],
            datetime.fromisoformat(state["started"]),
            tuple(datetime.fromisoformat(entry) for entry in state["entries"]),
        )


@dataclass(frozen=True)
class Situation:
    """A deployment now: the digests of what serves, what is being tried, and what could be tried next."""

    champion: str | None
    rollout: Rollout | None = None
    candidate: str | None = None


@dataclass(frozen=True)
class Start:
    """Begin with a release: `first` and `replace` let it serve at once, `canary` takes the first step."""

    release: str
    how: Literal["first", "replace", "canary"]
    says: str
    acts = True


@dataclass(frozen=True)
class Advance:
    """Take step number `to` (from 0)."""

    to: int
    says: str
    acts = True


@dataclass(frozen=True)
class Promote:
    """Make the challenger the champion."""

    says: str
    acts = True


@dataclass(frozen=True)
class Rollback:
    """Go back to the champion from before."""

    says: str
    acts = True


@dataclass(frozen=True)
class Pause:
    """Keep the routes as they are until a person decides."""

    says: str
    acts = True


@dataclass(frozen=True)
class Settle:
    """End the probation: the release stays, the old champion is retired."""

    says: str
    acts = True


@dataclass(frozen=True)
class Wait:
    """Do nothing yet."""

    says: str
    acts = False


Decision = Start | Advance | Promote | Rollback | Pause | Settle | Wait


@dataclass(frozen=True)
class _Matter:
    """What the rules look at."""

    situation: Situation
    rollout: Rollout
    canary: Canary
    now: datetime
    evidence: Evidence
    findings: tuple[Finding, ...]

    @property
    def step(self) -> int:
        """The present step; one that is no longer declared counts as the last."""
        return min(self.rollout.step, len(self.canary.steps) - 1)


def decide(situation: Situation, strategy: Strategy, now: datetime, evidence: Evidence | None = None) -> Decision:
    """What to do next. `evidence` is None (or empty) when nothing is being tried."""
    rollout = situation.rollout
    if rollout is None:
        return _begin(situation, strategy)
    evidence = evidence or Evidence()
    canary = strategy.canary
    if canary is None:
        findings: tuple[Finding, ...] = ()
        matter = _Matter(situation, rollout, Canary(), now, evidence, findings)
        return _strategy_changed(matter)
    matter = _Matter(situation, rollout, canary, now, evidence, judge(canary, evidence))
    for rule in RULES:
        decision = rule(matter)
        if decision is not None:
            return decision
    return _wait(matter)


def _begin(situation: Situation, strategy: Strategy) -> Decision:
    candidate = situation.candidate
    if candidate is None:
        return Wait("nothing new is approved")
    if situation.champion is None:
        return Start(candidate, "first", "the first release: there is nothing to compare it with")
    canary = strategy.canary
    if canary is None or _share(canary.steps[0]) >= 1:
        return Start(candidate, "replace", "a newer release is approved and the strategy is replace")
    return Start(candidate, "canary", f"a newer release is approved: first step, {describe(canary, 0)}")


def _strategy_changed(matter: _Matter) -> Decision:
    if matter.rollout.phase == "probation":
        return Settle("the strategy is replace now, which has no probation")
    return Promote("the strategy is replace now")


def _failed(matter: _Matter) -> Decision | None:
    failed = [finding for finding in matter.findings if finding.verdict == "fail"]
    return Rollback("; ".join(finding.says for finding in failed)) if failed else None


def _superseded(matter: _Matter) -> Decision | None:
    candidate, rollout = matter.situation.candidate, matter.rollout
    if candidate is None or rollout.phase == "probation":
        return None
    if rollout.phase == "paused" or _share(matter.canary.steps[matter.step]) == 0:
        stage = "paused" if rollout.phase == "paused" else "in shadow"
        return Start(candidate, "canary", f"a newer release is approved while the last is {stage}: it takes its place")
    return None


def _settled(matter: _Matter) -> Decision | None:
    if matter.rollout.phase != "probation":
        return None
    probation = matter.canary.probation
    if matter.now - matter.rollout.entered >= probation:
        return Settle(f"{show_duration(probation)} of probation have passed and no guard failed")
    return _wait(matter)


def _advanced(matter: _Matter) -> Decision | None:
    if matter.rollout.phase != "steps" or _unfinished(matter):
        return None
    following = matter.step + 1
    steps = matter.canary.steps
    if following < len(steps) and _share(steps[following]) < 1:
        return Advance(following, f"step {following + 1} of {len(steps)}, {describe(matter.canary, following)}")
    if _unproven(matter):
        return None
    passed = "; ".join(finding.says for finding in matter.findings) or "all steps have passed, no guard is declared"
    return Promote(passed)


def _inconclusive(matter: _Matter) -> Decision | None:
    canary = matter.canary
    if matter.rollout.phase != "steps" or matter.now - matter.rollout.started < canary.within:
        return None
    why = f"inconclusive after {show_duration(canary.within)}: {_wait(matter).says}"
    match canary.on_inconclusive:
        case "rollback":
            return Rollback(why)
        case "promote":
            return Promote(why)
        case "pause":
            return Pause(why)


RULES: tuple[Callable[[_Matter], Decision | None], ...] = (_failed, _superseded, _settled, _advanced, _inconclusive)


def _wait(matter: _Matter) -> Wait:
    if matter.rollout.phase == "paused":
        return Wait("paused: waits for a person to promote it or roll it back, or for a newer release")
    if matter.rollout.phase == "probation":
        until = matter.rollout.entered + matter.canary.probation
        return Wait(f"in probation until {until:%Y-%m-%d %H:%M}")
    reasons = _unfinished(matter) or _unproven(matter)
    return Wait(f"step {matter.step + 1} of {len(matter.canary.steps)}: " + "; ".join(reasons))


def _unfinished(matter: _Matter) -> list[str]:
    """Why the present step cannot be left yet."""
    reasons = []
    minimum = matter.canary.steps[matter.step].for_
    if matter.now - matter.rollout.entered < minimum:
        reasons.append(f"lasts at least until {matter.rollout.entered + minimum:%Y-%m-%d %H:%M}")
    if not matter.evidence.running:
        reasons.append("not every gateway runs its routes yet")
    if matter.evidence.rows == 0:
        reasons.append("the challenger has not seen a row in it")
    return reasons


def _unproven(matter: _Matter) -> list[str]:
    """What has not passed yet, of all that must before promotion."""
    return [finding.says for finding in matter.findings if finding.verdict not in ("pass", "not judged")]


def _share(step: Step) -> float:
    return step.traffic or 0.0


def describe(canary: Canary, number: int) -> str:
    """A step in words: `5% of the traffic for at least 1d`."""
    step = canary.steps[number]
    parts = [f"{step.traffic * 100:g}% of the traffic"] if step.traffic else []
    if step.shadow:
        parts.append(f"{step.shadow * 100:g}% in shadow")
    minimum = f" for at least {show_duration(step.for_)}" if step.for_ else ""
    return (" and ".join(parts) or "nothing") + minimum


# ---- routes: what a situation looks like to a gateway ----------------------------------------------------------------


def routes(rollout: Rollout | None, champion: str, canary: Canary, warm: tuple[str, ...]) -> dict[str, Any]:
    """Arms, shadows and warm releases. A rollout's salt is its challenger's digest: each draws its arms anew.

    While traffic moves, the challenger goes on answering the champion's rows in shadow when labels are compared or a
    shadow step came before; in probation the old champion answers all rows in shadow.
    """
    arms = [{"arm": "champion", "release": champion, "weight": 1.0}]
    shadows: list[dict[str, Any]] = []
    salt = champion
    if rollout is not None:
        salt = rollout.release
        if rollout.phase == "probation":
            shadows = [{"arm": "previous", "release": rollout.champion, "share": 1.0}]
        else:
            step = min(rollout.step, len(canary.steps) - 1)
            weight = _share(canary.steps[step])
            if weight:
                arms[0]["weight"] = 1.0 - weight
                arms.append({"arm": "challenger", "release": rollout.release, "weight": weight})
            share = shadow_share(canary, step)
            if share:
                shadows = [{"arm": "challenger", "release": rollout.release, "share": share}]
    return {"arms": arms, "shadows": shadows, "warm": list(warm), "salt": salt[:32]}


def shadow_share(canary: Canary, step: int) -> float:
    """Which share of the champion's rows the challenger answers in shadow during a step."""
    for earlier in reversed(canary.steps[: step + 1]):
        if earlier.shadow is not None:
            return earlier.shadow
    return 1.0 if any(name in LOSSES for name in canary.guard) else 0.0
