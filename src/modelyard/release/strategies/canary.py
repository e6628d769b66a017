"""Canary: first in shadow, then on growing traffic. The rules stand in `RULES`; the first that has something to say decides.

1. a guard failed: roll back, whatever the step, paused or in probation;
2. a newer release is approved while this one is in shadow or paused: the newer one takes its place. In any later step,
   and during probation, it waits until the rollout has ended;
3. probation is over: the old champion stops shadowing and is retired (it stays warm, for a rollback by hand);
4. the step is done: the next step, or promotion. A step is done when its minimum time has passed, every gateway
   runs its routes, and at least one row of the challenger was seen in it. Promotion (to a step with all traffic, or
   after the last step) also needs a pass of every guard that can be judged; steps before only need that none fails;
5. `within` has passed: roll back, promote or pause, as `on_inconclusive` says;
6. otherwise wait, and say for what.
"""

from __future__ import annotations

from collections.abc import Callable

from modelyard.release.decisions import Advance, Decision, Pause, Promote, Rollback, Start, Wait
from modelyard.release.losses import LOSSES
from modelyard.release.state import Rollout
from modelyard.release.strategies.matter import Matter, failed, passed, probation, unproven, young
from modelyard.release.strategies.routing import CHALLENGER, Routes, arm, shadow, watched
from modelyard.spec.strategies import Canary, Step
from modelyard.spec.values import show_duration


def decide(canary: Canary, matter: Matter) -> Decision:
    """What to do next with the release on trial."""
    for rule in RULES:
        decision = rule(canary, matter)
        if decision is not None:
            return decision
    return _wait(canary, matter)


def _failed(canary: Canary, matter: Matter) -> Decision | None:
    why = failed(matter)
    return Rollback(why) if why else None


def _superseded(canary: Canary, matter: Matter) -> Decision | None:
    candidate, rollout = matter.situation.candidate, matter.rollout
    if candidate is None or rollout.phase == "probation":
        return None
    if rollout.phase == "paused" or _share(canary.steps[at(canary, rollout)]) == 0:
        stage = "paused" if rollout.phase == "paused" else "in shadow"
        return Start(candidate, "canary", f"a newer release is approved while the last is {stage}: it takes its place")
    return None


def _settled(canary: Canary, matter: Matter) -> Decision | None:
    return probation(matter, canary.probation) if matter.rollout.phase == "probation" else None


def _advanced(canary: Canary, matter: Matter) -> Decision | None:
    if matter.rollout.phase != "steps" or _unfinished(canary, matter):
        return None
    following, steps = at(canary, matter.rollout) + 1, canary.steps
    if following < len(steps) and _share(steps[following]) < 1:
        return Advance(following, f"step {following + 1} of {len(steps)}, {describe(canary, following)}")
    return None if unproven(matter) else Promote(f"all steps have passed; {passed(matter)}")


def _inconclusive(canary: Canary, matter: Matter) -> Decision | None:
    if matter.rollout.phase != "steps" or matter.now - matter.rollout.started < canary.within:
        return None
    why = f"inconclusive after {show_duration(canary.within)}: {_wait(canary, matter).says}"
    match canary.on_inconclusive:
        case "rollback":
            return Rollback(why)
        case "promote":
            return Promote(why)
        case "pause":
            return Pause(why)


RULES: tuple[Callable[[Canary, Matter], Decision | None], ...] = (
    _failed,
    _superseded,
    _settled,
    _advanced,
    _inconclusive,
)


def _wait(canary: Canary, matter: Matter) -> Wait:
    if matter.rollout.phase == "paused":
        return Wait("paused: waits for a person to promote it or roll it back, or for a newer release")
    reasons = _unfinished(canary, matter) or unproven(matter)
    return Wait(f"step {at(canary, matter.rollout) + 1} of {len(canary.steps)}: " + "; ".join(reasons))


def _unfinished(canary: Canary, matter: Matter) -> list[str]:
    return young(matter, canary.steps[at(canary, matter.rollout)].for_, matter.rollout.entered)


def at(canary: Canary, rollout: Rollout) -> int:
    """The present step; one that is no longer declared counts as the last."""
    return min(rollout.step, len(canary.steps) - 1)


def _share(step: Step) -> float:
    return step.traffic or 0.0


def at_once(canary: Canary) -> bool:
    """Whether the first step is all of the traffic already: then there is nothing to try."""
    return _share(canary.steps[0]) >= 1


def describe(canary: Canary, number: int) -> str:
    """A step in words: `5% of the traffic for at least 1d`."""
    step = canary.steps[number]
    parts = [f"{step.traffic * 100:g}% of the traffic"] if step.traffic else []
    if step.shadow:
        parts.append(f"{step.shadow * 100:g}% in shadow")
    minimum = f" for at least {show_duration(step.for_)}" if step.for_ else ""
    return (" and ".join(parts) or "nothing") + minimum


def routes(canary: Canary, rollout: Rollout) -> Routes:
    """While traffic moves, the challenger goes on answering the champion's rows in shadow when labels are compared or a
    shadow step came before; in probation the old champion answers all rows in shadow.
    """
    if rollout.phase == "probation":
        return watched(rollout)
    step = at(canary, rollout)
    weight, share = _share(canary.steps[step]), shadow_share(canary, step)
    arms = [arm("champion", rollout.champion, 1.0 - weight)]
    if weight:
        arms.append(arm(CHALLENGER, rollout.release, weight))
    return arms, [shadow(CHALLENGER, rollout.release, share)] if share else []


def shadow_share(canary: Canary, step: int) -> float:
    """Which share of the champion's rows the challenger answers in shadow during a step."""
    for earlier in reversed(canary.steps[: step + 1]):
        if earlier.shadow is not None:
            return earlier.shadow
    return 1.0 if any(name in LOSSES for name in canary.guard) else 0.0
