"""A/B test: two releases answer fixed shares of the traffic until one is proven better, or time is up.

The result may be looked at at any time; how sure it is does not depend on how often one looked.
"""

from __future__ import annotations

from modelyard.release.decisions import Decision, Finish, Promote, Rollback, Wait
from modelyard.release.state import Rollout
from modelyard.release.strategies.matter import Matter, failed, nothing_yet, unproven, young
from modelyard.release.strategies.routing import CHALLENGER, Routes, arm
from modelyard.spec.strategies import ABTest
from modelyard.spec.values import show_duration


def decide(declared: ABTest, matter: Matter) -> Decision:
    """What to do next with the test. A newer release waits until it has ended."""
    why = failed(matter)
    if why:
        return Rollback(why)
    contrast = matter.seen.contrast
    says = contrast.says if contrast else nothing_yet(declared)
    result = contrast.result if contrast else "open"
    if result == "worse":
        return Rollback(f"it lost the test: {says}")
    waits = young(matter, declared.for_, matter.rollout.started)
    if result == "better" and not waits:
        if declared.winner == "keep":
            return Finish(f"it won the test, and the champion is kept as declared: {says}")
        waits = unproven(matter)
        if not waits:
            return Promote(f"it won the test: {says}")
    if matter.now - matter.rollout.started >= declared.within:
        return Finish(f"no winner within {show_duration(declared.within)}: {'; '.join([says, *waits])}")
    return Wait("; ".join([says, *waits]))


def routes(declared: ABTest, rollout: Rollout) -> Routes:
    """Champion and challenger with their fixed shares."""
    arms = [
        arm("champion", rollout.champion, 1.0 - declared.split),
        arm(CHALLENGER, rollout.release, declared.split),
    ]
    return arms, []
