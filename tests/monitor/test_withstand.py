"""Whatever comes into a window or lies in a reference: a verdict, or insufficient data with the reason; never a crash."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard import monitor
from modelyard.monitor import inputs
from modelyard.monitor.observe import Past
from modelyard.monitor.past import past
from modelyard.records import Label, Release
from modelyard.stats import Profile
from modelyard.store import open_store

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = 700
RELEASE = Release(digest="d", model="late", number=1, created=START, as_of=START, author="a", state="live", body={})


def column(seed=1):
    return pa.array(np.random.default_rng(seed).normal(10, 2, ROWS))


STRANGE = {
    "all null": (pa.nulls(ROWS), "missing", "missing 0.0% → 100.0%"),
    "null numbers": (pa.nulls(ROWS, pa.float64()), "missing", "missing 0.0% → 100.0%"),
    "constant": (pa.array([10.0] * ROWS), "drift", "one value"),
    "infinite": (pa.array([np.inf, -np.inf, 10.0, 11.0, 9.0, 8.0, 12.0] * 100), "missing", "infinite 0.0% →"),
    "huge": (pa.array([1e308, -1e308] * (ROWS // 2)), "drift", "out of the known range"),
    "words": (pa.array([f"word {i % 9}" for i in range(ROWS)]), "schema", "100.0% unreadable"),
    "some words": (pa.array(["n/a" if i % 10 == 0 else "10.5" for i in range(ROWS)]), "schema", "10.0% unreadable"),
    "ten thousand categories": (pa.array([f"v{i}" for i in range(ROWS)]), "schema", "unreadable"),
    "lists": (pa.array([[1.0, 2.0]] * ROWS), "schema", "100.0% unreadable"),
    "times": (pa.array([START] * ROWS), "schema", "came as timestamp"),
    "booleans": (pa.array([True, False] * (ROWS // 2)), "drift", "median"),
}


def judged(declared, known, window):
    reference = Profile.of(pa.table({"distance": known}))
    found = Profile.of(pa.table(window), reference)
    health = declared().monitors["health"]
    seen = inputs.judge(health, RELEASE, reference, found, found, span=7 * DAY, kinds=list(inputs.KINDS))
    json.dumps([each.detail for each in seen], allow_nan=False)
    return {each.kind: each for each in seen}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_window_is_told_by_its_kind(declared, name):
    values, kind, said = STRANGE[name]
    seen = judged(declared, column(), {"distance": values})
    assert seen[kind].level == ("warn" if name == "times" else "page")
    assert "distance" in seen[kind].says and said in seen[kind].says


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("now", ["itself", "plain"])
def test_a_strange_reference_gives_a_verdict_on_every_kind(declared, name, now):
    values = STRANGE[name][0]
    seen = judged(declared, values, {"distance": values if now == "itself" else column()})
    if now == "itself":
        assert {each.level for kind, each in seen.items() if kind != "duplicates"} == {"ok"}
    else:
        assert all(each.says for each in seen.values())
        assert "page" in {seen[kind].level for kind in ("drift", "missing", "schema")}


def test_a_category_that_training_lacked_and_ten_thousand_of_them(declared):
    known = pa.array(["red", "green"] * (ROWS // 2))
    new = judged(declared, known, {"distance": pa.array(["red", "green", "blue", "red"] * (ROWS // 4))})["drift"]
    assert new.level == "page" and "25.0% of values were never seen before ('blue')" in new.says
    many = judged(declared, known, {"distance": pa.array([f"c{i}" for i in range(10_000)])})["drift"]
    assert many.level == "page" and len(json.dumps(many.detail)) < 2_000


def test_columns_that_went_and_came_are_the_schema(declared):
    seen = judged(declared, column(), {"distanze": column(2)})
    assert seen["schema"].level == "page"
    assert "distance is gone" in seen["schema"].says and "distanze" in str(seen["schema"].detail)


@pytest.mark.parametrize("rows", [0, 3])
def test_a_handful_of_rows_is_insufficient_data_with_the_reason(world, declared, rows):
    if rows:
        world.serve(0, n=rows)
    seen = look(world, declared(), 1)
    for kind in ("drift", "units", "missing", "schema", "duplicates"):
        assert seen[kind].level == "insufficient_data"
        assert f"answered {rows} rows in the window, 200 are needed" in seen[kind].says


def look(world, spec, day):
    world.clock.set(START + DAY * day)
    monitor.profile_segments(world.store, "api")
    times = {"sales": START + DAY * day}
    seen = monitor.observe(world.store, spec, "health", now=START + DAY * day, actor="test", source_times=times)
    return {each.kind: each for each in seen}


def test_segments_that_come_late_and_out_of_order_count_like_any(world, declared):
    for day in (0, 3, 1, 4, 6, 5):
        world.serve(day)
    assert look(world, declared(), 7)["drift"].detail["rows"] == 6 * 150
    world.serve(2, shift=20.0)
    late = look(world, declared(), 8)
    assert late["drift"].detail["rows"] == 6 * 150, "of the week before"
    assert late["drift"].level in ("warn", "page") and "distance" in late["drift"].says


def test_a_segment_that_is_written_twice_counts_once(world, declared):
    for day in range(7):
        world.serve(day)
    log = world.store.table("predictions/api")
    log.append(pq.read_table(log.files()[3]), once="day-3-c")
    assert look(world, declared(), 7)["drift"].detail["rows"] == 7 * 150
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in log.files()) == 7 * 150


def test_a_clock_that_runs_backwards_is_waited_for_and_rows_of_days_to_come_are_of_no_window(world, declared):
    for day in range(12):
        world.serve(day)
    assert look(world, declared(), 10)["drift"].detail["rows"] == 7 * 150
    assert look(world, declared(), 9.5) == {}, "nobody looks twice at the same time"
    again = look(world, declared(), 11)["drift"]
    assert (again.level, again.detail["rows"]) == ("ok", 7 * 150)


def test_after_a_clock_that_ran_far_ahead_a_monitor_is_not_blind_until_then(world, declared, tmp_path):
    """Looks of days that have not come count for nothing: neither now, nor in the course, nor when that time has come."""
    for day in range(14):
        world.serve(day, shift=8.0 if day >= 11 else 0.0)
    assert look(world, declared(), 10)["drift"].level == "ok"
    assert look(world, declared(), 10 + 400)["drift"].level == "insufficient_data"
    assert look(world, declared(), 10) == {}
    assert look(world, declared(), 13)["drift"].level in ("warn", "page")
    assert look(world, declared(), 13) == {}, "nobody looks twice at the same time"
    shown = monitor.show(world.store, "health")
    assert shown["levels"]["drift"] in ("warn", "page") and shown["observations"][0]["end"][:10] == "2024-03-14"
    assert look(world, declared(), 14)["drift"].level in ("warn", "page")
    with open_store(tmp_path / "home", project="shop", clock=world.clock) as again:
        found = past(again, "health", "drift", START, Past.of, until=START + 500 * DAY)
    assert [(end - START) / DAY for end, _ in found] == [10, 13, 14]


def test_labels_of_answers_that_nobody_gave_are_of_no_account(world, declared):
    for day in range(10):
        world.serve(day)
    with world.store.transaction(actor="test", action="labels.taken", subject="deployment.api") as transaction:
        transaction.add_all(
            Label(deployment="api", request_id=name, row=row, label=0.0, time=START + DAY, received=START + DAY)
            for name in ("nobody", "day-3-c")
            for row in range(1_000, 1_400)
        )
    seen = look(world, declared(), 10)
    assert seen["quality"].level == "ok" and seen["concept"].level == "ok"
    assert seen["quality"].detail["rows"] <= 8 * 150
