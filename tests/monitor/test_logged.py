"""What is profiled of logged rows: inputs as they came, and the model's own answers."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.monitor import logged, served
from modelyard.stats import Profile
from modelyard.stats.performance import Performance

CLASSES = ("calm", "windy", "stormy")
NOW = datetime(2024, 3, 1, tzinfo=UTC)
INPUTS = pa.table({"x": [1.0, 2.0, 3.0, 4.0, 5.0], "c": ["red", "blue", "red", "blue", "red"]})


def told(*missing, kept=()):
    named = [{"pointer": f"/rows/0/{name}", "code": "missing", "input": name} for name in missing]
    return json.dumps([*named, *({"pointer": f"/{name}", "code": "out_of_range", "input": name} for name in kept)])


ROWS = pa.table(
    {
        "at": pa.array([NOW] * 5, pa.timestamp("us", "UTC")),
        "release": ["one", "two", "one", "one", "one"],
        "role": ["answer", "answer", "answer", "answer", "shadow"],
        "prediction": [0.1, 0.2, None, 0.4, 0.5],
        "predictions": pa.array([None] * 5, pa.list_(pa.float64())),
        "fallback": [False, False, False, True, False],
        "warnings": [told("x"), told(), told(kept=("x",)), told("x", "c"), told()],
        **{f"in.{name}": INPUTS[name] for name in INPUTS.column_names},
    }
)


def test_each_release_is_counted_by_what_it_answered_itself():
    assert {digest: own.to_pylist() for digest, own in logged.answers(ROWS)} == {
        "one": [True, False, True, True, False],
        "two": [False, True, False, False, False],
    }
    assert list(logged.answers(ROWS.slice(2, 2))) == [("one", None)]


@pytest.mark.parametrize("encoded", [False, True])
def test_what_the_policy_filled_in_counts_as_missing(encoded):
    known = Profile.of(INPUTS)
    (digest, own), _ = logged.answers(ROWS)
    part = logged.Part(digest, own, ROWS.filter(own), known, (), (logged.GRAIN, NOW))
    part.add("x", ROWS["in.x"])
    part.add("c", ROWS["in.c"].dictionary_encode() if encoded else ROWS["in.c"])
    (group,) = part.groups()
    found = Profile.from_json(group["profile"], known)
    assert (found.rows, found.columns["x"].tally.nulls, found.columns["c"].tally.nulls) == (3, 2, 1)
    assert group["hour"] == NOW.isoformat() and group["hours"] == 1


def test_answers_of_the_fallback_are_none_of_the_model():
    for classes in ((), ("no", "yes")):
        assert logged.prediction(ROWS, classes).to_pylist() == [0.1, 0.2, None, None, 0.5]


def test_of_several_classes_the_likeliest_is_profiled():
    given = [[0.2, 0.7, 0.1], [0.5, 0.2, 0.3], [], [0.0, 0.1, 0.9], None]
    rows = ROWS.set_column(4, "predictions", pa.array(given, pa.list_(pa.float64())))
    assert logged.prediction(rows, CLASSES).to_pylist() == ["windy", "calm", None, None, None]


def test_a_column_that_a_file_has_not_is_null_there(tmp_path):
    for number, table in enumerate((ROWS, ROWS.drop_columns(["in.c"]))):
        pq.write_table(table, tmp_path / f"{number}.parquet")
    with ExitStack() as held:
        files = [held.enter_context(pq.ParquetFile(path)) for path in sorted(tmp_path.iterdir())]
        rows = logged.Rows(files)
        assert rows.columns()[1:] == [["in.x", "in.c"]]
        assert rows.read(["in.c"])["in.c"].to_pylist() == [*INPUTS["c"].to_pylist(), *[None] * 5]
        some = logged.Rows(files, pa.chunked_array([[False] * 9 + [True]]))
        assert some.read(["in.c", "in.x"]).to_pylist() == [{"in.c": None, "in.x": 5.0}]


def test_hours_of_several_classes_are_counted_by_the_probability_of_the_likeliest():
    known = Performance("multiclass_classification", 0, 0, 0, 0, 1, 1, grid=(0.5, 0.8))
    answers = pa.table(
        {
            "at": pa.array([0, 60_000_000, 3_600_000_000, 3_600_000_001, 7_200_000_000], pa.timestamp("us", "UTC")),
            "row": [0, 1, 0, 0, 0],
            "predictions": pa.array([[0.2, 0.7, 0.1], [0.6, 0.2, 0.2], [0.9, 0.1, 0.0], None, [0.3, 0.3, 0.4]]),
            "fallback": [False, False, False, False, True],
            "error": ["", "", "", "failed", ""],
            "latency_ms": [1.0, 1.0, 4.0, None, 9.0],
        }
    )
    first, second, third = map(served.Served.from_json, served.count(answers, "r" * 64, known))
    assert [first.rows, second.rows, third.rows] == [2, 2, 1]
    assert [first.errors, second.errors, third.fallbacks] == [0, 1, 1]
    assert first.scores.tolist() == [[1.0], [2.0], [1.3]]
    assert second.scores.tolist() == [[2.0], [1.0], [0.9]] and third.scores.shape == (3, 0)
    assert [sum(each.latency.values()) for each in (first, second, third)] == [1, 1, 1]
