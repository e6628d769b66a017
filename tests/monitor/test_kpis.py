"""Business figures that a monitor watches: worse than their own trend and season make usual, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from modelyard import monitor, triggers
from modelyard.monitor import kpis
from modelyard.monitor.grouping import group, led, persistent
from modelyard.monitor.seen import Seen
from modelyard.records import Version
from modelyard.spec.kpis import Kpi
from modelyard.spec.triggers import Trigger
from modelyard.stats import periods

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = 7 * DAY
KPI = Kpi(direction="down", unit="letters")
FIRST = periods.number(START, DAY)
SEASON = np.array([8, 0, 0, 1, 0, -6, -7])


def letters(days: int, *, seed: int = 3, rise: float = 0.0, since: int = 0) -> dict[int, float]:
    """Letters per day, with a week and a trend; `rise` more from day `since` on."""
    rng = np.random.default_rng(seed)
    y = 40 + 0.05 * np.arange(days) + SEASON[np.arange(days) % 7] + rng.normal(0, 2, days)
    y[since:] += rise
    return {FIRST + day: float(value) for day, value in enumerate(y)}


def judged(series: dict[int, float], *, steps: tuple[int, ...] = (), kpi: Kpi = KPI, window: timedelta = WEEK) -> Any:
    now = periods.begin(FIRST + len(series), kpi.every)
    return kpis.judge("letters", kpi, series, steps, window, now, 0.01)


def test_a_figure_alarms_on_its_worse_side_only() -> None:
    worse = judged(letters(100, rise=8.0, since=95))
    assert worse["level"] == "page" and worse["low"] < worse["expected"] < worse["high"] < worse["value"]
    assert "letters in the last 7 periods of 1d, usual by its own trend and season" in worse["says"]
    better = judged(letters(100, rise=-8.0, since=93))
    assert better["level"] == "info" and better["says"].endswith("better")
    assert judged(letters(100))["level"] == "ok"
    assert judged(letters(100, rise=-8.0, since=93), kpi=Kpi(direction="up"))["level"] == "page"


def test_a_monday_is_no_alarm_and_neither_is_a_trend() -> None:
    """A window of one day: Mondays bring eight letters more than Tuesdays."""
    assert all(judged(letters(days), window=DAY)["level"] == "ok" for days in range(93, 100))


@pytest.mark.parametrize(
    ("series", "says"),
    [
        ({}, "0 periods before the window have a value, 28 are needed"),
        (letters(30), "23 periods before the window have a value, 28 are needed"),
        ({p: v for p, v in letters(60).items() if p < FIRST + 57}, ""),
        ({p: v for p, v in letters(60).items() if p < FIRST + 54}, "1 of the 7 periods of the window have a value"),
    ],
)
def test_too_little_is_insufficient_data(series: dict[int, float], says: str) -> None:
    now = periods.begin(FIRST + (60 if len(series) > 40 else 30), DAY)
    found = kpis.judge("letters", KPI, series, [], WEEK, now, 0.01)
    assert (found["level"] == "insufficient_data") == bool(says) and says in found["says"]


def test_history_begins_with_the_newest_release_that_leaves_enough_of_it() -> None:
    """A release halved the letters: that they come back is bad news only beside what came after it."""
    series = letters(150, rise=-15.0, since=60) | {p: v for p, v in letters(150).items() if p >= FIRST + 143}
    assert judged(series, steps=(FIRST + 60,))["level"] == "page"
    alone = judged({p: v for p, v in series.items() if p >= FIRST + 60} | dict.fromkeys(range(FIRST, FIRST + 60), 0.0))
    assert judged(series, steps=(FIRST + 60, FIRST + 140))["value"] == alone["value"]


def test_as_bad_as_the_worst_figure_and_what_is_not_known_is_no_health() -> None:
    fine, bad = judged(letters(100)), judged(letters(100, rise=8.0, since=95))
    unknown = judged(letters(20))
    assert kpis.gathered([unknown]).level == "insufficient_data"
    assert kpis.gathered([unknown, fine]).says.endswith("28 are needed")
    seen = kpis.gathered([fine, bad, unknown])
    assert seen.level == "page" and seen.says == f"{bad['says']}; {unknown['says']}" and seen.varies


def test_it_must_show_in_another_window_unless_it_is_far_off() -> None:
    near, far = (kpis.gathered([judged(letters(100, rise=rise, since=95))]) for rise in (4.0, 40.0))
    assert (near.severe, far.severe) == (False, True)
    assert [each.level for each in persistent([near, far], {})] == ["warn", "page"]
    assert persistent([near], {}, {"kpis"})[0].level == "page"


def test_a_figure_is_a_cause_of_its_own() -> None:
    """A channel may ask for figures alone, and an older alarm of drift must not hide that one fell."""
    figure, drift, concept = (Seen(kind, "page", "") for kind in ("kpis", "drift", "concept"))
    assert [first.kind for first, parts in led(group([figure, drift, concept])) if not parts] == [
        "kpis",
        "drift",
        "concept",
    ]


def test_nothing_pages_of_nothing() -> None:
    """Ten years and ten figures without a change: a raw alarm in few looks, and none so far off that it pages at once."""
    looks = [judged(letters(days, seed=seed)) for seed in range(900, 910) for days in range(120, 240, 4)]
    assert sum(each["level"] == "page" for each in looks) <= 0.03 * len(looks)
    assert not any(each.get("far") for each in looks)


def test_a_monitor_tells_it_with_its_cure_and_a_trigger_waits_for_it(world: Any, declared: Any) -> None:
    costly = Trigger.model_validate({"model": "late", "when": {"kpis": "health"}, "do": "rollback"})
    spec = declared(kpis=["letters"]).model_copy(update={"kpis": {"letters": KPI}, "triggers": {"costly": costly}})
    with world.store.transaction(actor="t", action="t.t", subject="t") as tx:
        about: dict[str, Any] = {"entity": "model.late", "fingerprint": "f", "digest": "d", "actor": "t", "body": {}}
        tx.add(Version(number=1, as_of=START, created=START, **about))
    series = letters(130, rise=3.5, since=100)

    def look(day: int) -> Any:
        now = START + day * DAY
        world.clock.set(now)
        given = [(periods.begin(p, DAY), value, "") for p, value in series.items() if p < FIRST + day]
        monitor.take(world.store, "letters", given, source="push", now=now, actor="ann")
        seen = monitor.observe(world.store, spec, "health", now=now, actor="test", source_times={"sales": now})
        return next(each for each in seen if each.kind == "kpis")

    assert look(20).level == "insufficient_data"
    assert look(99).level == "ok"
    (first,) = [look(105)]
    assert first.level == "warn" and "until 2 of 3 windows show it" in first.says
    assert "What helps: see in `yard kpi show`" in first.detail["message"]
    assert "Trigger costly (rollback) acts" in first.detail["message"]
    assert not triggers.look(world.store, spec, "costly", now=world.clock.now()).fire
    assert look(112).level == "page"
    decision = triggers.look(world.store, spec, "costly", now=world.clock.now())
    assert decision.fire and "kpis of health: letters" in decision.why
