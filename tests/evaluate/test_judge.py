"""Declared checks become verdicts; what cannot be told never passes."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from modelyard.evaluate import Evidence, Scored, Versus, judge, slices
from modelyard.spec.models import Model

AT = datetime(2026, 1, 1, tzinfo=UTC)
Y = np.tile([0, 0, 1, 0, 1], 60)
GOOD = np.where(Y == 1, 0.7, 0.2)
FLAT = np.full(len(Y), 0.4)


def verdict(check, evidence, task="binary_classification"):
    model = Model(task=task, data="d", target="late", train="m:fit", checks=[check])
    return judge(model, evidence, entity="model.late", subject="0" * 64, at=AT)[0]


def binary(p, y=Y):
    return Scored("binary_classification", y, p, (False, True))


EVIDENCE = Evidence(binary(GOOD), binary(FLAT))


@pytest.mark.parametrize(
    ("check", "state", "says"),
    [
        ({"metric": {"name": "roc_auc", "min": 0.9}}, "pass", "roc_auc 1 on 300 test rows; wanted ≥ 0.9"),
        ({"metric": {"name": "log_loss", "max": 0.1}}, "fail", "log_loss 0.2766 on 300 test rows; wanted ≤ 0.1"),
        (
            {"better_than": {"release": "baseline", "by": "2%"}},
            "pass",
            "log_loss 0.2766 against 0.673 of the baseline on 300 test rows; wanted at most 0.6596",
        ),
        (
            {"better_than": {"release": "baseline", "metric": "roc_auc", "by": 0.6}},
            "fail",
            "roc_auc 1 against 0.5 of the baseline on 300 test rows; wanted at least 1.1",
        ),
        ({"better_than": {"release": "champion"}}, "pass", "there is no champion yet to compare with"),
    ],
)
def test_a_check_says_what_was_found_and_what_was_wanted(check, state, says):
    found = verdict(check, EVIDENCE)
    assert (found.state, found.says) == (state, says)


def test_a_negative_margin_allows_to_be_a_little_worse():
    champion = Versus(binary(GOOD), binary(GOOD), "on 300 rows")
    evidence = Evidence(binary(GOOD), binary(FLAT), champion)
    assert verdict({"better_than": {"release": "champion", "by": "-0.5%"}}, evidence).state == "pass"
    assert verdict({"better_than": {"release": "champion"}}, evidence).state == "fail"


@pytest.mark.parametrize(
    ("rows", "says"),
    [(slice(0, 10), "10 test rows are too few"), (Y == 0, "of one class only")],
)
@pytest.mark.parametrize(
    "check", [{"metric": {"name": "log_loss", "max": 9}}, {"better_than": {"release": "baseline", "by": "-90%"}}]
)
def test_too_few_rows_or_one_class_is_insufficient_data(rows, says, check):
    evidence = Evidence(binary(GOOD[rows], Y[rows]), binary(FLAT[rows], Y[rows]))
    found = verdict(check, evidence)
    assert found.state == "insufficient_data"
    assert says in found.says


def test_slices_are_judged_each_where_there_are_enough_rows():
    origin = np.array(["EWR"] * 150 + ["JFK"] * 140 + ["LGA"] * 10, dtype=object)
    p = np.where(origin == "JFK", 0.5, GOOD)
    evidence = Evidence(binary(p), binary(FLAT), slices={"origin": origin})
    found = verdict({"slices": {"by": ["origin"], "metric": "roc_auc", "min": 0.58}}, evidence)
    assert found.state == "fail"
    assert found.says == "1 of 2 slices are outside ≥ 0.58: origin JFK: 0.5"
    assert [each["state"] for each in found.detail["slices"]] == ["pass", "fail", "insufficient_data"]


def test_slices_without_enough_rows_are_insufficient_data():
    evidence = Evidence(binary(GOOD), binary(FLAT), slices={"origin": np.array(["a", "b", "c", "d"] * 75)})
    assert verdict({"slices": {"by": "origin", "rows": 90}}, evidence).state == "insufficient_data"


def test_many_categories_are_pooled_and_numbers_cut_into_fifths():
    shops = slices.label(pa.chunked_array([[f"s{i}" for i in range(60)] * 2 + ["s0", None]]))
    assert len(set(shops)) == 52 and shops[0] == "s0" and shops[-1] == "missing" and "other" in shops
    ages = slices.label(pa.chunked_array([[*map(float, range(100)), None]]))
    assert len(set(ages)) == 6 and ages[0] == "< 19.8" and ages[-1] == "missing"
    few = slices.label(pa.chunked_array([[1.0, float("nan"), None]]))
    assert few.tolist() == ["1", "missing", "missing"]
    assert set(slices.label(pa.chunked_array([[True, False, None]]))) == {"true", "false", "missing"}
