"""What a deployment should do next: pure decisions over its situation, its strategy, the time and the evidence.

What was rolled back or rejected is never a candidate again: only a release in state approved is, and only a later one
than the champion. Each strategy's own rules stand in its file below `strategies`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, assert_never

from modelyard.release.decisions import Decision, Drop, Promote, Return, Rollback, Settle, Start, Wait
from modelyard.release.guards import Evidence, Finding, judge
from modelyard.release.state import Rollout, Situation
from modelyard.release.strategies import ab_test, bandit, blue_green, canary, champion_challenger, shadow
from modelyard.release.strategies.matter import Matter, failed
from modelyard.release.strategies.routing import arm, watched
from modelyard.spec.strategies import (
    ABTest,
    Bandit,
    BlueGreen,
    Canary,
    ChampionChallenger,
    Guarded,
    Replace,
    Shadow,
    Strategy,
)


def decide(
    situation: Situation, strategy: Strategy, now: datetime, evidence: Mapping[str, Evidence] | None = None
) -> Decision:
    """What to do next. `evidence` is per challenger, and None (or empty) when nothing is being tried."""
    rollout, declared = situation.rollout, strategy.chosen
    if rollout is None:
        return _begin(situation, strategy, now)
    if rollout.kind != strategy.kind:
        return _strategy_changed(rollout, strategy)
    matter = _matter(situation, rollout, strategy, now, evidence or {})
    if rollout.phase == "paused" and not isinstance(declared, Canary):
        return urgent(situation, strategy, now, evidence or {}) or Wait("paused: waits for a person")
    match declared:
        case Replace():
            raise AssertionError("nothing is tried where releases replace each other")
        case BlueGreen():
            return blue_green.decide(declared, matter)
        case Canary():
            return canary.decide(declared, matter)
        case Shadow():
            return shadow.decide(declared, matter)
        case ABTest():
            return ab_test.decide(declared, matter)
        case ChampionChallenger():
            return champion_challenger.decide(declared, matter)
        case Bandit():
            return bandit.decide(declared, matter)
        case _:
            assert_never(declared)


def urgent(
    situation: Situation,
    strategy: Strategy,
    now: datetime,
    evidence: Mapping[str, Evidence],
    ejected: Collection[str] = (),
) -> Decision | None:
    """What cannot wait for the controller's next turn: a guard that failed, a switch that every gateway has made.

    Where guards are declared, a challenger that a gateway has `ejected` (it failed five requests in a row) while it still
    asks the champion goes too: it gets no more rows by which a guard could judge it. `evidence` need not know labels.
    None when there is no hurry.
    """
    rollout, declared = situation.rollout, strategy.chosen
    if rollout is None or rollout.kind != strategy.kind:
        return None
    matter = _matter(situation, rollout, strategy, now, evidence)
    if isinstance(declared, BlueGreen) and rollout.phase in ("loading", "drill"):
        decision: Decision = blue_green.decide(declared, matter)
        return decision if decision.acts else None
    for release in rollout.challengers:
        why = failed(matter, release)
        if not why and isinstance(declared, Guarded) and release in ejected and rollout.champion not in ejected:
            why = "a gateway asks it no more: it failed five requests in a row, and the champion did not"
        if why:
            return Drop(release, why) if rollout.others else Rollback(why)
    return None


def findings(rollout: Rollout, strategy: Strategy, evidence: Mapping[str, Evidence]) -> dict[str, tuple[Finding, ...]]:
    """What the declared guards say of each challenger."""
    declared = strategy.chosen
    if not isinstance(declared, Guarded):
        return {}
    return {each: judge(declared, evidence.get(each, Evidence())) for each in rollout.challengers}


def _matter(
    situation: Situation, rollout: Rollout, strategy: Strategy, now: datetime, evidence: Mapping[str, Evidence]
) -> Matter:
    return Matter(situation, rollout, now, evidence, findings(rollout, strategy, evidence))


def _begin(situation: Situation, strategy: Strategy, now: datetime) -> Decision:
    candidate, declared = situation.candidate, strategy.chosen
    if candidate is None:
        drill = blue_green.due(declared, situation, now) if isinstance(declared, BlueGreen) else None
        return drill or Wait("nothing new is approved")
    if situation.champion is None:
        return Start(candidate, "first", "the first release: there is nothing to compare it with")
    if isinstance(declared, Canary) and not canary.at_once(declared):
        return Start(candidate, "canary", f"a newer release is approved: first step, {canary.describe(declared, 0)}")
    if isinstance(declared, Replace | Canary):
        return Start(candidate, "replace", "a newer release is approved and the strategy is replace")
    return Start(candidate, strategy.kind, f"a newer release is approved: {_first(declared)}")


def _first(declared: BlueGreen | Shadow | ABTest | ChampionChallenger | Bandit) -> str:
    """What a strategy does first, in words."""
    match declared:
        case BlueGreen():
            return "it is loaded beside the one that serves"
        case Shadow():
            return f"it answers {declared.share:.0%} of the requests unseen"
        case ABTest():
            return f"it is tested on {declared.split:.0%} of the traffic"
        case ChampionChallenger():
            return f"it answers {declared.share:.0%} of the requests unseen, as a challenger"
        case Bandit():
            return f"it begins with {declared.floor:.0%} of the traffic"
        case _:
            assert_never(declared)


def _strategy_changed(rollout: Rollout, strategy: Strategy) -> Decision:
    if rollout.phase == "drill":
        return Return(None, f"the strategy is {strategy.kind} now")
    if rollout.phase == "probation":
        return Settle(f"the strategy is {strategy.kind} now")
    if strategy.kind == "replace":
        return Promote("the strategy is replace now")
    return Start(rollout.challengers[-1], strategy.kind, f"the strategy is {strategy.kind} now: it is tried anew")


# ---- routes: what a situation looks like to a gateway ----------------------------------------------------------------


def routes(rollout: Rollout | None, champion: str, strategy: Strategy, warm: tuple[str, ...]) -> dict[str, Any]:
    """Arms, shadows and warm releases. A rollout's salt is its first challenger's digest: each draws its arms anew."""
    if rollout is None:
        return {"arms": [arm("champion", champion, 1.0)], "shadows": [], "warm": list(warm), "salt": champion[:32]}
    arms, shadows = _routes(rollout, strategy)
    return {"arms": arms, "shadows": shadows, "warm": list(warm), "salt": rollout.salt[:32]}


def _routes(rollout: Rollout, strategy: Strategy) -> Any:
    declared = strategy.chosen
    match declared:
        case Replace():
            return watched(rollout) if rollout.phase == "probation" else ([arm("champion", rollout.champion, 1.0)], [])
        case BlueGreen():
            return blue_green.routes(declared, rollout)
        case Canary():
            return canary.routes(declared, rollout)
        case Shadow():
            return shadow.routes(declared, rollout)
        case ABTest():
            return ab_test.routes(declared, rollout)
        case ChampionChallenger():
            return champion_challenger.routes(declared, rollout)
        case Bandit():
            return bandit.routes(declared, rollout)
        case _:
            assert_never(declared)
