"""The log: nothing acknowledged is lost, nothing is doubled, whatever dies when."""

from __future__ import annotations

import errno
import os
import threading

import numpy as np
import pytest

from modelyard.records import Segment
from modelyard.serve import Refusal, move
from modelyard.serve import log as logs
from modelyard.serve.frames import Entry, read, table
from modelyard.serve.log import Spool

SHAPES = {"r": {"x": "number"}}


def entry(number: int, **about) -> Entry:
    return Entry(id=f"q{number}", n=1, arm="champion", release="r", at=number, values=[1.0], inputs=[[2.0]], **about)


def spool(yard, durability="process", **how) -> Spool:
    return Spool(logs.directory(yard.store, "late-api"), durability, monotonic=yard.clock.monotonic, **how)


def moved(yard) -> list[str]:
    """The request ids in the table."""
    from modelyard.store import predictions

    found = predictions.rows_of_requests(yard.store, "late-api", [f"q{number}" for number in range(500)])
    return sorted(found)


def files(yard, pattern="*.log"):
    return sorted(logs.directory(yard.store, "late-api").glob(pattern))


@pytest.mark.parametrize("durability", ["process", "disk", "best_effort"])
def test_what_was_written_is_moved_once(yard, durability):
    log = spool(yard, durability)
    for number in range(3):
        log.write([entry(number)], SHAPES)
    assert move(yard.store, "late-api") == []  # its writer lives
    log.rotate()
    (segment,) = move(yard.store, "late-api")
    assert (segment.rows, segment.start.microsecond, segment.end.microsecond) == (3, 0, 2)
    assert files(yard) == []
    assert move(yard.store, "late-api") == []
    assert moved(yard) == ["q0", "q1", "q2"]


def test_only_best_effort_is_buffered(yard):
    for durability, there in [("process", 1), ("disk", 1), ("best_effort", 0)]:
        log = spool(yard, durability)
        segment, _ = log.write([entry(1)], SHAPES)
        path = logs.directory(yard.store, "late-api") / f"{segment}.log"
        assert sum(isinstance(each.frame, Entry) for each in read(path)) == there
        log.rotate()


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_tail_is_dropped(yard, cut):
    log = spool(yard)
    log.write([entry(0)], SHAPES)
    log.write([entry(1)], SHAPES)
    log.rotate()
    (path,) = files(yard)
    os.truncate(path, path.stat().st_size - cut)
    move(yard.store, "late-api")
    assert moved(yard) == ["q0"]


def test_a_damaged_frame_ends_the_segment(yard):
    log = spool(yard)
    log.write([entry(0)], SHAPES)
    log.write([entry(1)], SHAPES)
    log.rotate()
    (path,) = files(yard)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    move(yard.store, "late-api")
    assert moved(yard) == ["q0"]


def test_an_empty_segment_leaves_nothing(yard):
    place = logs.directory(yard.store, "late-api")
    place.mkdir(parents=True)
    (place / "x.log").write_bytes(b"torn")
    assert move(yard.store, "late-api") == []
    assert files(yard) == []


class Crash(Exception):
    """The process dies here."""


def dies(*_, **__):
    raise Crash


@pytest.mark.parametrize(
    "target",
    [
        "modelyard.serve.moving.frames.table",
        "modelyard.serve.moving._record",
        "modelyard.serve.moving._note",
        "pathlib.Path.unlink",
    ],
)
def test_a_crash_while_moving_loses_and_doubles_nothing(yard, monkeypatch, target):
    log = spool(yard)
    log.write([entry(0, body="d"), entry(1)], SHAPES)
    log.rotate()
    with monkeypatch.context() as patch:
        patch.setattr(target, dies)
        with pytest.raises(Crash):
            move(yard.store, "late-api")
    move(yard.store, "late-api")
    assert files(yard) == []
    assert len(yard.store.read(Segment)) == 1
    assert yard.store.table("predictions/late-api").scan().count(".parquet") == 1
    assert moved(yard) == ["q0", "q1"]


def test_a_fenced_move_is_refused_to_a_sleeper(yard):
    from modelyard.errors import LeaseLost

    log = spool(yard)
    log.write([entry(0)], SHAPES)
    log.rotate()
    with yard.store.lease("tick") as held:
        pass
    with yard.store.lease("tick"), pytest.raises(LeaseLost):
        move(yard.store, "late-api", fence=held)
    move(yard.store, "late-api")
    assert moved(yard) == ["q0"]


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_a_full_disk_refuses_and_recovers(yard, monkeypatch, durability):
    log = spool(yard, durability)
    log.write([entry(0)], SHAPES)
    real, calls = os.write, []

    def full(handle, data):
        calls.append(1)
        if len(calls) == 1:
            return real(handle, data[:7])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Refusal) as refused:
            log.write([entry(1)], SHAPES)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "log_unavailable", 1)
    log.write([entry(2)], SHAPES)
    log.rotate()
    move(yard.store, "late-api")
    assert moved(yard) == ["q0", "q2"]


def test_after_a_failed_fsync_a_new_segment_is_begun(yard, monkeypatch):
    log = spool(yard, "disk")
    first, _ = log.write([entry(0)], SHAPES)

    def fails(_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fails)
        with pytest.raises(Refusal):
            log.write([entry(1)], SHAPES)
    second, _ = log.write([entry(2)], SHAPES)
    assert second != first


