"""Business figures: recorded once, corrected with their history, and what releases moved in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from modelyard import monitor, triggers
from modelyard.clock import SimulatedClock
from modelyard.errors import InputError
from modelyard.monitor.moved import Introduction, Trial, effects, introductions, trials
from modelyard.records import Audit, Deployment, KpiValue, Version
from modelyard.spec.kpis import Kpi
from modelyard.spec.types import Spec
from modelyard.stats import periods
from modelyard.store import Store, open_store

NOW = datetime(2024, 6, 3, tzinfo=UTC)
DAY = timedelta(days=1)
KPI = Kpi(direction="up", unit="orders", value_per_unit=10.0)


@pytest.fixture
def store(home: str) -> Iterator[Store]:
    with open_store(home, project="shop", clock=SimulatedClock(NOW)) as opened:
        yield opened


def push(store: Store, *given: tuple[datetime, float, str]) -> Any:
    return monitor.take(store, "orders", given, source="push", now=NOW, actor="ann")


def test_the_same_again_changes_nothing_and_another_value_is_a_correction(store: Store) -> None:
    assert vars(push(store, (NOW - DAY, 5.0, ""), (NOW - 2 * DAY, 4.0, ""))) == {
        "recorded": 2, "corrected": 0, "unchanged": 0,
    }  # fmt: skip
    entries = len(store.read(Audit))
    assert push(store, (NOW - DAY, 5.0, "")).unchanged == 1 and len(store.read(Audit)) == entries
    assert push(store, (NOW - DAY, 6.0, ""), (NOW - DAY, 1.0, "champion")).corrected == 1
    history = [(each.sequence, each.value) for each in store.read(KpiValue, time=NOW - DAY, arm="")]
    assert history == [(0, 5.0), (1, 6.0)]
    assert list(monitor.by_period(store, "orders", KPI, now=NOW)[""].values()) == [4.0, 6.0]
    (entry, *_) = store.read(Audit, action="kpi.recorded", order="sequence", descending=True)
    assert (entry.actor, entry.subject, entry.detail["corrected"]) == ("ann", "kpi.orders", 1)


def test_what_has_not_come_or_is_no_number_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="has not come yet"):
        push(store, (NOW + DAY, 1.0, ""))
    with pytest.raises(InputError, match="finite"):
        push(store, (NOW - DAY, float("nan"), ""))
    assert store.read(KpiValue) == []


def test_a_period_that_goes_on_has_no_value_yet(store: Store) -> None:
    push(store, (NOW - DAY, 1.0, ""), (NOW, 2.0, ""))
    assert len(monitor.by_period(store, "orders", KPI, now=NOW)[""]) == 1


def test_where_values_are_of_arms_alone_all_of_them_are_the_whole(store: Store) -> None:
    push(store, (NOW - DAY, 1.0, "champion"), (NOW - DAY, 3.0, "challenger"))
    gathered = monitor.by_period(store, "orders", KPI, now=NOW)
    assert {arm: list(values.values()) for arm, values in gathered.items()} == {
        "": [2.0], "challenger": [3.0], "champion": [1.0],
    }  # fmt: skip


def entry(action: str, day: int, **detail: Any) -> Audit:
    at = NOW + day * DAY
    return Audit(sequence=1, at=at, actor="a", action=action, subject="d", detail=detail, previous="", hash="")


def test_an_introduction_begins_with_its_trial_and_a_trial_taken_back_is_none() -> None:
    told = [
        entry("rollout.replaced", 0, swapped=True, champion="late@1"),
        entry("rollout.started", 5, swapped=False),
        entry("rollout.promoted", 9, swapped=True, champion="late@2"),
        entry("rollout.settled", 12, swapped=False),
        entry("rollout.started", 20, swapped=False),
        entry("rollout.rolled_back", 22, swapped=False, champion="late@2"),
        entry("rollout.rolled_back", 30, swapped=True, champion="late@1"),
    ]
    assert introductions(told) == [
        Introduction("late@1", NOW, NOW),
        Introduction("late@2", NOW + 5 * DAY, NOW + 9 * DAY),
        Introduction("", NOW + 20 * DAY, NOW + 22 * DAY),
        Introduction("late@1", NOW + 30 * DAY, NOW + 30 * DAY),
    ]


def planted(*steps: tuple[int, float], days: int = 180, seed: int = 1) -> dict[int, float]:
    """A figure by day, with a step up at some days; while it is tried it stands half-way."""
    rng, first = np.random.default_rng(seed), periods.number(NOW, DAY)
    values = 100 + 5 * (np.arange(days) % 7 == 0) + rng.normal(0, 1, days)
    for day, size in steps:
        values += size * (np.arange(days) >= day)
    return {first + day: float(value) for day, value in enumerate(values)}


def intro(release: str, day: int, tried: int = 0) -> Introduction:
    return Introduction(release, NOW + (day - tried) * DAY, NOW + day * DAY)


def test_each_release_is_tested_for_what_it_moved() -> None:
    series = planted((60, 8.0), (120, 0.0))
    worse = {period: value + 50 for period, value in series.items() if 55 <= period - min(series) < 60}
    better, same = effects(series | worse, KPI, [intro("late@2", 60, tried=5), intro("late@3", 120)])
    assert better.effect is not None and better.effect.low < 8 < better.effect.high, "the days of trial do not count"
    assert better.says.startswith("better: +") and "orders per period (95%: " in better.says
    assert same.effect is not None and not same.effect.shown and same.says.startswith("no effect is shown")
    worth = monitor.worth(better, KPI)
    assert worth is not None and worth["low"] < 8 * 10 * 60 < worth["high"] and better.periods == 60


def test_down_is_better_where_it_is_said_to_be() -> None:
    down = Kpi(direction="down", value_per_unit=2.0)
    (found,) = effects(planted((90, -6.0)), down, [intro("late@2", 90)])
    assert found.says.startswith("better: -")
    worth = monitor.worth(found, down)
    assert worth is not None and worth["low"] > 0
    (found,) = effects(planted((90, 6.0)), down, [intro("late@2", 90)])
    assert found.says.startswith("worse: +")


@pytest.mark.parametrize(
    ("intros", "says"),
    [
        ([intro("late@1", 0)], "0 periods before it, 14 are needed"),
        ([intro("late@1", 177)], "3 periods since, 7 are needed"),
        ([intro("late@1", 100), intro("late@2", 103)], "3 periods of its predecessor, 7 are needed"),
    ],
)
def test_too_little_data_is_said_to_be(intros: list[Introduction], says: str) -> None:
    last = effects(planted(), KPI, intros)[-1]
    assert last.effect is None and says in last.says and monitor.worth(last, KPI) is None


def test_arms_are_compared_period_by_period() -> None:
    series = planted(days=30)
    arms = {"champion": series, "challenger": {p: value + 2 for p, value in series.items()}, "new": {}}
    challenger, new = monitor.against_champion({"": {}, **arms}, KPI)
    assert challenger.effect is not None and abs(challenger.effect.estimate - 2) < 0.01 and challenger.effect.shown
    assert new.effect is None and new.says.startswith("insufficient data")


def test_the_arm_of_each_release_that_was_tried_is_its_own() -> None:
    entries = [
        entry("rollout.started", 0, release="late@2", digest="b"),
        entry("rollout.promoted", 10, swapped=True, champion="late@2"),
        entry("rollout.settled", 12),
        entry("rollout.started", 20, release="late@3", digest="c"),
        entry("rollout.started", 24, release="late@4", digest="d"),
    ]
    tried = trials(entries)
    spans = [(NOW, NOW + 10 * DAY), (NOW + 20 * DAY, NOW + 24 * DAY), (NOW + 24 * DAY, None)]
    assert [(each.release, each.began, each.ended) for each in tried] == [
        (release, *span) for release, span in zip(("late@2", "late@3", "late@4"), spans, strict=True)
    ]
    series, first = planted(days=40), periods.number(NOW, DAY)
    moved = {p: value + (2 if p < first + 10 else -2) for p, value in series.items()}
    second, third, fourth = monitor.against_champion({"champion": series, "challenger": moved}, KPI, tried)
    assert second.effect is not None and abs(second.effect.estimate - 2) < 0.01 and second.periods == 10
    assert third.effect is None and "4 periods beside the champion" in third.says
    assert fourth.effect is not None and abs(fourth.effect.estimate + 2) < 0.01


def test_a_sum_of_a_tenth_of_the_traffic_is_taken_for_all_of_it() -> None:
    hours = {NOW + hour * DAY / 24: (10.0, 100.0) for hour in range(24 * 20)}
    tried = [Trial("late@2", NOW, traffic=hours)]
    series = planted(days=30)
    arms = {
        "champion": {p: 0.9 * v for p, v in series.items()},
        "challenger": {p: 0.1 * (v + 3) for p, v in series.items()},
    }
    (sums,) = monitor.against_champion(arms, Kpi(direction="up", gather="sum"), tried)
    assert sums.effect is not None and abs(sums.effect.estimate - 3) < 0.01
    assert sums.periods == 20, "where nothing is known of the traffic nothing is compared"
    step = monitor.worth(monitor.Moved("late@2", NOW, None, "", 5), KPI, [sums])
    assert step is not None and abs(step["estimate"] - 3 * 10 * 5) < 1 and step["by"] == "arms"


def test_a_trigger_may_wait_for_a_figure(store: Store) -> None:
    spec = Spec.model_validate(
        {
            "project": "shop",
            "deployments": {"api": {"model": "buys"}},
            "kpis": {"orders": {"direction": "up"}},
            "triggers": {
                "low": {"model": "buys", "do": "alert", "when": {"kpi": {"name": "orders", "below": 10, "over": "3d"}}}
            },
        }
    )
    with store.transaction(actor="t", action="t.t", subject="t") as tx:
        tx.add(Deployment(name="api", model="buys", revision=1, routes={"arms": [], "shadows": []}, at=NOW))
        about: dict[str, Any] = {"entity": "model.buys", "fingerprint": "f", "digest": "d", "actor": "t", "body": {}}
        tx.add(Version(number=1, as_of=NOW - 90 * DAY, created=NOW, **about))
    assert triggers.look(store, spec, "low", now=NOW).why == "kpi orders: no value within the last 3d"
    push(store, (NOW - 5 * DAY, 1.0, ""), *[(NOW - day * DAY, 11.0, "") for day in (1, 2, 3)])
    assert "11 on average over the last 3d, not below 10" in triggers.look(store, spec, "low", now=NOW).why
    push(store, (NOW - DAY, 5.0, ""))
    decision = triggers.look(store, spec, "low", now=NOW)
    assert decision.fire and "9 on average over the last 3d, below 10" in decision.why
