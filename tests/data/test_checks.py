"""A check finds counts, shares and keys; never other values, and never an exception."""

import pytest

from modelyard.errors import CheckFailed
from modelyard.records import Verdict

ROWS = "id,x,n,d\n1,a,1.5,2024-01-01\n2,b,-3,2024-01-02\n3,b,,2024-01-03\n4,,200,2024-05-31\n"


def verdict(yard, check, content=ROWS, sql="SELECT * FROM raw", **dataset):
    yard.write("raw.csv", content)
    yard.declare(
        sources={"raw": {"uri": "raw.csv"}},
        datasets={"kept": {"sql": sql, "key": ["id"], "checks": [check | {"severity": "warn"}]} | dataset},
    )
    version = yard.build("kept")
    return yard.store.read(Verdict, subject=version.digest, severity="warn")[-1]


@pytest.mark.parametrize(
    "check",
    [
        {"unique": ["id"]},
        {"unique": ["x", "d"]},
        {"not_null": ["id", "d"]},
        {"between": {"column": "n", "min": -3, "max": 200}},
        {"values": {"column": "x", "allowed": ["a", "b"]}},
        {"values": {"column": "id", "allowed": [1, 2, 3, 4]}},
        {"row_count": {"min": 4, "max": 4}},
    ],
)
def test_what_holds_passes(yard, check):
    assert verdict(yard, check).state == "pass"


@pytest.mark.parametrize(
    ("check", "says", "count", "keys"),
    [
        ({"unique": ["x"]}, r"2 of 4 rows (50.00%) share x with another row (1 repeated values)", 2, []),
        ({"not_null": ["x", "n"]}, "x is missing in 1 of 4 rows (25.00%); n is missing in 1 of 4", 1, [3, 4]),
        ({"between": {"column": "n", "min": 0, "max": 100}}, "n is outside 0..100 in 2 of 4 rows", 2, [2, 4]),
        ({"between": {"column": "n", "max": 100}}, "n is outside ..100 in 1 of 4 rows", 1, [4]),
        ({"values": {"column": "x", "allowed": ["a"]}}, "in 2 of 4 rows (50.00%) (1 different ones)", 2, [2, 3]),
        ({"values": {"column": "n", "allowed": [1.5, "-3"]}}, "in 1 of 4 rows", 1, [4]),
    ],
)
def test_what_does_not_hold_is_counted_with_keys(yard, check, says, count, keys):
    found = verdict(yard, check)
    assert found.state == "fail" and says in found.says
    assert (found.detail["count"], found.detail["rows"]) == (count, 4)
    assert [key["id"] for key in found.detail["keys"]] == keys


def test_nan_is_missing_and_not_out_of_range(yard):
    sql = "SELECT id, CASE WHEN id = 1 THEN CAST('nan' AS DOUBLE) ELSE 1.0 END AS n FROM raw"
    assert "n is missing in 1 of 4 rows" in verdict(yard, {"not_null": ["n"]}, sql=sql).says
    assert verdict(yard, {"between": {"column": "n", "min": 0, "max": 2}}, sql=sql).state == "pass"
    assert verdict(yard, {"values": {"column": "n", "allowed": [1]}}, sql=sql).state == "pass"


def test_two_nan_are_not_alike(yard):
    sql = "SELECT id, CASE WHEN id < 3 THEN CAST('nan' AS DOUBLE) ELSE id END AS n FROM raw"
    assert verdict(yard, {"unique": ["n"]}, sql=sql).state == "pass"


@pytest.mark.parametrize(
    ("kind", "allowed", "state"),
    [
        ("DOUBLE", ["inf", 1], "pass"),
        ("DOUBLE", ["nan", 1], "fail"),
        ("BOOLEAN", ["true"], "pass"),
        ("BOOLEAN", ["false"], "fail"),
    ],
)
def test_allowed_values_are_read_as_the_column_is(yard, kind, allowed, state):
    value = "'true'" if kind == "BOOLEAN" else "if(id = 1, 'inf', '1')"
    sql = f"SELECT id, CAST({value} AS {kind}) AS n FROM raw"
    assert verdict(yard, {"values": {"column": "n", "allowed": allowed}}, sql=sql).state == state


def test_at_most_five_keys(yard):
    content = "id,x\n" + "".join(f"{i},\n" for i in range(20)) + "20,a\n"
    assert len(verdict(yard, {"not_null": ["x"]}, content).detail["keys"]) == 5


def test_values_are_not_told(yard):
    found = verdict(yard, {"values": {"column": "x", "allowed": ["b"]}}, ROWS.replace(",a,", ",sesame,"))
    assert found.state == "fail" and "sesame" not in str(found)


def test_freshness_looks_at_the_newest_row(yard):
    assert verdict(yard, {"freshness": "2d"}, time="d").state == "pass"
    found = verdict(yard, {"freshness": "6h"}, time="d")
    assert (found.state, found.says) == ("fail", "the newest row is 1d old, at most 6h expected")


@pytest.mark.parametrize(
    ("check", "says"),
    [
        ({"unique": ["idd"]}, "there is no column 'idd'. Did you mean 'id'?"),
        ({"not_null": ["nope"]}, "there is no column 'nope'. There are id, x, n, d."),
        ({"between": {"column": "x", "min": 0}}, "'x' is string, not a number"),
        ({"values": {"column": "zzz", "allowed": [1]}}, "there is no column 'zzz'"),
        ({"freshness": "1d"}, "there is no time to tell how old the rows are"),
    ],
)
def test_a_check_that_cannot_be_made_fails_with_a_sentence(yard, check, says):
    found = verdict(yard, check)
    assert found.state == "fail" and says in found.says


def test_a_function_is_a_check_too(yard):
    yard.write("judge.py", "def check(frame):\n    return frame[frame['id'] > 2]\n")
    found = verdict(yard, {"python": "judge:check"})
    assert (found.check, found.state) == ("judge:check", "fail")
    assert found.says == "judge:check returned 2 of 4 rows (50.00%)"
    assert [key["id"] for key in found.detail["keys"]] == [3, 4]


def test_declared_unique_on_the_key_sets_the_severity(yard):
    content = "id,x\n1,a\n1,b\n"
    assert verdict(yard, {"unique": ["id"]}, content).detail["keys"] == [{"id": 1}]
    with pytest.raises(CheckFailed, match=r"unique\(id\)"):
        verdict(yard, {"not_null": ["x"]}, content)
