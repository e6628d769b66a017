"""Tests that a business figure decides, by its values of each arm."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from modelyard.records import Declaration, KpiValue
from modelyard.release.decisions import Finish, Promote, Reweigh, Rollback, Wait
from modelyard.spec.deployments import DeploymentSpec

DAY = timedelta(days=1)


def spec(kind: str, **more: Any) -> DeploymentSpec:
    """A deployment whose test `revenue` decides."""
    return DeploymentSpec.model_validate({"model": "late", "strategy": {kind: {"kpi": "revenue", "guard": {}, **more}}})


def declare(yard: Any, **kpi: Any) -> None:
    """Apply a declaration with the figure."""
    revenue = {"direction": "up", "gather": "mean", **kpi}
    now = yard.clock.now()
    with yard.store.transaction(actor="test", action="plan.applied", subject="shop") as tx:
        tx.add(Declaration(digest="d", spec={"kpis": {"revenue": revenue}}, fingerprints={}, at=now, actor="test"))


def play(yard: Any, declared: DeploymentSpec, days: int, means: dict[str, float], seed: int = 0) -> list[Any]:
    """Days of values, one for each arm, beside what moves all arms alike; what acted."""
    rng = np.random.default_rng(seed)
    acted = []
    for day in range(days):
        yard.log(40)
        common, at = 30 * np.sin(day), yard.clock.now()
        with yard.store.transaction(actor="test", action="kpi.received", subject="revenue") as tx:
            for arm, mean in means.items():
                value = float(mean + common + rng.normal())
                tx.add(KpiValue(kpi="revenue", time=at, arm=arm, value=value, source="push", received=at, by="test"))
        decision = yard.tick(declared, hours=24)
        acted += [decision] if decision.acts else []
        if acted and not isinstance(decision, Reweigh | Wait):
            break
    return acted


@pytest.fixture
def trying(yard):
    """A yard where release 1 serves and release 2 is being tested, from midnight on."""

    def make(declared: DeploymentSpec, **kpi: Any) -> Any:
        declare(yard, **kpi)
        yard.release(1)
        yard.tick(DeploymentSpec.model_validate({"model": "late"}))
        now = yard.clock.now()
        yard.clock.set(now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY)
        yard.release(2)
        yard.tick(declared)
        return yard

    return make


def test_the_arm_that_earns_more_wins_though_days_differ_by_more(trying):
    declared = spec("ab_test")
    acted = play(trying(declared), declared, 28, {"champion": 100.0, "challenger": 102.0})
    assert isinstance(acted[-1], Promote)
    assert "revenue 10" in acted[-1].says and "proven better" in acted[-1].says


def test_down_may_be_the_better_way_and_a_loser_goes_back(trying):
    declared = spec("ab_test")
    acted = play(trying(declared, direction="down"), declared, 28, {"champion": 100.0, "challenger": 102.0})
    assert isinstance(acted[-1], Rollback) and "proven worse" in acted[-1].says


def test_equals_end_in_time_and_no_value_proves_nothing(trying):
    declared = spec("ab_test", within="14d")
    acted = play(trying(declared), declared, 20, {"champion": 100.0, "challenger": 100.0})
    assert isinstance(acted[-1], Finish) and "no winner" in acted[-1].says


def test_without_values_by_arm_nothing_is_decided(trying):
    declared = spec("ab_test", within="14d")
    acted = play(trying(declared), declared, 20, {"": 100.0})
    assert isinstance(acted[-1], Finish) and "no period of revenue with values of both arms yet" in acted[-1].says


def test_a_sum_is_taken_per_share_of_the_traffic(trying):
    declared = spec("ab_test", split="10%", within="14d")
    acted = play(trying(declared, gather="sum"), declared, 14, {"champion": 900.0, "challenger": 102.0})
    assert not any(isinstance(each, Rollback) for each in acted), "a ninth of the traffic earns a ninth, and more"


def test_a_bandit_gives_more_traffic_to_the_arm_that_earns_more_and_ends_with_it(trying):
    declared = spec("bandit", every="1d", **{"for": "12d"})
    acted = play(trying(declared), declared, 28, {"champion": 100.0, "challenger": 102.0})
    shares = [each.weights[1] for each in acted if isinstance(each, Reweigh)]
    assert shares and shares[0] > 0.5
    assert isinstance(acted[-1], Promote)


def test_a_period_that_began_before_the_test_or_is_not_over_counts_for_nothing(trying):
    declared = spec("ab_test")
    yard = trying(declared)
    with yard.store.transaction(actor="test", action="kpi.received", subject="revenue") as tx:
        for days in (-3, -2, -1, 0):
            for arm, value in (("champion", 1.0), ("challenger", 99.0)):
                at = yard.clock.now() + days * DAY
                tx.add(KpiValue(kpi="revenue", time=at, arm=arm, value=value, source="push", received=at, by="test"))
    decision = yard.tick(declared, hours=12)
    assert isinstance(decision, Wait) and "no period of revenue" in decision.says
