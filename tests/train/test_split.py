"""Rows are cut by time or at random; what is not known yet, or too young, is left out and counted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import DataError
from modelyard.spec.models import Split
from modelyard.train import split
from modelyard.train.delay import quantiles

START = datetime(2013, 1, 1, tzinfo=UTC)
STAMP = pa.timestamp("us", "UTC")


@dataclass
class Frame:
    table: pa.Table
    time: str | None = "at"
    target: str = "late"
    known_at: str = "__known_at"


def days(count, *, delay=lambda i: timedelta(hours=6), label=lambda i: i % 3 == 0, per_day=10):
    at = [START + timedelta(days=i // per_day, minutes=i % per_day) for i in range(count * per_day)]
    known = [t + delay(i) if delay(i) is not None else None for i, t in enumerate(at)]
    labels = [label(i) for i in range(len(at))]
    return Frame(pa.table({"at": pa.array(at, STAMP), "late": labels, "__known_at": pa.array(known, STAMP)}))


def at(frame, rows):
    return frame.table.column("at").take(pa.array(rows)).to_pylist()


def test_the_last_fortnight_is_for_judging():
    frame = days(60)
    cut = split(
        frame, Split(test=timedelta(days=14), mature=timedelta(days=1)), as_of=START + timedelta(days=60), seed=7
    )
    assert min(at(frame, cut.test)) >= max(at(frame, cut.train))
    assert max(at(frame, cut.test)) - min(at(frame, cut.test)) < timedelta(days=14)
    assert max(at(frame, cut.test)) <= START + timedelta(days=59)
    assert cut.left_out == {"younger than mature": 9}
    assert (len(cut.train), len(cut.test)) == (451, 140)


def test_by_default_a_fifth_by_time_and_mature_after_most_labels_came():
    frame = days(100, delay=lambda i: timedelta(hours=6 if i % 10 else 48))
    cut = split(frame, Split(), as_of=START + timedelta(days=100), seed=7)
    assert cut.by == "time"
    assert cut.delay == {"p50": 6 * 3600, "p95": 48 * 3600}
    assert cut.mature == 48 * 3600
    assert len(cut.test) == pytest.approx(0.2 * (len(cut.test) + len(cut.train)), abs=10)


def test_rows_whose_label_never_came_are_counted_and_do_not_make_labels_look_late():
    frame = days(100, delay=lambda i: None if i % 4 == 0 else timedelta(hours=5))
    cut = split(frame, Split(), as_of=START + timedelta(days=200), seed=7)
    assert cut.left_out == {"label unknown": 250}
    assert cut.delay["p95"] == 5 * 3600


def test_what_is_known_later_than_now_is_unknown():
    frame = days(50, delay=lambda i: timedelta(days=20))
    as_of = START + timedelta(days=40)
    cut = split(frame, Split(mature=timedelta(0)), as_of=as_of, seed=7)
    assert max(at(frame, cut.all)) <= as_of - timedelta(days=20)


def test_labels_known_at_once_are_mature_at_once():
    frame = days(20, delay=lambda i: timedelta(0))
    cut = split(frame, Split(), as_of=START + timedelta(days=30), seed=7)
    assert cut.mature == 0 and cut.left_out == {}


def test_rows_of_one_time_are_not_divided():
    frame = days(10, per_day=1)
    stamps = pa.array([START + timedelta(days=i // 25) for i in range(100)], STAMP)
    frame.table = pa.table({"at": stamps, "late": [i % 2 for i in range(100)], "__known_at": stamps})
    cut = split(frame, Split(test=0.1), as_of=START + timedelta(days=30), seed=7)
    assert (len(cut.train), len(cut.test)) == (75, 25)


@given(st.integers(0, 2**32), st.floats(0.05, 0.6))
def test_a_random_cut_divides_all_rows_and_follows_the_seed(seed, share):
    frame = Frame(days(20).table, time=None)
    cut, again = (
        split(frame, Split(by="random", test=share), as_of=START + timedelta(days=60), seed=seed) for _ in "ab"
    )
    assert np.array_equal(cut.test, again.test)
    assert np.array_equal(cut.all, np.arange(200))
    assert len(cut.test) == round(200 * share)


@pytest.mark.parametrize(
    ("frame", "how", "says"),
    [
        (days(1, per_day=5), Split(), "only 5 of 5 rows can be trained on"),
        (days(20, delay=lambda i: None), Split(), r"only 0 of 200 rows can be trained on \(200 label unknown\)"),
        (days(20, label=lambda i: True), Split(), "all 160 training rows have the same label, True"),
        (days(20), Split(test=timedelta(days=60)), "only 0 rows are left to train on, 200 are kept to test"),
        (days(20), Split(test=0.0), "no rows are left to test on"),
        (days(20), Split(by="random", test=timedelta(days=1)), "a random split has no duration"),
        (Frame(days(20).table, time=None), Split(by="time"), "needs a dataset with a `time`"),
    ],
)
def test_what_cannot_be_cut_says_why(frame, how, says):
    with pytest.raises(DataError, match=says):
        split(frame, how, as_of=START + timedelta(days=60), seed=7)


def test_waiting_rows_count_as_at_least_this_long():
    delays = np.array([1.0] * 50 + [100.0] * 10)
    waiting = np.array([5.0] * 40)
    assert quantiles(delays, np.array([]), [0.5, 0.95]) == [1.0, 100.0]
    assert quantiles(np.array([1.0] * 90 + [100.0] * 4), waiting, [0.5, 0.95]) == [1.0, 100.0]
