"""What was answered a moment ago, read from the log while it grows; and which routes each gateway process runs."""

from __future__ import annotations

import os
from datetime import timedelta

from modelyard.serve import Tail, ejected, move, running
from modelyard.serve.reports import Report, place


def test_rows_are_there_before_they_are_moved_and_each_byte_is_read_once(yard, row):
    yard.deploy()
    gateway = yard.gateway()
    tail = Tail(yard.store, "late-api")
    assert tail.rows() == {}
    gateway.predict("late-api", rows=[row(), row(temp=11.0)])
    (rows,) = tail.rows().values()
    assert rows["prediction"].to_pylist() == [111.0, 112.0]
    assert not [name for name in rows.column_names if name.startswith("in.")]
    gateway.predict("late-api", rows=[row()])
    (again,) = tail.rows().values()
    assert len(again) == 3
    gateway.rotate()
    (segment,) = move(yard.store, "late-api")
    table = yard.store.table("predictions/late-api")
    span = ("at", yard.clock.now(), yard.clock.now() + timedelta(hours=1))
    paths, held = table.holding(span, [segment.name, "another"])
    assert (len(paths), held) == (1, {segment.name})
    assert tail.rows() == {}


def test_a_step_counts_when_every_living_process_runs_its_routes(yard):
    assert running(yard.store, "late-api", 3) == (True, None), "where nobody serves, nobody serves old routes"
    one, two = (Report(place(yard.store), yard.clock.now) for _ in range(2))
    one.tell({"late-api": 3})
    two.tell({"late-api": 2})
    assert running(yard.store, "late-api", 3) == (False, None)
    then = yard.clock.now() + timedelta(seconds=2)
    yard.clock.set(then)
    two.tell({"late-api": 3})
    yard.clock.set(then + timedelta(seconds=2))
    two.tell({"late-api": 3, "other": 1})
    assert running(yard.store, "late-api", 3) == (True, then)
    assert running(yard.store, "other", 1) == (False, None), "the first one does not serve it"
    two.tell({"late-api": 3, "other": 1}, {"late-api": ["b"]})
    assert (ejected(yard.store, "late-api"), ejected(yard.store, "other")) == ({"b"}, set())
    assert running(yard.store, "late-api", 3) == (True, then), "the same routes as before"
    one.close()
    assert running(yard.store, "other", 1)[0]
    assert two._lock is not None
    os.close(two._lock)  # as the kernel does with a process that dies
    assert running(yard.store, "late-api", 9) == (True, None)
    assert list(place(yard.store).iterdir()) == []
