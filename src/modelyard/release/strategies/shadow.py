"""Shadow: a release answers the same requests unseen, and how its answers compare is recorded; a person decides."""

from __future__ import annotations

from modelyard.release.decisions import Decision, Finish, Note, Start, Wait
from modelyard.release.state import Rollout
from modelyard.release.strategies.matter import Matter
from modelyard.release.strategies.routing import CHALLENGER, Routes, arm, shadow
from modelyard.spec.strategies import Shadow
from modelyard.spec.values import show_duration


def decide(declared: Shadow, matter: Matter) -> Decision:
    """What to do next with the release in shadow."""
    rollout, candidate = matter.rollout, matter.situation.candidate
    says = matter.seen.agreement.says if matter.seen.agreement else "no row that both releases answered yet"
    if candidate is not None:
        return Start(candidate, "shadow", f"a newer release is approved: it takes the place of the last ({says})")
    if declared.within is not None and matter.now - rollout.started >= declared.within:
        return Finish(f"nobody promoted it within {show_duration(declared.within)}: {says}")
    if matter.seen.agreement is not None and matter.now - (rollout.noted or rollout.started) >= declared.every:
        return Note(says)
    return Wait(f"in shadow until a person promotes it: {says}")


def routes(declared: Shadow, rollout: Rollout) -> Routes:
    """The champion answers, the challenger answers a share beside it."""
    return [arm("champion", rollout.champion, 1.0)], [shadow(CHALLENGER, rollout.release, declared.share)]
