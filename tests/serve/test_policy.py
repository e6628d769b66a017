"""The input policy: what is declared, else what the training data say."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.serve import policy
from modelyard.serve.columns import TYPES
from modelyard.spec.deployments import InputRule

INPUT = {
    "name": "x", "type": "number", "nullable": False, "missing": 0.0, "min": 0.0, "max": 10.0, "median": 4.0, "mode": 3.0,
    "values": None, "more": False,
}  # fmt: skip
CATEGORY = INPUT | {"type": "category", "min": None, "max": None, "median": None, "mode": "a", "values": ["a", "b"]}


def apply(values, known=INPUT, *, falls=True, **declared):
    """The outcome for one column: values, faults, warnings, fallback rows."""
    rules = policy.policy({"inputs": [known]}, {"x": InputRule.model_validate(declared)}, falls=falls)
    made = policy.apply(rules, {"x": pa.array(values, TYPES[known["type"]])}, len(values))
    return (
        made.table["x"].to_pylist(), [(row, code) for row, _, code in made.faults],
        [(row, code) for row, _, code in made.warnings], made.fallback.nonzero()[0].tolist(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "nullable", "values", "faults", "fallback"),
    [
        ({}, False, [1.0, None], [(1, "missing")], []),
        ({}, True, [1.0, None], [], []),
        ({"missing": "reject"}, True, [1.0, None], [(1, "missing")], []),
        ({"missing": "keep"}, False, [1.0, None], [], []),
        ({"missing": "median"}, False, [1.0, 4.0], [], []),
        ({"missing": "mode"}, False, [1.0, 3.0], [], []),
        ({"missing": {"value": 7}}, False, [1.0, 7.0], [], []),
        ({"missing": {"value": 99}}, False, [1.0, 99.0], [], []),
        ({"missing": "fallback"}, False, [1.0, None], [], [1]),
    ],
)
def test_missing(declared, nullable, values, faults, fallback):
    told = [(1, "missing")] if fallback or values[1] is not None else []  # what was filled in is said
    assert apply([1.0, None], INPUT | {"nullable": nullable}, **declared) == (values, faults, told, fallback)


@pytest.mark.parametrize(
    ("declared", "values", "faults", "warnings", "fallback"),
    [
        ({}, [-1.0, 5.0, 11.0], [], [0, 2], []),
        ({"out_of_range": "warn"}, [-1.0, 5.0, 11.0], [], [0, 2], []),
        ({"out_of_range": "clip"}, [0.0, 5.0, 10.0], [], [0, 2], []),
        ({"out_of_range": "reject"}, [-1.0, 5.0, 11.0], [(0, "out_of_range"), (2, "out_of_range")], [], []),
        ({"out_of_range": "fallback"}, [-1.0, 5.0, 11.0], [], [0, 2], [0, 2]),
        ({"max": 10.5}, [-1.0, 5.0, 11.0], [(2, "out_of_bounds")], [0, 2], []),
        ({"min": 0, "out_of_range": "clip"}, [0.0, 5.0, 10.0], [(0, "out_of_bounds")], [0, 2], []),
    ],
)
def test_out_of_range(declared, values, faults, warnings, fallback):
    assert apply([-1.0, 5.0, 11.0], **declared) == (
        values,
        faults,
        [(row, "out_of_range") for row in warnings],
        fallback,
    )


@pytest.mark.parametrize(
    ("declared", "faults", "warnings", "fallback"),
    [
        ({}, [], [(2, "unknown_category")], []),
        ({"unknown": "accept"}, [], [(2, "unknown_category")], []),
        ({"unknown": "reject"}, [(2, "unknown_category")], [], []),
        ({"unknown": "fallback"}, [], [(2, "unknown_category")], [2]),
    ],
)
def test_unknown_categories(declared, faults, warnings, fallback):
    known = CATEGORY | {"nullable": True}
    assert apply(["a", None, "c"], known, **declared) == (["a", None, "c"], faults, warnings, fallback)


def test_a_category_takes_its_mode_for_a_median_and_an_open_list_knows_them_all():
    assert apply(["a", None], CATEGORY, missing="median")[0] == ["a", "a"]
    assert apply(["zzz"], CATEGORY | {"more": True})[2] == []


def test_without_a_fallback_what_should_go_there_is_rejected():
    assert apply([None], missing="fallback", falls=False)[1] == [(0, "missing")]


def test_a_clipped_integer_stays_one_and_missing_stays_missing():
    whole = INPUT | {"type": "integer", "min": 0, "max": 10, "nullable": True}
    assert apply([-5, None, 11], whole, out_of_range="clip")[0] == [0, None, 10]


@pytest.mark.parametrize(
    ("known", "nullable", "declared", "expected"),
    [
        (["a", "Other"], True, {"unknown": "other"}, "Other"),
        (["a", "b"], True, {"unknown": "other"}, None),
        (["a", "b"], True, {"unknown": {"value": "b"}}, "b"),
        (["a", "b"], True, {"unknown": "other", "missing": "mode"}, "a"),
    ],
    ids=["learned", "none-learned", "declared", "then-missing"],
)
def test_an_unknown_category_may_become_another(known, nullable, declared, expected):
    values, faults, warnings, _ = apply(["a", "zzz"], CATEGORY | {"values": known, "nullable": nullable}, **declared)
    assert values == ["a", expected]
    assert faults == []
    assert (1, "unknown_category") in warnings


def test_an_unknown_category_without_another_is_rejected_where_none_may_be_missing():
    assert apply(["zzz"], CATEGORY, unknown="other")[1] == [(0, "unknown_category")]


NFC, NFD = "Zürich", "Zu\u0308rich"


@pytest.mark.parametrize("trained", [NFC, NFD])
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_categories_match_in_the_declared_normal_form_and_the_model_sees_the_spelling_of_training(trained, form):
    known = CATEGORY | {"values": [trained]}
    assert apply([NFC, NFD], known, normalize=form) == ([trained, trained], [], [], [])
    assert apply([NFC, NFD, None], known | {"nullable": True}, normalize=form)[0] == [trained, trained, None]


def test_without_a_declared_form_only_the_same_spelling_matches():
    assert apply([NFC, NFD], CATEGORY | {"values": [NFC]})[2] == [(1, "unknown_category")]
    assert apply(["①"], CATEGORY | {"values": ["1"]}, normalize="NFC")[2] == [(0, "unknown_category")]
    assert apply(["①"], CATEGORY | {"values": ["1"]}, normalize="NFKC")[0] == ["1"]


def test_times_have_a_range_only_where_one_is_asked_for():
    known = INPUT | {"type": "timestamp", "min": "2013-01-01T00:00:00+00:00", "max": "2013-03-31T00:00:00+00:00"}
    late, high = datetime(2014, 1, 1, tzinfo=UTC), datetime(2013, 3, 31, tzinfo=UTC)
    assert apply([late], known) == ([late], [], [], [])
    assert apply([late], known, out_of_range="clip") == ([high], [], [(0, "out_of_range")], [])
    day = INPUT | {"type": "date", "min": "2013-01-01", "max": "2013-03-31"}
    assert apply([late.date()], day, out_of_range="clip")[0] == [high.date()]
    assert apply([date(2013, 2, 1)], day, out_of_range="reject")[1] == []


def test_every_use_is_counted_by_input_code_and_action():
    made = policy.policy(
        {"inputs": [INPUT, CATEGORY | {"name": "c"}]},
        {"x": InputRule(missing="median", out_of_range="clip"), "c": InputRule(unknown="reject")},
    )
    columns = {"x": pa.array([1.0, None, 99.0, None]), "c": pa.array(["a", "b", "zzz", "a"])}
    assert policy.apply(made, columns, 4).uses == {
        ("c", "unknown_category", "reject"): 1,
        ("x", "out_of_range", "clip"): 1,
        ("x", "missing", "median"): 2,
    }


@pytest.mark.parametrize(
    ("known", "declared", "wrong"),
    [
        (INPUT, {"unknown": "reject"}, "`unknown` does not apply to an input of the type number"),
        (CATEGORY, {"min": 3}, "`min` does not apply to an input of the type category"),
        (CATEGORY, {"out_of_range": "clip"}, "`out_of_range` does not apply to an input of the type category"),
        (INPUT, {"missing": {"value": "many"}}, "the value of `missing` is no number"),
        (INPUT | {"name": "z"}, {"missing": "keep"}, "the model has no input of this name; there are z"),
        (INPUT, {"missing": {"value": 3}, "min": 0, "out_of_range": "clip", "coerce": True}, None),
        (CATEGORY, {"missing": "median", "unknown": {"value": "b"}, "normalize": "NFC"}, None),
    ],
)
def test_a_rule_that_an_input_cannot_have_is_told(known, declared, wrong):
    found = policy.mistakes({"inputs": [known]}, {"x": InputRule.model_validate(declared)})
    assert found == ([] if wrong is None else [("x", wrong)])


@given(
    values=st.lists(st.none() | st.floats(-20, 20), min_size=1, max_size=20),
    declared=st.fixed_dictionaries(
        {},
        optional={
            "missing": st.sampled_from(["reject", "keep", "median", "mode", "fallback"]),
            "out_of_range": st.sampled_from(["warn", "clip", "reject", "fallback"]),
        },
    ),
)
def test_what_reaches_the_model_is_what_was_declared(values, declared):
    """One row at a time, or all at once, the policy does the same; and clipped values are within the range."""
    together = apply(values, **declared)
    alone = [apply([value], **declared) for value in values]
    assert together[0] == [each[0][0] for each in alone]
    for place in (1, 2):
        assert sorted(together[place]) == sorted(
            (row, code) for row, each in enumerate(alone) for _, code in each[place]
        )
    if declared.get("out_of_range") == "clip":
        assert all(value is None or 0 <= value <= 10 for value in together[0])
