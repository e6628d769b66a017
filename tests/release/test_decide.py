"""Rollouts as timelines: what is decided at each look, from `tests/cases/rollout/*.yaml`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from modelyard.release.decide import decide, routes
from modelyard.release.decisions import Advance, Decision, Pause, Promote, Rollback, Settle, Start
from modelyard.release.guards import Evidence
from modelyard.release.pairs import Pairs
from modelyard.release.state import Rollout, Situation
from modelyard.release.strategies.canary import describe
from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.strategies import Canary, Strategy
from modelyard.spec.values import parse_duration
from modelyard.stats.sequential import Rate

CASES = Path(__file__).parent.parent / "cases" / "rollout"
ZERO = datetime(2013, 4, 1, tzinfo=UTC)


def timelines() -> list[Any]:
    documents = [each for path in sorted(CASES.glob("*.yaml")) for each in YAML(typ="safe").load_all(path)]
    return [pytest.param(each, id=each["about"]) for each in documents]


@pytest.mark.parametrize("case", timelines())
def test_a_timeline_is_decided_as_told(case: dict[str, Any]) -> None:
    strategy = strategy_of(case["strategy"])
    champion, rollout = case["champion"], None
    for number, look in enumerate(case["looks"]):
        now = ZERO + parse_duration(look["at"])
        situation = Situation(champion, rollout, look.get("candidate"))
        seen = evidence(look, case.get("simulated", False))
        decision = decide(situation, strategy, now, {rollout.release: seen} if rollout else {})
        assert (type(decision).__name__.lower(), look.get("says", "")) == (look["expect"], told(look, decision)), number
        champion, rollout = after(situation, decision, now, strategy)


def told(look: dict[str, Any], decision: Decision) -> str:
    """The words the look asks for when the decision says them, else all that it says."""
    wanted = look.get("says", "")
    return wanted if wanted in decision.says else decision.says


def strategy_of(declared: Any) -> Strategy:
    return DeploymentSpec.model_validate({"model": "late", "strategy": declared}).strategy


def evidence(look: dict[str, Any], simulated: bool) -> Evidence:
    rates, pairs = {}, {}
    if "errors" in look:
        worse, base = ([int(each) for each in arm.split("/")] for arm in look["errors"])
        rates["error_rate"] = ((Rate(worse[1], worse[0]), Rate(base[1], base[0])),)
    if "log_loss" in look:
        pairs["log_loss"] = blocks(*look["log_loss"])
    return Evidence(look.get("rows", 0), rates, pairs, simulated, look.get("running", True))


def blocks(rows: int, excess: float, base: float = 0.5, sd: float = 0.1) -> tuple[Pairs, ...]:
    """24 alike stretches of pairs: the champion loses `base` (sd .3) per row, the challenger `excess` more (sd `sd`)."""
    n = rows // 24
    bb = n * (base**2 + 0.3**2)
    ab = bb + n * excess * base
    aa = bb + 2 * n * excess * base + n * (excess**2 + sd**2)
    return (Pairs(n, n * (base + excess), n * base, aa, bb, ab),) * 24


def after(
    situation: Situation, decision: Decision, now: datetime, strategy: Strategy
) -> tuple[str | None, Rollout | None]:
    """Champion and rollout once a decision is carried out."""
    champion, rollout = situation.champion, situation.rollout
    match decision:
        case Start(release=release, how="canary"):
            assert champion is not None
            return champion, Rollout.begin(release, champion, now)
        case Start(release=release):
            return release, None
    if rollout is None:
        return champion, None
    match decision:
        case Advance(to=to):
            return champion, rollout.advanced(to, now)
        case Promote():
            probation = strategy.canary and strategy.canary.probation
            return rollout.release, rollout.promoted(now) if probation else None
        case Rollback():
            return rollout.champion, None
        case Pause():
            return champion, rollout.paused()
        case Settle():
            return champion, None
    return champion, rollout


# ---- properties ------------------------------------------------------------------------------------------------------

CANARY = strategy_of({"canary": {"steps": [{"shadow": "100%", "for": "1d"}, {"traffic": "5%", "for": "1d"}]}})
arms = st.tuples(st.integers(0, 5000), st.integers(0, 5000)).map(lambda each: Rate(max(each), min(each)))


@given(arms, arms, st.integers(0, 5000), st.integers(0, 30 * 24), st.integers(0, 1))
def test_more_errors_of_the_challenger_never_help_it(worse: Rate, base: Rate, more: int, hours: int, step: int) -> None:
    rollout = Rollout("b", "a", "steps", step, ZERO, (ZERO,) * (step + 1))
    now = ZERO + timedelta(hours=hours)

    def outcome(challenger: Rate) -> Decision:
        seen = Evidence(challenger.n, {"error_rate": ((challenger, base),)})
        return decide(Situation("a", rollout), CANARY, now, {"b": seen})

    harder = Rate(worse.n, min(worse.n, worse.hits + more))
    if isinstance(outcome(harder), Promote):
        assert isinstance(outcome(worse), Promote)


@given(arms, arms, st.integers(0, 30 * 24), st.sampled_from(["steps", "paused", "probation"]))
def test_the_same_look_decides_the_same_and_without_a_challenger_nobody_is_promoted(
    worse: Rate, base: Rate, hours: int, phase: Any
) -> None:
    situation = Situation("a", Rollout("b", "a", phase, 1, ZERO, (ZERO, ZERO)))
    now = ZERO + timedelta(hours=hours)
    seen = {"b": Evidence(worse.n, {"error_rate": ((worse, base),)})}
    decision = decide(situation, CANARY, now, seen)
    assert decision == decide(situation, CANARY, now, seen)
    if not worse.n or not base.n:
        assert not isinstance(decision, Promote)


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=5).map(sorted), st.floats(0, 1))
def test_weights_of_every_step_sum_to_one(shares: list[float], shadow: float) -> None:
    steps = [{"shadow": shadow, "for": "1d"}, *({"traffic": share} for share in shares)]
    canary = strategy_of({"canary": {"steps": steps}})
    for step in range(len(steps)):
        made = routes(Rollout("b", "a", "steps", step, ZERO, (ZERO,)), "a", canary, ())
        assert sum(arm["weight"] for arm in made["arms"]) == pytest.approx(1)


# ---- routes ----------------------------------------------------------------------------------------------------------


def test_routes_follow_the_step() -> None:
    canary = strategy_of(
        {"canary": {"steps": [{"shadow": "50%"}, {"traffic": "5%"}, {"traffic": "100%"}], "guard": {}}}
    )
    rollout = Rollout.begin("b", "a", ZERO)
    shadowing = [{"arm": "challenger", "release": "b", "share": 0.5}]
    assert routes(rollout, "a", canary, ()) == {
        "arms": [{"arm": "champion", "release": "a", "weight": 1.0}],
        "shadows": shadowing,
        "warm": [],
        "salt": "b",
    }
    trying = routes(rollout.advanced(1, ZERO), "a", canary, ())
    assert trying["arms"] == [
        {"arm": "champion", "release": "a", "weight": 0.95},
        {"arm": "challenger", "release": "b", "weight": 0.05},
    ]
    assert trying["shadows"] == shadowing
    promoted = routes(rollout.promoted(ZERO), "b", canary, ("a",))
    assert promoted["arms"] == [{"arm": "champion", "release": "b", "weight": 1.0}]
    assert promoted["shadows"] == [{"arm": "previous", "release": "a", "share": 1.0}]
    assert promoted["warm"] == ["a"]


def test_a_rollout_survives_its_json() -> None:
    rollout = Rollout.begin("b", "a", ZERO).advanced(1, ZERO + timedelta(hours=5))
    assert Rollout.of(rollout.as_json()) == rollout
    assert Rollout.of({}) is None


def test_steps_are_told_in_words() -> None:
    canary = Canary()
    assert [describe(canary, number) for number in range(4)] == [
        "100% in shadow for at least 1d",
        "5% of the traffic for at least 1d",
        "25% of the traffic for at least 1d",
        "100% of the traffic",
    ]
