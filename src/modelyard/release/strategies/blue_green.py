"""Blue-green: the new release is loaded everywhere, then all traffic switches at once, and can switch back as fast.

A drill proves that it can: on schedule the traffic goes to the old release until every gateway has switched, and back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from modelyard.release.decisions import Decision, Drill, Promote, Return, Rollback, Start, Wait
from modelyard.release.state import Rollout, Situation
from modelyard.release.strategies.matter import Matter, probation
from modelyard.release.strategies.routing import CHALLENGER, Routes, arm, watched
from modelyard.spec.strategies import BlueGreen
from modelyard.spec.values import show_duration

LONGEST = timedelta(minutes=1)
"""A drill that lasts longer has failed: the champion answers again."""


def decide(declared: BlueGreen, matter: Matter) -> Decision:
    """What to do next with the release that is loaded, in probation, or in a drill."""
    rollout, seen = matter.rollout, matter.seen
    lasted = matter.now - rollout.entered
    match rollout.phase:
        case "drill":
            if seen.running:
                seconds = seen.switched if seen.switched is not None else lasted.total_seconds()
                return Return(seconds, f"every gateway had switched within {seconds:.2f} s")
            if lasted >= LONGEST:
                return Return(None, f"not every gateway had switched within {show_duration(LONGEST)}")
            return Wait("a drill: not every gateway has switched yet")
        case "probation":
            return probation(matter, declared.probation)
        case _:
            candidate = matter.situation.candidate
            if candidate is not None:
                return Start(candidate, "blue_green", "a newer release is approved before the last was switched to")
            if seen.running:
                return Promote("every gateway has it loaded: all traffic switches at once")
            if lasted >= declared.within:
                return Rollback(f"not every gateway could load it within {show_duration(declared.within)}")
            return Wait("not every gateway has loaded it yet")


def due(declared: BlueGreen, situation: Situation, now: datetime) -> Drill | None:
    """The drill that is due, if there is a release to switch to."""
    if declared.drill is None or situation.previous is None or situation.switched is None:
        return None
    since = now - situation.switched
    if since < declared.drill:
        return None
    return Drill(situation.previous, f"a drill, due every {show_duration(declared.drill)}")


def routes(declared: BlueGreen, rollout: Rollout) -> Routes:
    """Loading: the new release is an arm without traffic, which a request may name. In a drill the old one answers."""
    match rollout.phase:
        case "drill":
            return [arm("drill", rollout.release, 1.0), arm("champion", rollout.champion, 0.0)], []
        case "probation":
            return watched(rollout)
        case _:
            return [arm("champion", rollout.champion, 1.0), arm(CHALLENGER, rollout.release, 0.0)], []
