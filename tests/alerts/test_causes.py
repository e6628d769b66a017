"""When an alert rises, latches and ends, and when messages wait: cases and properties, without a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelyard.records import Audit, Observation
from modelyard.spec.alerts import Quiet
from modelyard.spec.kinds import ALERTS, EVENTS, OBSERVED
from modelyard.triggers import causes
from modelyard.triggers.causes import CALM, NOTHING, RISES, Seen, Stand
from modelyard.triggers.quiet import not_before

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


def seen(level: Any, monitor: str = "health", cause: str = "drift:deployment.api") -> Seen:
    return Seen(cause, level, level, NOW, "late", monitor)


def stood(*looks: Seen) -> Stand:
    stand = NOTHING
    for look in looks:
        stand = causes.after(stand, look)
    return stand


def look(kind: str, level: Any, **detail: Any) -> Observation:
    return Observation(
        monitor="health",
        deployment="api",
        model="late",
        kind=kind,
        start=NOW,
        end=NOW,
        level=level,
        says=level,
        detail=detail,
        at=NOW,
    )


def entry(action: str, subject: str, **detail: Any) -> Audit:
    return Audit(sequence=1, at=NOW, actor="a", action=action, subject=subject, detail=detail, previous="", hash="")


def test_it_rises_latches_and_ends_after_calm_looks() -> None:
    assert stood(seen("ok")).state == "none"
    assert stood(seen("warn")).level == "warn"
    assert stood(seen("page"), seen("warn")).level == "page"
    assert stood(seen("page"), *[seen("ok")] * (CALM - 1)).state == "open"
    assert stood(seen("page"), *[seen("ok")] * CALM).state == "resolved"
    assert stood(seen("page"), *[seen("ok")] * CALM, seen("warn")).state == "open"


def test_one_cause_that_two_monitors_see_ends_when_both_are_calm() -> None:
    both = (seen("page", "a"), seen("warn", "b"), *[seen("ok", "a")] * CALM)
    assert stood(*both).state == "open"
    assert stood(*both, *[seen("ok", "b")] * CALM).state == "resolved"
    assert causes.forgotten(stood(*both), ["a"]).state == "resolved", "whose monitor is gone nobody can see end"


def test_a_window_without_sufficient_data_neither_raises_nor_ends() -> None:
    assert list(causes.observed([look("drift", "insufficient_data")])) == []


def test_each_stale_source_is_a_cause_of_its_own_and_fresh_again_at_once() -> None:
    looked = look("stale", "page", sources={"flights": {}, "weather": {}}, stale=["weather"])
    assert [(each.cause, each.level) for each in causes.observed([looked])] == [
        ("stale_source:source.flights", "ok"),
        ("stale_source:source.weather", "page"),
    ]
    cause = "stale_source:source.weather"
    assert stood(seen("page", cause=cause), seen("ok", cause=cause)).state == "resolved"


def test_worse_is_news_also_to_who_took_it_over() -> None:
    taken = Stand("acknowledged", "warn", "", {"health": {"level": "warn", "calm": 0}})
    assert causes.after(taken, seen("warn")).state == "acknowledged"
    assert causes.after(taken, seen("page")).state == "open"


def test_what_happened_ends_with_its_contrary() -> None:
    told = [
        entry("rollout.rolled_back", "deployment.api", release="late@3", why="worse"),
        entry("release.created", "model.late", release="late@4", digest="d"),
        entry("release.approved", "model.late", release="late@4"),
        entry("rollout.promoted", "deployment.api", release="late@4"),
    ]
    found = [(each.cause, each.level) for each in causes.happened(told, waiting=["d"])]
    assert ("rollback:deployment.api", "page") in found and ("rollback:deployment.api", "ok") in found
    assert ("approval:release.late@4", "page") in found and ("approval:release.late@4", "ok") in found
    assert ("approval:release.late@4", "page") not in [
        (each.cause, each.level) for each in causes.happened(told, waiting=[])
    ]


def test_the_kinds_that_can_be_asked_for_are_those_that_arise() -> None:
    from modelyard.monitor.inputs import KINDS

    assert set(KINDS) | {"quality", "stale"} <= set(OBSERVED)
    assert {kind for kind, _ in RISES.values()} | {"trigger"} == set(EVENTS)
    assert len(ALERTS) == len(set(ALERTS))


looks = st.lists(st.sampled_from(["ok", "warn", "page"]), max_size=30)


@given(looks)
def test_a_flapping_cause_rises_again_only_after_enough_calm(levels: list[Any]) -> None:
    stand, rises, quiet = NOTHING, 0, CALM
    for level in levels:
        before = stand.state
        stand = causes.after(stand, seen(level))
        if stand.state == "open" and before in ("none", "resolved"):
            assert quiet >= CALM
            rises += 1
        quiet = quiet + 1 if level == "ok" else 0
    assert rises <= 1 + len(levels) // (CALM + 1)


@given(looks)
def test_an_open_alert_is_as_bad_as_the_worst_since_it_rose(levels: list[Any]) -> None:
    stand, since = NOTHING, []
    for level in levels:
        risen = stand.state not in ("none", "resolved")
        stand = causes.after(stand, seen(level))
        since = [*(since if risen else []), level]
        if stand.state == "open":
            assert stand.level == ("page" if "page" in since else "warn")


hours = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda pair: f"{pair[0]:02}:{pair[1]:02}")
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"])


@given(hours, hours, zones, st.datetimes(datetime(2023, 1, 1), datetime(2025, 1, 1)))
def test_what_waits_is_sent_at_the_end_of_quiet_hours_and_never_within(
    begin: str, end: str, zone: str, naive: datetime
) -> None:
    if begin == end:
        return
    quiet = Quiet.model_validate({"from": begin, "to": end, "timezone": zone})
    now = naive.replace(tzinfo=UTC)
    due = not_before(quiet, "P3", now)
    assert now <= due <= now + timedelta(hours=26)
    assert not_before(quiet, "P1", now) == now
    assert not_before(quiet, "P3", due) == due, "it does not wait again"
