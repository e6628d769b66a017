"""A monitor sees what happened to a deployment, tells the kinds of trouble apart, and is never green for lack of data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from modelyard import monitor
from modelyard.errors import InputError, NotFound
from modelyard.monitor import logged, quality
from modelyard.records import Audit, Observation, Segment
from modelyard.spec.monitors import Quality
from modelyard.stats.metrics import Estimate

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def look(world, spec, day, **more):
    """Profile what is new, and look at the end of `day`; gives the observations by kind."""
    world.clock.set(START + DAY * day)
    monitor.profile_segments(world.store, "api")
    more = {"source_times": {"sales": START + DAY * day}, **more}
    seen = monitor.observe(world.store, spec, "health", now=START + DAY * day, actor="test", **more)
    return {each.kind: each for each in seen}


def levels(seen):
    return {kind: each.level for kind, each in seen.items()}


def test_nothing_served_is_insufficient_data(world, declared):
    seen = levels(look(world, declared(), 1))
    assert seen.pop("stale") == "ok"
    assert len(seen) >= 13
    assert set(seen.values()) == {"insufficient_data"}


def test_a_healthy_deployment_is_ok(world, declared):
    for day in range(10):
        world.serve(day)
    seen = look(world, declared(), 10)
    unknown = {kind for kind, level in levels(seen).items() if level != "ok"}
    assert unknown == {"cost", "decay", "joint", "volume"}, "too young to tell"
    assert {"drift", "missing", "schema", "duplicates", "quality", "stale", "concept", "estimate"} <= {*seen}
    assert set(seen["drift"].detail["psi"]) == {"distance", "kind", "prediction"}
    assert seen["drift"].detail["rows"] == 7 * 150


def test_a_year_in_which_nothing_changes_passes_without_a_page(world, declared):
    for day in range(365):
        world.serve(day, 60 if day % 7 in (5, 6) else 150)
        look(world, declared(), day + 1)
    told = world.store.read(Audit, action="monitor.alarmed")
    assert [entry.detail["why"] for entry in told if entry.detail["level"] == "page"] == []
    assert len(told) <= 4, "and hardly a warning"


def test_shifted_inputs_are_drift_and_say_so(world, declared):
    for day in range(10):
        world.serve(day, shift=0.0 if day < 3 else 3.0)
    seen = look(world, declared(), 10)
    assert seen["drift"].level == "page"
    assert "distance: median 10" in seen["drift"].says
    assert [column["column"] for column in seen["drift"].detail["columns"]] == ["distance"]
    assert seen["quality"].level == "ok"


def test_quality_is_judged_on_mature_answers_only(world, declared):
    for day in range(10):
        world.serve(day, skill=0.0 if day >= 8 else 1.0)
    assert look(world, declared(), 10)["quality"].level == "ok"
    for day in range(10, 18):
        world.serve(day, skill=0.0)
    seen = look(world, declared(), 18)["quality"]
    assert seen.level == "page"
    assert "roc_auc is 0." in seen.says
    assert seen.detail["mature_until"] == (START + DAY * 16).isoformat()


def test_without_labels_quality_is_unknown(world, declared):
    for day in range(10):
        world.serve(day, labels=False)
    assert look(world, declared(), 10)["quality"].level == "insufficient_data"


def test_drift_is_judged_against_the_release_that_serves(world, declared):
    for day in range(8):
        world.serve(day, shift=3.0)
    assert look(world, declared(), 8)["drift"].level == "page"
    world.release("d" * 64, 2)
    seen = look(world, declared(), 9)["drift"]
    assert seen.level == "insufficient_data"
    assert "late@2 answered 0 rows" in seen.says


def test_a_stale_source_pages_and_an_unknown_one_is_unknown(world, declared):
    assert look(world, declared(), 1, source_times={"sales": START - DAY * 3})["stale"].level == "page"
    assert look(world, declared(), 2, source_times=lambda: {"sales": None})["stale"].level == "insufficient_data"


def test_it_looks_when_due_and_never_twice(world, declared):
    spec = declared()
    assert look(world, spec, 1)
    assert look(world, spec, 1) == {}
    assert look(world, spec, 1, force=True) == {}
    world.clock.set(START + DAY * 1.5)
    half = {"now": START + DAY * 1.5, "actor": "test"}
    assert monitor.observe(world.store, spec, "health", **half) == []
    assert monitor.observe(world.store, spec, "health", **half, force=True) != []


def test_an_alarm_is_told_once_while_it_lasts(world, declared):
    for day in range(12):
        world.serve(day, shift=3.0)
    for day in range(8, 12):
        look(world, declared(), day)
    told = world.store.read(Audit, action="monitor.alarmed")
    assert [(entry.subject, entry.detail["kind"]) for entry in told] == [("monitor.health", "drift")]
    assert told[0].detail["why"].startswith("drift: distance")
    assert len(world.store.read(Audit, action="monitor.observed")) == 3


def test_one_day_of_another_world_is_a_warning_and_two_are_a_page(world, declared):
    for day in range(8):
        world.serve(day)
    world.serve(8, 300, shift=4.0)
    world.serve(9)
    assert [look(world, declared(), day)["drift"].level for day in (9, 10)] == ["warn", "warn"]
    world.serve(10, 300, shift=4.0)
    assert look(world, declared(), 11)["drift"].level == "page"


def test_profiles_are_built_once_and_a_look_reads_no_rows_of_old(world, declared, monkeypatch):
    for day in range(10):
        world.serve(day)
    assert monitor.profile_segments(world.store, "api") == 10
    assert monitor.profile_segments(world.store, "api") == 0
    assert all(segment.profile for segment in world.store.read(Segment))
    look(world, declared(quality=None), 9)
    monkeypatch.setattr(logged, "opened", None)
    assert look(world, declared(quality=None), 10)["drift"].level == "ok"


def test_a_mover_that_wrote_down_a_later_version_is_understood(world, declared):
    for day in range(4):
        world.serve(day)
    with world.store.transaction(actor="test", action="test.moved", subject="segment") as transaction:
        transaction.change(Segment, {"name": "day-1-c"}, table_version=3)
    assert look(world, declared(), 4)["drift"].detail["rows"] == 4 * 150


def test_show_gives_the_newest_first(world, declared):
    for day in (1, 2):
        look(world, declared(), day)
    shown = monitor.show(world.store, "health")
    assert shown["levels"]["stale"] == "ok"
    ends = [seen["end"] for seen in shown["observations"]]
    assert ends == sorted(ends, reverse=True)
    assert len(ends) == len(world.store.read(Observation))


def test_any_stretch_of_time_is_judged_from_profiles_alone(world, declared, monkeypatch):
    spec = declared()
    for day in range(20):
        world.serve(day, shift=0.0 if day < 10 else 3.0, labels=False)
    monitor.profile_segments(world.store, "api")
    monkeypatch.setattr(logged, "opened", None)
    health = spec.monitors["health"]
    early = monitor.between(world.store, "health", health, START, START + DAY * 10)
    late = monitor.between(world.store, "health", health, START + DAY * 10, START + DAY * 20)
    assert (early["rows"], late["rows"]) == (1500, 1500)
    assert early["releases"][0]["levels"]["drift"] == "ok"
    assert late["releases"][0]["levels"]["drift"] == "page"
    assert [each["column"] for each in late["releases"][0]["columns"]] == ["distance"]
    nothing = monitor.between(world.store, "health", health, START - DAY, START)
    assert (nothing["rows"], nothing["releases"]) == (0, [])
    with pytest.raises(InputError, match="before it begins"):
        monitor.between(world.store, "health", health, START, START)


def test_an_unknown_monitor_is_named(world, declared):
    with pytest.raises(NotFound, match="health"):
        monitor.observe(world.store, declared(), "helth", now=START, actor="test")


def test_the_days_of_a_release_that_began_midweek_are_no_drift_of_the_weekday(world, declared):
    world.weekly()
    seen = {}
    for day in range(12):
        world.serve(day, 24, weekday=True)
        seen[day + 1] = look(world, declared(window=DAY * 28, min_rows=48), day + 1)["drift"]
    assert [day for day, each in seen.items() if each.level == "insufficient_data"] == [1, 2, 3, 4, 5, 6]
    assert [each.level for day, each in seen.items() if day > 6] == ["ok"] * 6


@pytest.mark.parametrize(
    ("value", "error", "bounds", "own", "expected"),
    [
        (0.31, 0.027, {"max": 0.301, "tolerance": "10%"}, (0.273, 0.018), "info"),  # 760 rows, nothing changed
        (0.365, 0.024, {"max": 0.301, "tolerance": "10%"}, (0.273, 0.02), "warn"),
        (0.42, 0.027, {"max": 0.301, "tolerance": "10%"}, (0.273, 0.018), "page"),
        (0.40, 0.027, {"max": 0.301}, (0.273, 0.018), "page"),  # what is declared is certain
        (0.59, 0.02, {"min": 0.6}, (0.62, 0.01), "info"),
        (0.59, 0.008, {"min": 0.6}, (0.66, 0.01), "warn"),
        (0.59, 0.02, {"min": 0.6}, (0.58, 0.01), "warn"),  # the release itself does not keep it: no chance needed
        (0.59, 0.02, {"min": 0.6}, None, "warn"),
        (0.59, None, {"min": 0.6}, (0.62, 0.01), "warn"),
        (0.59, 0.002, {"min": 0.6}, None, "page"),
        (0.61, 0.02, {"min": 0.6}, None, "ok"),
    ],
)
def test_a_metric_out_of_bounds_by_chance_is_no_alarm(value, error, bounds, own, expected):
    declared = Quality.model_validate({"metric": "log_loss", **bounds})
    assert quality.level(declared, Estimate(value, error, 800), own) == expected


def test_the_rows_of_a_segment_are_found_whatever_signs_a_request_held(world):
    """Delta's log is a line of JSON each, and holds the smallest and largest text of every input."""
    table = world.store.table("predictions/api")
    version = table.append(pa.table({"at": [START], "in.kind": ["a\u2028b"]}))
    assert logged._added(table.directory, version) == [Path(path) for path in table.files()]
