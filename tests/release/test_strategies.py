"""What every strategy keeps, whatever it decides; and what each is for, played over days of traffic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from modelyard import release
from modelyard.errors import Refused
from modelyard.records import Audit, Deployment, Release
from modelyard.release import rollout as rolling
from modelyard.release.decisions import Finish, Promote, Return, Rollback, Start, Wait
from modelyard.release.state import Rollout
from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.strategies import KINDS
from modelyard.store import predictions

API = "late-api"
Yard = Any  # see conftest

GUARD = {"error_rate": {"margin": "5pp"}}
DECLARED: dict[str, dict[str, Any]] = {
    "replace": {},
    "blue_green": {"guard": GUARD, "probation": "2d", "drill": "5d"},
    "canary": {
        "guard": GUARD,
        "steps": [{"shadow": "100%", "for": "1d"}, {"traffic": "30%", "for": "1d"}, {"traffic": "100%"}],
        "probation": "2d",
    },
    "shadow": {"every": "2d"},
    "ab_test": {"guard": GUARD, "split": "50%", "within": "8d"},
    "champion_challenger": {"guard": GUARD, "for": "2d"},
    "bandit": {"guard": GUARD, "every": "1d", "within": "8d"},
}
TRYING = [kind for kind in DECLARED if kind != "replace"]
GUARDED = [kind for kind in TRYING if kind != "shadow"]


def spec(kind: str, **more: Any) -> DeploymentSpec:
    return DeploymentSpec.model_validate({"model": "late", "strategy": {kind: {**DECLARED[kind], **more}}})


def test_every_strategy_that_can_be_declared_is_examined_here() -> None:
    assert set(DECLARED) == {"replace", *KINDS}


@pytest.fixture
def trying(yard: Yard) -> Callable[..., Yard]:
    """A yard where release 1 serves and release 2 is approved; the strategy has begun unless told otherwise."""

    def make(kind: str, *, begun: bool = True, **more: Any) -> Yard:
        yard.release(1)
        yard.tick(spec("replace"))
        yard.clock.set(yard.clock.now() + timedelta(hours=1))
        yard.release(2)
        if begun:
            yard.tick(spec(kind, **more))
        return yard

    return make


def whole(yard: Yard) -> None:
    """What holds at any moment: one champion, shares that sum to one, aliases and states that say the same."""
    deployment = yard.deployment()
    arms, shadows = deployment.routes["arms"], deployment.routes["shadows"]
    assert sum(arm["weight"] for arm in arms) == pytest.approx(1)
    assert all(arm["weight"] >= 0 for arm in arms)
    assert [arm["arm"] for arm in arms].count("champion") == 1
    states = {each.digest: each for each in yard.store.read(Release, model="late")}
    champion = next(arm["release"] for arm in arms if arm["arm"] == "champion")
    assert states[champion].state == "live" and yard.aliases()["champion"] == states[champion].number
    loaded = {each["release"] for each in (*arms, *shadows)} | set(deployment.routes["warm"])
    assert not {states[each].state for each in loaded} & {"rolled_back", "rejected", "pending_approval"}
    tried = Rollout.of(deployment.rollout)
    gone = {each.digest for each in states.values() if each.state == "retired"}
    keeps = set(deployment.routes["warm"]) | ({tried.release} if tried and tried.phase == "drill" else set())
    assert loaded & gone <= keeps, "what is retired is loaded only to go back to"
    if tried is not None:
        assert Rollout.of(tried.as_json()) == tried
    changes = [each for each in yard.actions() if each.startswith("rollout.")]
    assert deployment.revision == len(changes), "each change of the routes has its entry"


@pytest.mark.parametrize("kind", DECLARED)
def test_days_of_good_traffic_keep_everything_whole_and_a_look_twice_changes_nothing(trying: Any, kind: str) -> None:
    yard = trying(kind)
    for _ in range(7):
        whole(yard)
        yard.log(200, quality=(0.3, 0.6))
        decision = yard.tick(spec(kind), hours=24)
        before = yard.deployment()
        again = yard.tick(spec(kind))
        assert not again.acts or type(again) is not type(decision), (decision, again)
        if not again.acts:
            assert yard.deployment() == before
    whole(yard)


@pytest.mark.parametrize("kind", [kind for kind in TRYING if kind != "blue_green"])
def test_without_data_nobody_is_promoted(trying: Any, kind: str) -> None:
    yard = trying(kind)
    for _ in range(6):
        decision = yard.tick(spec(kind), hours=120)
        assert not isinstance(decision, Promote)
        whole(yard)
    assert yard.serving() == 1


@pytest.mark.parametrize("kind", TRYING)
def test_a_step_counts_only_when_every_gateway_runs_it(trying: Any, kind: str) -> None:
    yard = trying(kind)
    for _ in range(4):
        yard.log(300, quality=(0.2, 0.8))
        decision = yard.tick(spec(kind), hours=24, running=lambda revision: (False, None))
        if kind not in ("champion_challenger", "shadow"):  # their challengers get no traffic
            assert not isinstance(decision, Promote)
            assert Rollout.of(yard.deployment().rollout) is None or yard.deployment().rollout["step"] <= 1
    assert yard.serving() == 1 or kind == "champion_challenger"


@pytest.mark.parametrize("kind", TRYING)
@pytest.mark.parametrize("days", [0, 1, 3])
def test_a_person_rolls_back_at_any_moment_and_it_is_not_tried_again(trying: Any, kind: str, days: int) -> None:
    yard = trying(kind)
    for _ in range(days):
        yard.log(200, quality=(0.3, 0.5))
        yard.tick(spec(kind), hours=24)
    if yard.states()[2] in ("live", "rolling_out"):
        release.rollback(yard.store, API, actor="ann", why="a feeling")
        assert (yard.serving(), yard.states()[2], yard.deployment().rollout) == (1, "rolled_back", {})
    whole(yard)
    assert not isinstance(yard.tick(spec(kind), hours=24), Start)
    whole(yard)


@pytest.mark.parametrize("kind", TRYING)
def test_killed_before_the_change_the_next_turn_decides_the_same(
    trying: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = trying(kind, begun=False)
    committed = rolling.commit

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    for _ in range(5):
        before = (yard.deployment(), yard.states(), yard.aliases(), len(yard.actions()))
        monkeypatch.setattr(rolling, "commit", killed)
        interrupted = False
        try:
            yard.tick(spec(kind))
        except KeyboardInterrupt:
            interrupted = True
        assert before == (yard.deployment(), yard.states(), yard.aliases(), len(yard.actions()))
        monkeypatch.setattr(rolling, "commit", committed)
        assert yard.tick(spec(kind)).acts == interrupted
        whole(yard)
        yard.log(300, quality=(0.3, 0.6))
        yard.clock.set(yard.clock.now() + timedelta(days=1))


@pytest.mark.parametrize("kind", GUARDED)
def test_a_challenger_that_fails_goes_at_the_next_look(trying: Any, kind: str) -> None:
    yard = trying(kind)
    if kind == "blue_green":
        yard.tick(spec(kind))
    yard.log(600 if kind == "bandit" else 120, hours=0.05, errors=(0.6, 0.0), labels=False)
    decision = yard.tick(spec(kind), hours=0.05)
    assert isinstance(decision, Rollback) and "error_rate" in decision.says
    assert (yard.serving(), yard.states()) == (1, {1: "live", 2: "rolled_back"})
    whole(yard)
    (entry,) = [each for each in yard.store.read(Audit, order="sequence") if each.action == "rollout.rolled_back"]
    (guard,) = entry.detail["guards"]
    assert (guard["verdict"], guard["margin"], guard["alpha"]) == ("fail", "0.05", 0.01)
    assert entry.detail["strategy"] == kind and entry.detail["data"]["version"] is not None


@pytest.mark.parametrize("kind", GUARDED)
def test_a_look_between_turns_needs_only_rows_that_are_not_moved_yet(trying: Any, kind: str) -> None:
    yard = trying(kind)
    if kind == "blue_green":
        yard.tick(spec(kind))
    yard.log(600 if kind == "bandit" else 120, hours=0.05, errors=(0.6, 0.0), labels=False)
    table = yard.store.table(f"predictions/{API}")
    live = {"segment": parquet.read_table(table.files()[-1])}
    yard.clock.set(yard.clock.now() + timedelta(minutes=3))
    table.overwrite(predictions.COLUMNS.empty_table())  # as if nothing had been moved
    decision = release.guard(
        yard.store, API, spec(kind), now=yard.clock.now(), actor="controller", live=live, running=lambda _: (True, None)
    )
    assert isinstance(decision, Rollback) and "error_rate" in decision.says
    assert yard.serving() == 1
    assert release.guard(yard.store, API, spec(kind), now=yard.clock.now(), actor="controller", live=live) is None


@pytest.mark.parametrize("kind", GUARDED)
def test_a_challenger_that_gateways_ask_no_more_goes_unless_the_champion_fails_too(trying: Any, kind: str) -> None:
    yard = trying(kind)
    if kind == "blue_green":
        yard.tick(spec(kind))
    one, two = (release.find(yard.store, f"late@{number}").digest for number in (1, 2))
    how = {"now": yard.clock.now(), "actor": "controller"}
    assert release.guard(yard.store, API, spec(kind), ejected={one, two}, **how) is None
    decision = release.guard(yard.store, API, spec(kind), ejected={two}, **how)
    assert isinstance(decision, Rollback) and "five requests in a row" in decision.says
    assert (yard.serving(), yard.states()) == (1, {1: "live", 2: "rolled_back"})
    whole(yard)


@pytest.mark.parametrize("kind", GUARDED)
def test_requests_that_named_their_arm_count_nowhere(trying: Any, kind: str) -> None:
    yard = trying(kind)
    yard.log(200, errors=(1.0, 0.0), forced=True)
    assert not isinstance(yard.tick(spec(kind), hours=24), Rollback)


@pytest.mark.parametrize("kind", TRYING)
@pytest.mark.parametrize("other", ["replace", "canary", "shadow"])
def test_another_strategy_takes_the_rollout_over(trying: Any, kind: str, other: str) -> None:
    if kind == other:
        pytest.skip("the same")
    yard = trying(kind)
    yard.log(100)
    yard.tick(spec(kind), hours=24)
    for _ in range(2):
        yard.tick(spec(other), hours=1)
        whole(yard)
    tried = yard.deployment().rollout
    assert not tried or tried["kind"] == other


# ---- what each is for ------------------------------------------------------------------------------------------------


def play(yard: Yard, declared: DeploymentSpec, days: int, rows: int = 400, **traffic: Any) -> list[Any]:
    """Days of traffic; the decisions that acted."""
    acted = []
    for _ in range(days):
        yard.log(rows, **traffic)
        decision = yard.tick(declared, hours=24)
        acted += [decision] if decision.acts else []
        whole(yard)
    return acted


def test_blue_green_waits_until_it_is_loaded_then_switches_all_traffic_and_keeps_the_way_back(trying: Any) -> None:
    yard = trying("blue_green")
    arms = [(arm["arm"], arm["weight"]) for arm in yard.deployment().routes["arms"]]
    assert arms == [("champion", 1.0), ("challenger", 0.0)], "loaded, and to be tried by name"
    assert isinstance(yard.tick(spec("blue_green"), running=lambda _: (False, None)), Wait)
    assert isinstance(yard.tick(spec("blue_green"), running=lambda _: (True, None)), Promote)
    assert yard.serving() == 2
    release.rollback(yard.store, API, actor="ann", why="back")
    assert yard.serving() == 1


def test_what_cannot_be_loaded_everywhere_is_withdrawn(trying: Any) -> None:
    yard = trying("blue_green")
    decision = yard.tick(spec("blue_green"), hours=2, running=lambda _: (False, None))
    assert isinstance(decision, Rollback) and "could load it" in decision.says
    assert yard.serving() == 1


def test_a_drill_switches_to_the_old_release_and_back_and_records_how_long_it_took(trying: Any) -> None:
    yard = trying("blue_green")
    declared = spec("blue_green")
    play(yard, declared, 4)
    assert yard.serving() == 2 and not yard.deployment().rollout
    at = yard.clock.now() + timedelta(days=2)
    yard.clock.set(at)
    assert yard.tick(declared).says.startswith("a drill")
    whole(yard)
    assert [(arm["arm"], arm["weight"]) for arm in yard.deployment().routes["arms"]] == [("drill", 1), ("champion", 0)]
    assert yard.aliases()["champion"] == 2, "a drill changes no champion"
    decision = yard.tick(declared, hours=0.001, running=lambda _: (True, at + timedelta(seconds=0.4)))
    assert isinstance(decision, Return) and decision.seconds == pytest.approx(0.4)
    whole(yard)
    entry = yard.store.read(Audit, action="rollout.drilled")[0]
    assert (entry.detail["passed"], entry.detail["seconds"]) == (True, 0.4)
    assert isinstance(yard.tick(declared, hours=24), Wait), "the next drill is five days away"


def test_a_shadow_is_compared_and_promoted_only_by_a_person(trying: Any) -> None:
    yard = trying("shadow")
    acted = play(yard, spec("shadow"), 5, 100, quality=(0.1, 0.1))
    assert [type(each).__name__ for each in acted] == ["Note", "Note"]
    assert "answers are the same" in acted[0].says
    entry = yard.store.read(Audit, action="rollout.compared")[0]
    assert 0.8 < entry.detail["compared"]["agreement"]["same"] <= 1
    with pytest.raises(Refused, match="is not being tried"):
        release.promote(yard.store, API, spec("shadow"), actor="ann", why="", release=yard.deployment().routes["salt"])
    release.promote(yard.store, API, spec("shadow"), actor="ann", why="agrees well enough")
    assert yard.serving() == 2
    whole(yard)


def test_an_ab_test_ends_by_itself_with_a_winner(trying: Any) -> None:
    yard = trying("ab_test", within="28d")
    acted = play(yard, spec("ab_test", within="28d"), 6, 1200, quality=(0.0, 2.5))
    assert isinstance(acted[-1], Promote) and "proven better" in acted[-1].says
    assert yard.serving() == 2


def test_a_winner_may_be_recorded_only(trying: Any) -> None:
    yard = trying("ab_test", winner="keep")
    acted = play(yard, spec("ab_test", winner="keep"), 4, 1200, quality=(0.0, 2.5))
    assert isinstance(acted[-1], Finish) and "won the test" in acted[-1].says
    assert (yard.serving(), yard.states()[2]) == (1, "retired")


def test_a_loser_is_rolled_back_and_equals_end_in_time(trying: Any) -> None:
    yard = trying("ab_test")
    acted = play(yard, spec("ab_test"), 5, 1200, quality=(2.5, 0.0))
    assert isinstance(acted[-1], Rollback) and "lost the test" in acted[-1].says
    yard.release(3)
    acted = play(yard, spec("ab_test"), 10, 150, quality=(0.5, 0.5))
    assert isinstance(acted[-1], Finish) and "no winner within 8d" in acted[-1].says
    assert (yard.serving(), yard.states()) == (1, {1: "live", 2: "rolled_back", 3: "retired"})


def test_an_ab_test_may_be_about_the_label_itself(trying: Any) -> None:
    yard = trying("ab_test", metric="label", better="higher")
    acted = play(yard, spec("ab_test", metric="label", better="higher"), 3, 400)
    assert not acted, "a label that does not care which release answered"


def test_of_several_challengers_the_best_is_promoted_and_the_others_go_on(trying: Any) -> None:
    yard = trying("champion_challenger")
    declared = spec("champion_challenger")
    for number in (3, 4):
        yard.release(number)
        assert yard.tick(declared, hours=1).acts
    assert len(yard.deployment().routes["shadows"]) == 3
    noise = {1: 1.0, 2: 0.9, 3: 0.1, 4: 2.0}
    acted = play(yard, declared, 6, 600, noise=noise)
    assert isinstance(acted[0], Promote) and "ranks first of 3" in acted[0].says
    assert yard.serving() == 3
    assert yard.states() == {1: "retired", 2: "rolling_out", 3: "live", 4: "rolling_out"}
    assert yard.aliases() == {"champion": 3, "challenger": 2}
    yard.release(5)
    yard.release(6)
    for _ in range(3):
        yard.tick(spec("champion_challenger", most=2), hours=1)
        whole(yard)
    assert yard.states()[6] == "rolling_out" and list(yard.states().values()).count("rolling_out") == 2


def test_one_of_several_that_fails_goes_alone(trying: Any) -> None:
    yard = trying("champion_challenger")
    declared = spec("champion_challenger", promote="by_hand")
    yard.release(3)
    yard.tick(declared, hours=1)
    yard.log(300, noise={1: 0.5, 2: 0.5, 3: 0.5})
    yard.tick(declared, hours=24)
    rows = pa.table(
        {
            "at": pa.array([yard.clock.now()] * 100, pa.timestamp("us", tz="UTC")),
            "row": list(range(100)), "arm": ["challenger-x"] * 100, "role": ["shadow"] * 100, "error": ["boom"] * 100,
            "release": [release.find(yard.store, "late@3").digest] * 100, "propensity": pa.nulls(100, pa.float64()),
        }
    )  # fmt: skip
    decision = release.guard(yard.store, API, declared, now=yard.clock.now(), actor="controller", live={"new": rows})
    assert decision is not None and decision.acts
    assert yard.states() == {1: "live", 2: "rolling_out", 3: "rolled_back"}
    whole(yard)


def test_a_bandit_shifts_the_traffic_to_the_better_arm_and_never_below_the_floor(trying: Any) -> None:
    more = {"within": "60d", "guard": {"error_rate": {"margin": "20pp"}}}
    yard = trying("bandit", **more)
    declared, shares = spec("bandit", **more), [0.05]
    while yard.serving() == 1 and len(shares) < 12:
        yard.log(1000, noise={1: 1.0, 2: 0.6})
        yard.tick(declared, hours=24)
        shares.append(yard.deployment().routes["arms"][-1]["weight"])
        whole(yard)
    entries = yard.store.read(Audit, action="rollout.reweighed", order="sequence")
    assert entries and "IPS" in entries[0].detail["why"]
    assert min(shares) >= 0.0499 and max(shares) > 0.5


def test_rows_outside_the_segment_are_not_compared(yard: Yard) -> None:
    declared = DeploymentSpec.model_validate(
        {"model": "late", "strategy": {"ab_test": DECLARED["ab_test"], "only": {"segment": "dest = 'SEA'"}}}
    )
    body = {"signature": yard.store.blobs.put(b'{"inputs": [{"name": "dest", "type": "category"}]}')}
    yard.release(1, body=body)
    yard.tick(declared)
    yard.release(2, body=body)
    yard.tick(declared, hours=1)
    assert yard.deployment().routes["segment"] == ["=", "dest", "SEA"]
    yard.log(2500, quality=(0.4, 0.4), outside=0.6)
    decision = yard.tick(declared, hours=24)
    assert isinstance(decision, Wait), "the champion is bad outside, which says nothing"
    assert "no difference is proven" in decision.says


def test_a_release_that_cannot_be_routed_as_declared_is_refused(yard: Yard) -> None:
    yard.release(1)
    yard.tick(spec("replace"))
    yard.release(2)
    by = DeploymentSpec.model_validate({"model": "late", "route_by": "customer", "strategy": "canary"})
    with pytest.raises(Refused, match="`customer` is neither an input of late@2"):
        yard.tick(by, hours=1)
    assert yard.store.read(Deployment)[0].routes["arms"][0]["weight"] == 1


# ---- told ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TRYING)
def test_a_release_is_explained_in_a_sentence_at_any_moment(trying: Any, kind: str) -> None:
    yard = trying(kind, begun=False)
    declared = {API: spec(kind)}

    def why() -> dict[str, Any]:
        return release.explain(yard.store, release.find(yard.store, "late@2"), declared, now=yard.clock.now())

    assert "passed its checks" in why()["says"]
    yard.tick(spec(kind))
    yard.log(60, quality=(0.3, 0.6))
    before = yard.deployment()
    assert why()["says"].startswith(f"late@2 is tried in {API} ({kind.replace('_', ' ')}): ")
    assert yard.deployment() == before, "to explain is not to act"
    release.rollback(yard.store, API, actor="ann", why="customers complain")
    assert "by ann: late@2 is rolled back, late@1 serves: customers complain" in why()["says"]


def test_a_decision_tells_data_and_thresholds(trying: Any) -> None:
    yard = trying("canary")
    yard.log(120, hours=0.05, errors=(0.6, 0.0), labels=False)
    yard.tick(spec("canary"), hours=0.05)
    found = release.explain(yard.store, release.find(yard.store, "late@2"), {}, now=yard.clock.now())
    assert "error_rate" in found["says"] and "always-valid p" in found["says"]
    assert found["guards"][0]["margin"] == "0.05" and found["data"]["table"] == f"predictions/{API}"
