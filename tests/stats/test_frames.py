"""Two tables alone: any frame will do, whole rows are looked at too, and what changed only together is seen."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from modelyard.stats import compare_frames, examine
from modelyard.stats.frames import as_table
from modelyard.stats.joint import judge

SIZE = 4_000


def rows(seed, size=SIZE, **more):
    rng = np.random.default_rng(seed)
    return {
        "price": rng.gamma(2.0, 20.0, size),
        "amount": rng.poisson(3, size),
        "kind": rng.choice(["a", "b", "c", "d"], size, p=[0.5, 0.3, 0.15, 0.05]),
        "flag": rng.random(size) < 0.1,
        **more,
    }


def alarms(result):
    return {c["column"]: c["kinds"] for c in result["columns"] if c["verdict"] in ("warn", "page")}


def test_the_result_has_the_shape_that_is_promised():
    result = json.loads(json.dumps(compare_frames(rows(1), rows(2)), allow_nan=False))
    assert set(result) == {"rows", "columns"}
    assert result["rows"]["reference"] == result["rows"]["current"] == SIZE
    for column in result["columns"]:
        assert list(column) == ["column", "verdict", "kinds", "psi", "p_value", "from", "to", "says"]
        assert column["verdict"] == "ok" and column["says"]


def test_any_frame_gives_the_same_result():
    known, now = rows(1), rows(2, kind=np.array(["e"] * SIZE))
    wanted = compare_frames(pa.table(known), pa.table(now))
    assert list(alarms(wanted)) == ["kind"]
    assert compare_frames(pd.DataFrame(known), pd.DataFrame(now)) == wanted
    assert compare_frames(known, pa.table(now).to_batches()[0]) == wanted

    class Stream:
        """What Polars and others give: Arrow's C stream, and nothing else."""

        def __init__(self, table):
            self._table = table

        def __arrow_c_stream__(self, requested_schema=None):
            return self._table.__arrow_c_stream__(requested_schema)

    assert compare_frames(Stream(pa.table(known)), Stream(pa.table(now))) == wanted


def test_the_order_of_rows_is_of_no_account():
    known, now = pd.DataFrame(rows(1)), pd.DataFrame(rows(2))
    now["price"] = now["price"] * 1.3
    first = examine(known, now)
    again = examine(known.sample(frac=1, random_state=1), now.sample(frac=1, random_state=2))
    assert first.rows == again.rows
    for one, other in zip(first.results, again.results, strict=True):
        assert (one.column, one.verdict, one.kinds, one.psi) == (other.column, other.verdict, other.kinds, other.psi)


def test_what_changed_only_together_is_seen_and_named():
    def pair(seed, correlation):
        x, noise = np.random.default_rng(seed).normal(size=(2, SIZE))
        other = np.random.default_rng(seed + 100).normal(size=SIZE)
        return {"a": x, "b": correlation * x + np.sqrt(1 - correlation**2) * noise, "c": other}

    result = compare_frames(pair(1, 0.9), pair(2, 0.0))
    assert alarms(result) == {"(joint)": ["joint"]}
    joint = result["columns"][0]
    assert joint["to"]["auc"] > 0.7 and joint["to"]["z"] > 20 and {"a", "b"} <= set(joint["to"]["leaning"])
    assert alarms(compare_frames(pair(1, 0.9), pair(2, 0.0), together=False)) == {}


def test_the_classifier_is_blind_where_nothing_changed():
    known = pa.table(rows(1))
    found = [judge(known, pa.table(rows(seed)), ["price", "amount", "kind", "flag"]) for seed in range(2, 14)]
    assert max(abs(each.z) for each in found) < 4 and max(each.auc for each in found) < 0.55
    few = [judge(known.select(["kind", "flag"]), pa.table(rows(s)), ["kind", "flag"]) for s in range(2, 8)]
    assert all(each is None or abs(each.z) < 4 for each in few)


def test_a_column_that_alarms_itself_does_not_alarm_jointly_too():
    assert list(alarms(compare_frames(rows(1), {**rows(2), "price": rows(2)["price"] * 1.6}))) == ["price"]


