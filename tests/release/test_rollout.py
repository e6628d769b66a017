"""Deployments moved by ticks on a real store: routes, states, aliases and audit entries move together, and once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelyard import release
from modelyard.errors import Conflict, NotFound, Refused
from modelyard.records import Deployment, Release
from modelyard.release.changes import change_for, undone
from modelyard.release.commit import commit
from modelyard.release.decisions import Advance, Promote, Rollback, Settle, Start, Wait
from modelyard.release.place import look
from modelyard.release.rollout import promote as promote_by_hand
from modelyard.spec.deployments import DeploymentSpec

API = "late-api"
Yard = Any  # see conftest


def endpoint(strategy: Any = "replace") -> DeploymentSpec:
    return DeploymentSpec.model_validate({"model": "late", "strategy": strategy})


CANARY = endpoint(
    {
        "canary": {
            "steps": [{"shadow": "100%", "for": "3d"}, {"traffic": "20%", "for": "1d"}, {"traffic": "100%"}],
            "guard": {"error_rate": {"margin": "1pp"}, "log_loss": {"margin": "2%"}},
            "within": "21d",
            "probation": "7d",
        }
    }
)


def test_the_first_release_serves_at_once(yard: Yard) -> None:
    yard.release(1)
    decision = yard.tick(CANARY)
    assert isinstance(decision, Start) and decision.how == "first"
    assert (yard.serving(), yard.states(), yard.aliases()) == (1, {1: "live"}, {"champion": 1})
    assert yard.deployment().revision == 1
    assert not yard.tick(CANARY).acts
    assert yard.deployment().revision == 1


def test_nothing_approved_deploys_nothing(yard: Yard) -> None:
    assert isinstance(yard.tick(CANARY), Wait)
    assert yard.store.one(Deployment, name=API) is None


def test_replace_swaps_and_keeps_the_last_champion_warm(yard: Yard) -> None:
    first, second = yard.release(1), None
    yard.tick(endpoint())
    second = yard.release(2)
    yard.tick(endpoint())
    assert yard.serving() == 2
    assert yard.deployment().routes["warm"] == [first.digest]
    assert yard.states() == {1: "retired", 2: "live"}
    rolled = release.rollback(yard.store, API, actor="ann", why="customers complain")
    assert "customers complain" in rolled.says
    assert (yard.serving(), yard.states(), yard.aliases()) == (1, {1: "live", 2: "rolled_back"}, {"champion": 1})
    assert isinstance(yard.tick(endpoint(), hours=24), Wait), "what was rolled back is not tried again"
    with pytest.raises(Refused, match="nothing to roll back to"):
        release.rollback(yard.store, API, actor="ann", why="again")
    assert second.digest not in str(yard.deployment().routes)


def test_a_good_challenger_is_promoted_on_paired_labels_and_the_old_champion_shadows_it(yard: Yard) -> None:
    start_canary(yard)
    assert yard.aliases() == {"champion": 1, "challenger": 2}
    assert yard.states() == {1: "live", 2: "rolling_out"}
    decisions = []
    for _ in range(8):
        yard.log(600, quality=(0.3, 0.6))
        decisions.append(yard.tick(CANARY, hours=24))
    assert [type(each) for each in decisions if each.acts] == [Advance, Promote]
    assert (yard.serving(), yard.aliases()) == (2, {"champion": 2, "challenger": 0})
    routes = yard.deployment().routes
    assert [each["arm"] for each in routes["shadows"]] == ["previous"]
    while not isinstance(decision := yard.tick(CANARY, hours=24), Settle):
        assert isinstance(decision, Wait)
        yard.log(300, quality=(0.3, 0.6))
    assert yard.states() == {1: "retired", 2: "live"}
    assert yard.deployment().routes["shadows"] == [] and yard.deployment().rollout == {}
    assert yard.deployment().routes["warm"] == routes["warm"], "a rollback by hand stays possible"


def test_a_challenger_that_fails_is_rolled_back_and_never_started_again(yard: Yard) -> None:
    start_canary(yard)
    yard.log(40, hours=0.01, errors=(0.5, 0.0))
    decision = yard.tick(CANARY, hours=0.01)
    assert isinstance(decision, Rollback) and "error_rate" in decision.says
    assert (yard.serving(), yard.states()) == (1, {1: "live", 2: "rolled_back"})
    assert yard.aliases() == {"champion": 1, "challenger": 0}
    assert isinstance(yard.tick(CANARY, hours=24), Wait)
    yard.release(3)
    assert isinstance(yard.tick(CANARY, hours=24), Start)


def test_a_challenger_worse_on_labels_is_rolled_back_in_shadow(yard: Yard) -> None:
    start_canary(yard)
    while isinstance(decision := yard.tick(CANARY, hours=24), Wait):
        yard.log(900, quality=(1.5, 0.2))
    assert isinstance(decision, Rollback) and "log_loss" in decision.says


def test_without_labels_it_ends_inconclusive(yard: Yard) -> None:
    start_canary(yard)
    decisions = []
    for _ in range(22):
        yard.log(200, labels=False)
        decisions.append(yard.tick(CANARY, hours=24))
    last = [each for each in decisions if each.acts][-1]
    assert isinstance(last, Rollback) and "inconclusive after 21d" in last.says
    assert "no row that both releases answered has its label yet" in last.says


def test_labels_younger_than_mature_do_not_count(yard: Yard) -> None:
    start_canary(yard, body={"split": {"mature_seconds": 30 * 86400}})
    for _ in range(3):
        yard.log(900, quality=(3.0, 0.2))
        assert not isinstance(yard.tick(CANARY, hours=24), Rollback)


def test_worse_in_probation_goes_back_by_itself(yard: Yard) -> None:
    start_canary(yard)
    while not isinstance(yard.tick(CANARY, hours=24), Promote):
        yard.log(900, quality=(0.2, 0.6))
    decision = yard.tick(CANARY)
    while not decision.acts:
        yard.log(900, quality=(2.0, 0.2))
        decision = yard.tick(CANARY, hours=24)
    assert isinstance(decision, Rollback)
    assert (yard.serving(), yard.states(), yard.aliases()["champion"]) == (1, {1: "live", 2: "rolled_back"}, 1)


def test_rolling_back_by_hand_ends_a_canary_and_a_probation(yard: Yard) -> None:
    start_canary(yard)
    release.rollback(yard.store, API, actor="ann", why="a feeling")
    assert (yard.serving(), yard.states()[2], yard.deployment().rollout) == (1, "rolled_back", {})
    yard.release(3)
    yard.tick(CANARY)
    promote_by_hand(yard.store, API, CANARY, actor="ann", why="it is urgent")
    assert yard.serving() == 3
    release.rollback(yard.store, API, actor="ann", why="it was not")
    assert (yard.serving(), yard.states()) == (1, {1: "live", 2: "rolled_back", 3: "rolled_back"})


def test_a_newer_release_takes_the_place_of_one_in_shadow(yard: Yard) -> None:
    start_canary(yard)
    yard.release(3)
    yard.tick(CANARY)
    assert yard.states() == {1: "live", 2: "retired", 3: "rolling_out"}
    assert yard.aliases() == {"champion": 1, "challenger": 3}


def test_every_change_counts_the_revision_and_leaves_one_entry(yard: Yard) -> None:
    start_canary(yard)
    assert yard.deployment().revision == 2
    assert yard.actions().count("rollout.started") == 1
    for _ in range(3):
        yard.tick(CANARY)
    assert yard.deployment().revision == 2


def test_two_controllers_change_once(yard: Yard) -> None:
    yard.release(1)
    yard.tick(CANARY)
    yard.release(2)

    def turn(_: int) -> str:
        try:
            decision = release.tick(yard.store, API, CANARY, now=yard.clock.now(), actor="controller")
            return type(decision).__name__
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(turn, range(16)))
    assert outcomes.count("Start") == 1
    assert yard.actions().count("rollout.started") == 1
    assert yard.deployment().revision == 2


def test_a_decision_on_old_routes_is_refused(yard: Yard) -> None:
    start_canary(yard)
    old = look(yard.store, API, CANARY)
    release.rollback(yard.store, API, actor="ann", why="first")
    with pytest.raises(Conflict, match="changed a moment ago"):
        commit(yard.store, old, undone(old, "second"), yard.clock.now(), "ben", None)


def test_a_release_rejected_meanwhile_does_not_start(yard: Yard) -> None:
    yard.release(1)
    yard.tick(CANARY)
    second = yard.release(2)
    place = look(yard.store, API, CANARY)
    release.reject(yard.store, second.digest, actor="ben", role="model_owner", reason="no")
    change = change_for(place, Start(second.digest, "canary", "now"), yard.clock.now(), {})
    assert change is not None
    with pytest.raises(Conflict):
        commit(yard.store, place, change, yard.clock.now(), "controller", None)
    assert yard.deployment().revision == 1


def test_a_body_that_was_changed_is_not_put_to_work(yard: Yard) -> None:
    yard.release(1)
    found = yard.store.read(Release)[0]
    with yard.store.transaction(actor="mallory", action="release.edited", subject="model.late") as tx:
        tx.change(Release, {"id": found.id}, body=replace(found, body={**found.body, "artefact": "evil"}).body)
    with pytest.raises(Refused, match="changed after it was made"):
        yard.tick(CANARY)
    assert yard.store.one(Deployment, name=API) is None


def test_a_changed_input_policy_reaches_the_gateways(yard: Yard) -> None:
    yard.release(1)
    yard.tick(endpoint())
    changed = endpoint().model_copy(update={"max_rows": 5})
    yard.tick(changed)
    assert (yard.deployment().policy["max_rows"], yard.deployment().revision) == (5, 2)
    yard.tick(changed)
    assert yard.deployment().revision == 2


def test_a_second_deployment_begins_with_the_champion_and_retires_nothing_of_the_first(yard: Yard) -> None:
    yard.release(1)
    yard.tick(endpoint())
    yard.release(2)
    release.tick(yard.store, "other", endpoint(), now=yard.clock.now(), actor="controller")
    other = yard.store.one(Deployment, name="other")
    assert other is not None and other.routes["arms"][0]["release"] == yard.deployment().routes["arms"][0]["release"]
    yard.tick(endpoint())
    assert yard.states() == {1: "live", 2: "live"}, "the other deployment still serves the first"


def test_rolling_back_what_does_not_serve_is_not_found(yard: Yard) -> None:
    with pytest.raises(NotFound):
        release.rollback(yard.store, API, actor="ann", why="")


def test_pending_and_history_tell_what_happens(yard: Yard) -> None:
    start_canary(yard)
    assert list(release.pending(yard.store, {API}, {"late"})) == ["late-api: late@2 is in step 1 of its canary"]
    told = release.history(yard.store, release.find(yard.store, "late@2"))
    assert [entry["action"] for entry in told] == ["release.created", "rollout.started"]
    assert all(entry["why"] for entry in told)


def test_what_is_declared_no_more_answers_no_longer(yard: Yard) -> None:
    yard.release(1)
    yard.tick(endpoint())
    release.retire(yard.store, f"deployment.{API}", actor="ann")
    assert yard.deployment().routes["arms"] == []
    assert yard.deployment().revision == 2


def start_canary(yard: Yard, body: dict[str, object] | None = None) -> None:
    """Release 1 serves, release 2 is in shadow."""
    yard.release(1, body=body)
    yard.tick(CANARY)
    yard.clock.set(yard.clock.now() + timedelta(hours=1))
    yard.release(2, body=body)
    assert isinstance(yard.tick(CANARY), Start)
