"""Bandit: Thompson sampling between the champion and its challengers, by shares of the traffic.

Until the guards of all challengers pass, each has the floor. From then on every release answers with the probability that
it is the best, as far as labels know, and never less than the floor: that is Thompson sampling in batches, whose
propensities are known exactly and are logged. It ends when a challenger is proven better, all are proven worse, or time
is up.
"""

from __future__ import annotations

from modelyard.release.decisions import Decision, Drop, Finish, Join, Promote, Reweigh, Rollback, Wait
from modelyard.release.state import Rollout
from modelyard.release.strategies.matter import Matter, failed, nothing_yet, unproven, young
from modelyard.release.strategies.routing import Routes, arm, named
from modelyard.spec.strategies import Bandit
from modelyard.spec.values import show_duration


def decide(declared: Bandit, matter: Matter) -> Decision:
    """What to do next with the arms."""
    rollout = matter.rollout
    for release in rollout.challengers:
        why = failed(matter, release) or _lost(matter, release)
        if why:
            return Drop(release, why) if rollout.others else Rollback(why)
    waits = young(matter, declared.for_, rollout.started)
    for release in rollout.challengers:
        contrast = matter.about(release).contrast
        if contrast is not None and contrast.result == "better" and not waits and not unproven(matter, release):
            if declared.winner == "keep":
                return Finish(f"a challenger won, and the champion is kept as declared: {contrast.says}")
            return Promote(f"it is the best arm: {contrast.says}", release)
    says = _says(declared, matter)
    if matter.now - rollout.started >= declared.within:
        return Finish(f"no winner within {show_duration(declared.within)}: {says}")
    candidate = matter.situation.candidate
    if candidate is not None and len(rollout.challengers) < declared.most:
        return Join(candidate, "a newer release is approved: it joins with the least share")
    guards = [says for release in rollout.challengers for says in unproven(matter, release)]
    if rollout.step == 0 and guards:
        return Wait("; ".join(["every challenger has the least share until its guards pass", *guards]))
    chances = matter.seen.chances
    if chances and (rollout.step == 0 or matter.now - rollout.entered >= declared.every):
        weights = floored(chances, declared.floor)
        if weights != shares(declared, rollout):
            shown = ", ".join(f"{each:.0%}" for each in weights)
            return Reweigh(weights, f"shares by the chance of being the best, champion first: {shown}; {says}")
    return Wait("; ".join([says, *waits]))


def _lost(matter: Matter, release: str) -> str:
    contrast = matter.about(release).contrast
    return f"it is worse than the champion: {contrast.says}" if contrast and contrast.result == "worse" else ""


def _says(declared: Bandit, matter: Matter) -> str:
    contrast = matter.seen.contrast
    return contrast.says if contrast else nothing_yet(declared)


def floored(chances: tuple[float, ...], floor: float) -> tuple[float, ...]:
    """Shares that sum to 1 and of which none is below the floor.

    >>> floored((1.0, 0.0), 0.05)
    (0.95, 0.05)
    """
    room = 1 - floor * len(chances)
    shares = [round(floor + room * chance, 4) for chance in chances[1:]]
    return (round(1 - sum(shares), 4), *shares)


def shares(declared: Bandit, rollout: Rollout) -> tuple[float, ...]:
    """The present shares: the champion's, then those of the challengers."""
    if len(rollout.weights) == 1 + len(rollout.challengers):
        return rollout.weights
    return floored((1.0, *(0.0 for _ in rollout.challengers)), declared.floor)


def routes(declared: Bandit, rollout: Rollout) -> Routes:
    """Every release with its share."""
    champion, *others = shares(declared, rollout)
    challengers = zip(rollout.challengers, others, strict=True)
    return [
        arm("champion", rollout.champion, champion),
        *(arm(named(rollout, each), each, weight) for each, weight in challengers),
    ], []