def test_one_sync_serves_all_who_wait(yard, monkeypatch):
    log = spool(yard, "disk")
    log.write([entry(0)], SHAPES)
    real, syncs, waiting = os.fdatasync, [], threading.Event()

    def slow(handle):
        syncs.append(1)
        waiting.wait(5)
        real(handle)

    monkeypatch.setattr(os, "fdatasync", slow)
    threads = [threading.Thread(target=log.write, args=([entry(number)], SHAPES)) for number in range(1, 20)]
    for thread in threads:
        thread.start()
    while log._size < 19 * 100:
        waiting.wait(0.001)
    waiting.set()
    for thread in threads:
        thread.join()
    assert len(syncs) <= 3


def test_an_answer_is_not_given_when_it_cannot_be_logged(yard, row, monkeypatch):
    yard.deploy()
    gateway = yard.gateway()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Refusal) as refused:
            gateway.predict("late-api", rows=[row()], request_id="mine")
    assert refused.value.code == "log_unavailable"
    assert gateway.predict("late-api", rows=[row()], request_id="mine").predictions == [111.0]


def test_an_input_that_changes_its_type_with_a_release_is_widened(yard):
    shapes = {"r": {"x": "integer"}, "s": {"x": "number"}, "t": {"x": "category"}}
    for number, (release, value) in enumerate([("r", 1), ("s", 1.5), ("t", "one"), ("r", 3)]):
        log = spool(yard)
        log.write(
            [Entry(id=f"q{number}", n=1, arm="a", release=release, at=number, values=[1.0], inputs=[[value]])], shapes
        )
        log.rotate()
        move(yard.store, "late-api")
        move(yard.store, "late-api")
    from datetime import UTC, datetime

    from modelyard.store import predictions

    found = predictions.window(
        yard.store, "late-api", start=datetime(1970, 1, 1, tzinfo=UTC), end=datetime(1971, 1, 1, tzinfo=UTC)
    )
    assert found["in.x"].to_pylist() == ["1", "1.5", "one", "3"]


def test_widening_keeps_rows_that_another_mover_adds_meanwhile(yard, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from modelyard.serve import moving
    from modelyard.serve.frames import Shape

    def rows(request, value):
        return table([
            Shape("r", {"x": "category" if isinstance(value, str) else "integer"}),
            Entry(id=request, n=1, arm="c", release="r", at=0, values=[1.0], inputs=[[value]]),
        ])  # fmt: skip

    moving.append(yard.store, "late-api", rows("a", 1), "one")
    meanwhile = [lambda: moving.append(yard.store, "late-api", rows("b", 2), "two")]
    read = parquet.read_table

    def slow(path):
        found = read(path)
        while meanwhile:
            meanwhile.pop()()
        return found

    monkeypatch.setattr(parquet, "read_table", slow)
    moving.append(yard.store, "late-api", rows("c", "three"), "three")
    there = yard.store.table("predictions/late-api")
    kept = pa.concat_tables([read(path) for path in there.files()], promote_options="permissive")
    assert sorted(kept["in.x"].to_pylist()) == ["1", "2", "three"]


def test_entries_of_different_releases_share_a_table():
    from modelyard.serve.frames import Shape

    rows = table([
        Shape("r", {"x": "integer"}), Entry(id="a", n=2, arm="c", release="r", at=0, rows=[3, 5], inputs=[[1, None]]),
        Shape("s", {"x": "number", "y": "category"}), Entry(id="b", n=1, arm="c", release="s", at=[9], inputs=[[1.5], ["k"]]),
        Entry(id="b", n=1, arm="d", release="s", at=9, role="shadow", errors=[(0, "model_failed")]),
    ])  # fmt: skip
    assert rows["in.x"].to_pylist() == [1.0, None, 1.5, None]
    assert rows["in.y"].to_pylist() == [None, None, "k", None]
    assert rows["row"].to_pylist() == [3, 5, 0, 0]
    assert rows["error"].to_pylist() == ["", "", "", "model_failed"]


def test_numbers_packed_as_bytes_and_listed_ones_share_a_column():
    from modelyard.serve.frames import Many, Shape

    packed = np.array([1.5, np.nan]).tobytes()
    many = Many(ids=["a", "b"], n=2, arm="c", release="r", at=0, ms=[1.0, 1.0], values=packed, inputs=[packed])
    shadow = Entry(id="c", n=1, arm="d", release="r", at=0, role="shadow")
    listed = Entry(id="d", n=1, arm="c", release="r", at=0, inputs=[[2.5]])
    numbers, words = Shape("r", {"x": "number"}), Shape("s", {"x": "category"})
    assert table([numbers, many, shadow, many])["in.x"].to_pylist() == [1.5, None, None, 1.5, None]
    assert table([numbers, many, shadow, listed])["in.x"].to_pylist() == [1.5, None, None, 2.5]
    named = Entry(id="e", n=1, arm="c", release="s", at=0, inputs=[["k"]])
    assert table([numbers, many, words, named])["in.x"].to_pylist() == ["1.5", None, "k"]
