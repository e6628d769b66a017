"""A model that fades is retrained before its metric leaves its bounds; a state that comes back is recognised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from modelyard import monitor, triggers
from modelyard.monitor import describe
from modelyard.records import Observation, Request, Run
from modelyard.spec.types import Spec
from modelyard.stats import Profile

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OFF = {"enabled": False}
QUIET = {"concept": OFF, "slices": OFF, "calibration": OFF, "estimate": OFF, "software": OFF}


def test_a_planted_decay_asks_for_a_retraining_before_the_floor_is_met(world, declared):
    declaration = declared(
        window=DAY, min_rows=100, quality={"metric": "roc_auc", "min": 0.6}, drift={"enabled": False}, **QUIET
    )
    trigger = {"model": "late", "when": {"decay": {"before": "30d"}}, "cooldown": "7d"}
    spec = Spec.model_validate(
        {**declaration.model_dump(by_alias=True, exclude_unset=True), "triggers": {"ahead": trigger}}
    )
    with world.store.transaction(actor="test", action="run.done", subject="model.late") as transaction:
        run = {"key": "1", "model": "late", "state": "done", "started": START - DAY, "ended": START - DAY}
        transaction.add(Run(**run, as_of=START - DAY, params={}))
    asked = None
    for day in range(42):
        world.serve(day, 500, turned=0.008 * day)
        now = START + DAY * (day + 1)
        world.clock.set(now)
        monitor.profile_segments(world.store, "api")
        monitor.observe(world.store, spec, "health", now=now, actor="test", source_times={"sales": now})
        if triggers.run(world.store, spec, now=now, actor="test"):
            asked = day
            break
    assert asked is not None
    (request,) = world.store.read(Request)
    assert (request.kind, request.subject) == ("retrain", "late") and "reaches 0.6" in request.why
    values = [each.detail.get("value") for each in world.store.read(Observation, kind="quality", order="end")]
    assert min(value for value in values if value is not None) > 0.6, "ahead of the floor"
    said = world.store.read(Observation, kind="decay", order="end", descending=True, limit=1)[0]
    assert START + DAY * asked < datetime.fromisoformat(said.detail["crosses"]) < START + DAY * 60


def test_a_state_that_was_there_before_is_said_to_recur(world, declared):
    spec = declared(window=2 * DAY, min_rows=200, quality=None, **QUIET)
    told = []
    for day in range(20):
        world.serve(day, 200, shift=3.0 if 4 <= day < 8 or day >= 14 else 0.0, labels=False)
        now = START + DAY * (day + 1)
        world.clock.set(now)
        monitor.profile_segments(world.store, "api")
        seen = monitor.observe(world.store, spec, "health", now=now, actor="test", source_times={"sales": now})
        told += [each for each in seen if each.kind == "drift" and each.detail.get("changed")]
    first, second = told[0].detail["changed"][0], told[-1].detail["changed"][0]
    assert (first["column"], second["column"]) == ("distance", "distance")
    assert first["change"] != "recurring" and first["began"].startswith("2024-03-05")
    assert second["change"] == "recurring" and second["began"].startswith("2024-03-15")
    assert "2024-03-06" < second["like"] < "2024-03-10"


def test_values_that_were_never_seen_tell_the_day_and_those_that_always_come_do_not():
    """Each day brings a few new customers; from the last day on there is a new country, too."""
    rng = np.random.default_rng(3)
    numbers = iter(range(1_000_000))

    def day(rows, new=0.0):
        names = [f"c{next(numbers)}" if each < 0.05 else f"k{int(each * 20)}" for each in rng.random(rows)]
        country = np.where(rng.random(rows) < new, "z", rng.choice(["a", "b", "c"], rows))
        return pa.table({"customer": names, "country": country})

    known = Profile.of(day(8_000))
    week = [Profile.of(day(150), reference=known) for _ in range(6)]
    week.append(Profile.of(day(150, new=0.15), reference=known))
    window = Profile.merge(week)

    def days(name):
        column = known.columns[name]
        towards = describe._direction(column, window.columns[name].tally)
        usual = float(describe._known(column) @ towards / describe._known(column).sum())
        return [describe._score(column, each.columns[name], towards)[0] - usual for each in week]

    *calm, last = days("country")
    assert last > 5 * max(map(abs, calm))
    assert max(map(abs, days("customer"))) < 0.3, "new ones are usual there, from the first day on"
    cells = [describe._cells(known.columns["country"], each.columns["country"].tally) for each in week]
    pairs = [describe._apart(cells[a], cells[b]) for a in range(6) for b in range(a)]
    assert abs(np.mean(pairs)) < 0.005, "what chance alone makes of two samples is taken off"
    assert np.mean([describe._apart(cells[6], each) for each in cells[:6]]) > 0.015
