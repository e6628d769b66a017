"""The input policy on its whole way: from a request to the answer, its warnings, the log and the counters."""

from __future__ import annotations

from copy import deepcopy

import pytest

from modelyard.errors import DataError
from modelyard.serve import Refusal, board, pipeline
from modelyard.serve.columns import typed

CHAMPION, CHALLENGER = "a" * 64, "b" * 64


def ask(yard, row, changes=None, **policy):
    """Predictions and warnings of one row."""
    yard.deploy(**policy)
    answer = yard.gateway().predict("late-api", rows=[row(**(changes or {}))])
    return answer.predictions, [(place, code) for _, place, code in answer.warnings]


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        ("number", "1.5", 1.5),
        ("number", "-0.5e-3", -0.0005),
        ("number", "12", 12.0),
        ("integer", "12", 12),
        ("integer", "3.0", 3),
        ("boolean", "true", True),
        ("boolean", 0, False),
        ("category", 7, "7"),
        ("category", True, "true"),
        ("date", "2013-02-03", "2013-02-03"),
    ],
)
def test_what_coercion_reads(kind, given, read):
    column = typed([given], kind, coerce=True)
    value = column.values[0].as_py()
    assert (str(value) if kind == "date" else value) == read
    assert column.faults == ()
    assert column.coerced == (() if kind == "date" else (0,))


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        *(("number", each, "wrong_type") for each in ("1_000", " 1", "1,5", "0x10", "NaN", "", ".5", "1.", "+1", True, [])),
        ("number", "1e999", "not_finite"),
        ("number", "1" * 500, "wrong_type"),
        ("integer", "1.5", "wrong_type"),
        ("integer", "9223372036854775808", "out_of_bounds"),
        ("boolean", "True", "wrong_type"),
        ("boolean", 2, "wrong_type"),
        ("category", 1.5, "wrong_type"),
        ("timestamp", 0, "wrong_type"),
    ],
)  # fmt: skip
def test_what_coercion_does_not_read(kind, given, code):
    assert typed([given], kind, coerce=True).faults == ((0, code),)


def test_coercion_is_declared_for_all_inputs_or_for_one_and_said(yard, row):
    given = {"temp": "10", "stops": "1"}
    with pytest.raises(Refusal, match="2 places"):
        ask(yard, row, given)
    assert ask(yard, row, given, coerce=True) == ([111.0], [("/rows/0/stops", "coerced"), ("/rows/0/temp", "coerced")])
    with pytest.raises(Refusal) as refused:
        ask(yard, row, given, coerce=True, inputs={"stops": {"coerce": False}})
    assert [each.pointer for each in refused.value.faults] == ["/rows/0/stops"]


def test_extra_columns_are_refused_or_ignored_as_declared(yard, row):
    with pytest.raises(Refusal) as refused:
        ask(yard, row, {"colour": "red"})
    assert refused.value.code == "unknown_feature"
    assert ask(yard, row, {"colour": "red"}, extra="ignore") == ([111.0], [("/rows/0/colour", "unknown_feature")])


def test_what_is_filled_in_is_said(yard, row):
    made = ask(yard, row, {"temp": None}, inputs={"temp": {"missing": "median"}})
    assert made == ([113.5], [("/rows/0/temp", "missing")])


def test_the_champion_stands_in_for_its_challenger(yard, row):
    narrow = deepcopy(yard.releases[CHALLENGER].signature)
    narrow["inputs"][0]["max"] = 20.0
    challenger = yard.releases[CHALLENGER].model
    yard.serve(CHALLENGER, type(challenger)(signature=narrow, scale=2.0, raises_at=11.0))
    arms = {"champion": (CHAMPION, 0.0), "challenger": (CHALLENGER, 1.0)}
    policy = {"fallback": "champion", "inputs": {"temp": {"out_of_range": "fallback"}}}
    yard.deploy(arms, **policy)
    gateway = yard.gateway()
    answer = gateway.predict("late-api", rows=[row(temp=10.0), row(temp=11.0), row(temp=30.0)])
    assert answer.predictions == [121.0, 112.0, 131.0]  # its own, then for its failure, then for what it never saw
    assert [each[2] for each in answer.warnings if each[0] == 2] == ["out_of_range", "fallback"]


def test_nothing_stands_in_for_the_champion_and_what_it_refuses_is_refused(yard, row):
    policy = {"fallback": "champion", "inputs": {"temp": {"missing": "fallback"}}}
    with pytest.raises(Refusal) as refused:
        ask(yard, row, {"temp": None}, **policy)
    assert (refused.value.status, refused.value.code) == (422, "null_not_allowed")
    yard.deploy({"champion": (CHAMPION, 0.0), "challenger": (CHALLENGER, 1.0)}, **policy)
    with pytest.raises(Refusal) as refused:
        yard.gateway().predict("late-api", rows=[row(temp=None)])
    assert (refused.value.status, refused.value.code) == (422, "null_not_allowed")
    assert refused.value.faults[0].pointer == "/rows/0/temp"


@pytest.mark.parametrize(("fallback", "values"), [("baseline", [7.0, 7.0]), ({"value": 3}, [3.0, 3.0])])
def test_the_fallback_answers_when_there_is_no_time_left(yard, row, fallback, values):
    yard.deploy(fallback=fallback)
    gateway = yard.gateway()
    gateway.steps = tuple(pipeline.late if step is pipeline.predict else step for step in pipeline.STEPS)
    answer = gateway.predict("late-api", rows=[row(), row()])
    assert answer.predictions == values
    assert {code for _, _, code in answer.warnings} == {"fallback"}
    yard.deploy()
    gateway.refresh()
    with pytest.raises(Refusal) as refused:
        gateway.predict("late-api", rows=[row()])
    assert (refused.value.status, refused.value.code) == (504, "deadline_exceeded")


def test_a_fixed_answer_that_the_model_could_not_give_is_not_loaded(yard):
    record = yard.deploy(fallback={"value": "often"})
    with pytest.raises(DataError, match="no prediction of this model"):
        board.build(record, {}, yard.load, {})


def test_every_use_is_counted(yard, row):
    yard.deploy(inputs={"temp": {"missing": "median", "out_of_range": "clip"}, "dest": {"unknown": "reject"}})
    client = yard.client()
    for changes in ({"temp": None}, {"temp": 99.0}, {"temp": 98.0}, {"dest": "XXX"}):
        client.post({"rows": [row(**changes)]})
    counted = client.send("GET", "/metrics").text
    for action, code, name, number in (
        ("median", "missing", "temp", 1),
        ("clip", "out_of_range", "temp", 2),
        ("reject", "unknown_category", "dest", 1),
    ):
        labels = f'action="{action}",code="{code}",deployment="late-api",input="{name}"'
        assert f"modelyard_policy_total{{{labels}}} {number}" in counted