def test_old_rows_that_come_again_are_told_from_a_copy_and_from_small_tables():
    known = pa.table(rows(1))
    half_old = pa.concat_tables([known.slice(0, SIZE // 4), pa.table(rows(2)).slice(0, SIZE * 3 // 4)])
    assert alarms(compare_frames(known, half_old)) == {"(rows)": ["replay"]}
    copy = compare_frames(known, known)
    assert alarms(copy) == {} and copy["columns"][0]["verdict"] == "info"
    narrow = ["kind", "flag"]
    assert compare_frames(known.select(narrow), pa.table(rows(2)).select(narrow))["columns"][0]["verdict"] == "ok"


def test_a_key_is_no_value_and_must_not_come_twice():
    known = rows(1, id=np.arange(SIZE))
    fresh = rows(2, id=np.arange(SIZE, 2 * SIZE))
    assert alarms(compare_frames(known, fresh, key=["id"])) == {}
    twice = {**fresh, "id": np.where(np.arange(SIZE) < 100, SIZE, fresh["id"])}
    result = compare_frames(known, twice, key=["id"])
    assert alarms(result) == {"(id)": ["duplicates"]}
    assert result["rows"]["repeated_keys"] == {"from": 0, "to": 99}
    assert "(id)" in alarms(compare_frames(known, rows(3), key=["id"]))


def test_time_goes_on_without_an_alarm_but_not_backwards():
    def at(seed, start):
        return rows(seed, seen=[start + timedelta(minutes=15 * i) for i in range(SIZE)])

    january, february = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 12, tzinfo=UTC)
    known = at(1, january)
    assert alarms(compare_frames(known, at(2, february))) == {}
    assert alarms(compare_frames(known, at(2, datetime(1970, 1, 1, tzinfo=UTC)))) == {"seen": ["range"]}
    found = compare_frames(known, at(2, february), time="seen")
    assert "seen" not in [c["column"] for c in found["columns"]]


def test_columns_are_chosen_and_a_wrong_name_is_said():
    now = {**rows(2), "kind": ["e"] * SIZE}
    assert alarms(compare_frames(rows(1), now, exclude=["kind"])) == {}
    assert [c["column"] for c in compare_frames(rows(1), now, columns=["kind"])["columns"]] == ["kind"]
    with pytest.raises(ValueError, match="no column 'prise'"):
        compare_frames(rows(1), now, columns=["prise"])
    with pytest.raises(ValueError, match="several columns are called 'x'"):
        as_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]))


def test_what_frames_hold_in_the_wild():
    size = 600
    rng = np.random.default_rng(1)
    wild = pd.DataFrame(
        {
            "mixed": [1, "two", None, 3.5] * (size // 4),
            "huge": [2**70, -(2**70), 1] * (size // 3),
            "nested": [{"a": float(i), "b": "x"} for i in range(size)],
            "ragged": [[1], [2, 3]] * (size // 2),
            "time": pd.date_range("2024-01-01", periods=size, tz="Europe/Berlin"),
            "naive": pd.date_range("2024-01-01", periods=size),
            "Ünï": ["ß", "日本", "🙂"] * (size // 3),
            7: rng.normal(size=size),
        }
    )
    result = compare_frames(wild, wild.sample(frac=1, random_state=3))
    verdicts = {c["column"]: c["verdict"] for c in result["columns"]}
    assert verdicts == {
        "(rows)": "info",
        "ragged": "insufficient data",
        **dict.fromkeys(["mixed", "huge", "nested.a", "nested.b", "time", "naive", "Ünï", "7"], "ok"),
    }
    empty = compare_frames(wild, wild.iloc[:0])
    assert {c["verdict"] for c in empty["columns"]} == {"insufficient data"}
    assert compare_frames({}, {})["columns"] == []


def test_words_among_numbers_are_the_wrong_type_and_counted():
    price = rows(2)["price"].astype(str)
    price[: SIZE // 20] = "n/a"
    found = next(c for c in compare_frames(rows(1), rows(2, price=price))["columns"] if c["column"] == "price")
    assert found["verdict"] == "page" and found["kinds"] == ["schema"] and "5.0% unreadable" in found["says"]


def test_fewer_rows_than_needed_may_alarm_but_are_never_well():
    def verdict(result):
        return next(c["verdict"] for c in result["columns"] if c["column"] == "price")

    assert verdict(compare_frames(rows(1), rows(2, 100))) == "insufficient data"
    assert verdict(compare_frames(rows(1), {**rows(2, 100), "price": rows(2, 100)["price"] + 200})) == "page"
    assert verdict(compare_frames(rows(1), {**rows(2, 9), "price": rows(2, 9)["price"] + 200})) == "insufficient data"


@pytest.mark.parametrize("sign", ["\0", "\x1b[31m", "\u2028", "\r"])
@pytest.mark.parametrize("seen", ["before", "now"])
def test_what_is_told_of_values_holds_only_signs_that_print(sign, seen):
    """A value may come from anybody's request, and is read at a terminal."""
    odd, plain = ({"kind": [f"{word}{one}" for word in "abc" for _ in range(400)]} for one in (sign, ""))
    less = {"kind": (odd if seen == "before" else plain)["kind"][:500]}
    for reference, current in ((odd, plain), (plain, odd), (odd if seen == "before" else plain, less)):
        (column,) = [
            c for c in compare_frames(pa.table(reference), pa.table(current))["columns"] if c["column"] == "kind"
        ]
        assert column["verdict"] == "page"
        assert all(word.isprintable() for word in (column["says"], *column["from"]["top"], *column["to"]["top"]))
