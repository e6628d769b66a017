"""The input policy: what is declared, else what the training data say."""

from __future__ import annotations

import pyarrow as pa
import pytest

from modelyard.serve import policy
from modelyard.spec.types import InputRule

INPUT = {
    "name": "x", "type": "number", "nullable": False, "missing": 0.0, "min": 0.0, "max": 10.0, "median": 4.0, "mode": 3.0,
    "values": None, "more": False,
}  # fmt: skip
CATEGORY = INPUT | {"type": "category", "min": None, "max": None, "median": None, "mode": "a", "values": ["a", "b"]}


def apply(values, known=INPUT, *, falls=True, **declared):
    """The outcome for one column: values, faults, warnings, fallback rows."""
    rules = policy.rules({"inputs": [known]}, {"x": InputRule.model_validate(declared)}, falls=falls)
    kind = {"number": pa.float64(), "integer": pa.int64(), "category": pa.string()}[known["type"]]
    made = policy.apply(rules, {"x": pa.array(values, kind)}, len(values))
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
    assert apply([1.0, None], INPUT | {"nullable": nullable}, **declared) == (values, faults, [], fallback)


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
