"""A window of whole days is the same whether rows are profiled by hour or by day."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc

from modelyard.monitor import logged, reference, segments
from modelyard.records import Segment
from modelyard.stats import Profile

START = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_windows_of_whole_days_are_the_same_from_profiles_by_day(world, monkeypatch):
    release = reference.champion(world.store, "api")
    world.serve(0)
    (segment,) = world.store.read(Segment)
    with logged.opened(world.store, segment) as held:
        rows = held.read(held.names)
    three = pa.concat_tables(
        rows.set_column(
            rows.column_names.index("at"), "at", pc.add(rows["at"], pa.scalar(DAY * day, pa.duration("us")))
        )
        for day in range(3)
    )
    told = [name for name in rows.column_names if not name.startswith("in.")]
    inputs = [name for name in rows.column_names if name.startswith("in.")]
    longer = SimpleNamespace(read=three.select, columns=lambda: [told, inputs])
    monkeypatch.setattr(logged, "opened", lambda store, segment: nullcontext(longer))
    world.clock.set(START + DAY * 3)

    def window(grain):
        digest = world.store.blobs.put(segments._encode(segments._profile(world.store, segment, grain)))
        with world.store.transaction(actor="test", action="test.profiled", subject="segment") as tx:
            tx.change(Segment, {"name": segment.name}, profile=digest, end=START + DAY * 3)
        return segments.stretches(world.store, "api", release, START + DAY, START + DAY * 3)

    hours, days = window(timedelta(hours=1)), window(DAY)
    assert len(days) == 2 < len(hours)
    assert (days[0].start, days[-1].end) == (hours[0].start, hours[-1].end)
    whole, same = (Profile.merge([each.profile for each in found]) for found in (hours, days))
    assert whole.rows == same.rows == 2 * 150
    for name, column in whole.columns.items():
        assert (column.tally.cells == same.columns[name].tally.cells).all()
