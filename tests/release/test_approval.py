"""Approvals: by digest, by role, never by the author, and one transition however many press the button."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from modelyard import release
from modelyard.errors import Conflict, Forbidden, Refused
from modelyard.records import Approval, Audit
from modelyard.spec.deployments import DeploymentSpec
from modelyard.spec.models import ApprovalRule
from modelyard.spec.types import Spec

RULE = ApprovalRule(required=1, roles=("model_owner",))
TWO = ApprovalRule(required=2, roles=("model_owner", "risk"))


def approve(yard: Any, actor: str, *, role: str = "model_owner", rule: ApprovalRule = RULE, ref: str = "late@1") -> Any:
    return release.approve(yard.store, ref, actor=actor, role=role, reason="looks good", rule=rule)


def test_without_a_rule_a_release_is_approved_by_its_checks(yard: Any) -> None:
    assert yard.release(1).state == "approved"


def test_an_approval_opens_the_way_and_names_the_digest(yard: Any) -> None:
    made = yard.release(1, approval=RULE)
    assert made.state == "pending_approval"
    assert not yard.tick(DeploymentSpec(model="late")).acts
    assert approve(yard, "ben").state == "approved"
    recorded = yard.store.one(Approval, actor="ben")
    assert (recorded.release, recorded.role, recorded.decision) == (made.digest, "model_owner", "approve")
    assert yard.tick(DeploymentSpec(model="late")).acts


def test_the_author_may_not_unless_declared(yard: Any) -> None:
    yard.release(1, approval=RULE)
    with pytest.raises(Forbidden, match="author"):
        approve(yard, "ann")
    assert approve(yard, "ann", rule=ApprovalRule(author_may_approve=True)).state == "approved"


def test_another_role_may_not(yard: Any) -> None:
    yard.release(1, approval=RULE)
    with pytest.raises(Forbidden, match="decided by: model_owner"):
        approve(yard, "ben", role="intern")


def test_two_required_means_two_people(yard: Any) -> None:
    yard.release(1, approval=TWO)
    assert approve(yard, "ben", rule=TWO).state == "pending_approval"
    assert approve(yard, "ben", rule=TWO).state == "pending_approval"
    assert approve(yard, "cleo", role="risk", rule=TWO).state == "approved"


def test_deciding_the_same_again_changes_nothing_and_the_opposite_is_a_conflict(yard: Any) -> None:
    yard.release(1, approval=RULE)
    approve(yard, "ben")
    entries = len(yard.store.read(Audit))
    assert approve(yard, "ben").state == "approved"
    assert len(yard.store.read(Audit)) == entries
    with pytest.raises(Conflict, match="approved it on"):
        release.reject(yard.store, "late@1", actor="ben", role="model_owner", rule=RULE)


def test_one_rejection_is_final(yard: Any) -> None:
    yard.release(1, approval=TWO)
    assert release.reject(yard.store, "late@1", actor="ben", role="risk", reason="no", rule=TWO).state == "rejected"
    with pytest.raises(Refused, match="rejected"):
        approve(yard, "cleo", rule=TWO)
    assert not yard.tick(DeploymentSpec(model="late")).acts


def test_what_serves_is_not_rejected_but_rolled_back(yard: Any) -> None:
    yard.release(1)
    yard.tick(DeploymentSpec(model="late"))
    with pytest.raises(Refused, match=r"serves already.*rollback"):
        release.reject(yard.store, "late@1", actor="ben", role="model_owner", rule=RULE)


def test_fifty_parallel_approvals_are_one_transition(make_yard: Callable[..., Any], home: str) -> None:
    yard = make_yard(home)
    yard.release(1, approval=RULE)
    with ThreadPoolExecutor(10) as pool:
        states = list(pool.map(lambda number: approve(yard, f"p{number % 25}").state, range(50)))
    assert states == ["approved"] * 50
    assert yard.actions().count("release.approved") == 1
    assert len(yard.store.read(Approval)) == 1


def test_fifty_parallel_approvals_by_two_are_counted_exactly(make_yard: Callable[..., Any], home: str) -> None:
    yard = make_yard(home)
    yard.release(1, approval=TWO)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda number: approve(yard, f"p{number % 5}", rule=TWO), range(50)))
    approvals = yard.store.read(Approval)
    assert len(approvals) == len({each.actor for each in approvals}) == 2
    assert yard.states() == {1: "approved"}


def test_the_simulated_approver_waits_as_declared_and_follows_the_rule(yard: Any) -> None:
    spec = Spec.model_validate(
        {
            "project": "flights",
            "models": {
                "late": {
                    "task": "regression",
                    "data": "d",
                    "target": "y",
                    "train": "m:fit",
                    "approval": {"required": 2, "roles": ["risk"]},
                }
            },
        }
    )
    yard.release(1, approval=spec.models["late"].approval)
    day = timedelta(days=1)

    def play() -> list[Any]:
        return release.auto_approve(yard.store, spec, now=yard.clock.now(), after=day)

    assert play() == []
    yard.clock.set(yard.clock.now() + day)
    assert [each.state for each in play()] == ["approved"]
    assert {each.role for each in yard.store.read(Approval)} == {"risk"}
    assert play() == []
