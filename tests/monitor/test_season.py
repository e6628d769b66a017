"""A window is judged by the same hours of the week, in what the release learnt and in its own first calm weeks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelyard import monitor
from modelyard.digest import canonical
from modelyard.monitor import season
from modelyard.records import Release
from modelyard.stats import Profile

START = datetime(2024, 3, 1, tzinfo=UTC)  # a Friday
DAY = timedelta(days=1)
CHAMPION = "c" * 64


def trained(world, *, sample=True, rows=96):
    """A release that learnt ten weeks of so many rows a day, dear at weekends, with the weekday among its inputs."""
    times = [START - DAY * 70 + DAY * (i / rows) for i in range(70 * rows)]
    weekend = np.array([at.isoweekday() > 5 for at in times])
    distance = 10 + world.rng.normal(0, 2, len(times)) + 4 * weekend
    table = pa.table(
        {
            "distance": distance,
            "kind": world.rng.choice(["a", "b"], len(times), p=[0.7, 0.3]),
            "weekday": [at.isoweekday() for at in times],
            "prediction": 1 / (1 + np.exp(10 + 4 * weekend - distance)),
        }
    )
    stamps = pa.chunked_array([pa.array(times, pa.timestamp("us", "UTC"))])
    world.reference = world.store.blobs.put(canonical(Profile.of(table, time=stamps).to_json()))
    body = {"reference": world.reference}
    if sample:
        body["sample"] = world.store.blobs.put(monitor.sample(table, stamps))
    with world.store.transaction(actor="test", action="release.changed", subject="late@1") as transaction:
        transaction.change(Release, {"digest": CHAMPION}, body=body)


def serve(world, day, n=240, *, shift=0.0):
    weekend = (START + DAY * day).isoweekday() > 5
    world.serve(day, n, shift=shift + 4 * weekend, weekday=True, labels=False)


def look(world, spec, day):
    world.clock.set(START + DAY * day)
    monitor.profile_segments(world.store, "api")
    seen = monitor.observe(world.store, spec, "health", now=START + DAY * day, actor="test", source_times={})
    return next(each for each in seen if each.kind == "drift")


def quiet(declared, **more):
    """The inputs alone."""
    off = {"enabled": False}
    kept = {"drift": {"joint": False}, "concept": off, "slices": off, "calibration": off, "estimate": off}
    return declared(quality=None, **kept, **more)


def test_a_sunday_is_a_sunday(world, declared):
    trained(world)
    spec = quiet(declared, window=DAY)
    found = {}
    for day in range(10):
        serve(world, day)
        found[day] = look(world, spec, day + 1)
    assert {day: each.says for day, each in found.items() if each.level not in ("ok", "info")} == {}
    assert "same_hours" in found[0].detail, "the training rows have their times"


def test_the_picture_shows_the_reference_that_was_judged_against(world, declared):
    """On a Sunday: Sundays, whose distances lie around 14, not all days (11)."""
    trained(world)
    spec = quiet(declared, window=DAY)
    serve(world, 2, shift=6.0)
    assert look(world, spec, 3).level in ("warn", "page")
    for monitor_, centre in ((spec.monitors["health"], 14), (None, 11)):
        drawn = monitor.show(world.store, "health", monitor_)["pictures"]
        (distance,) = [each for each in drawn if each["column"] == "distance"]
        edges, shares = np.array(distance["edges"]), np.array(distance["before"])
        assert abs(((edges[1:] + edges[:-1]) / 2) @ shares / shares.sum() - centre) < 0.8


@pytest.mark.parametrize(("reference", "moved"), [("seasonal", False), ("training", True)])
def test_a_week_of_holidays_moves_no_weekday(world, declared, reference, moved):
    trained(world)
    for day in range(3, 10):  # Monday to Sunday, of which Wednesday to Friday nobody works
        serve(world, day, 24 if day in (5, 6, 7) else 240)
    seen = look(world, quiet(declared, reference=reference), 10)
    assert ("weekday" in {each["column"] for each in seen.detail["columns"]}) is moved
    assert (seen.level in ("warn", "page")) is moved


def test_without_times_of_training_the_first_calm_weeks_are_learnt_and_no_more_than_eight(world, declared):
    trained(world, sample=False, rows=160)
    spec = quiet(declared, window=DAY)
    used = {}
    for day in range(64):
        serve(world, day, 220, shift=30.0 if 14 <= day < 16 else 0.0)
        if day % 7 == 6 or day in (14, 15):
            used[day] = look(world, spec, day + 1)
    assert used[14].level in ("warn", "page")
    first = used[13].detail["weeks"]["begun"]
    assert len(first) == 1, "a week is learnt when it was over before the window began"
    assert "same_hours" not in used[34].detail and "same_hours" in used[48].detail
    begun = [datetime.fromisoformat(each) for each in used[62].detail["weeks"]["begun"]]
    assert START + DAY * 14 not in begun, "a week with an alarm is not usual"
    assert used[62].level in ("ok", "info")
    assert len(begun) <= season.LEARNT


def test_a_small_fault_of_a_monday_is_seen_once_mondays_are_known(world, declared):
    trained(world)
    spec = quiet(declared, window=DAY)
    for day in range(64):
        serve(world, day, 240)
        if day % 7 == 2:
            look(world, spec, day + 1)
    serve(world, 66, 240, shift=2.0)  # Monday, half as much as a weekend
    last = look(world, spec, 67)
    assert last.level in ("warn", "page"), last.says
    serve(world, 67, 240)
    assert look(world, spec, 68).level in ("ok", "info")
