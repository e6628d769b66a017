"""Two tables alone: any frame will do, whole rows are looked at too, and what changed only together is seen."""

import json
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from modelyard.stats import compare_frames, examine
from modelyard.stats.joint import judge
from modelyard.stats.tables import as_table

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
    assert compare_frames(pl.DataFrame(known), pl.DataFrame(now)) == wanted
    assert compare_frames(pl.DataFrame(known).lazy(), pl.DataFrame(now).lazy()) == wanted
    coded = pl.DataFrame(known).with_columns(pl.col("kind").cast(pl.Categorical))
    assert compare_frames(coded, pd.DataFrame(now).astype({"kind": "category"})) == wanted
    records = [pd.DataFrame(each).to_dict("records") for each in (known, now)]
    assert compare_frames(*records) == wanted


def test_what_duckdb_answers_is_a_table_whether_asked_or_executed():
    """Texts come as views, and a connection is its own result."""
    tables = dict(zip(("known", "now"), (pa.table(rows(1)), pa.table(rows(2, kind=["e"] * SIZE))), strict=True))
    wanted = compare_frames(tables["known"], tables["now"])
    connections = [duckdb.connect() for _ in tables]
    for connection, (name, table) in zip(connections, tables.items(), strict=True):
        connection.register(name, table)
    asked = [each.sql(f"FROM {name}") for each, name in zip(connections, tables, strict=True)]
    assert compare_frames(*asked) == wanted
    executed = [each.execute(f"FROM {name}") for each, name in zip(connections, tables, strict=True)]
    assert compare_frames(*executed) == wanted


@pytest.mark.parametrize("data", [None, "orders.csv", 3, [1, 2], np.arange(6.0), pd.Series([1.0]), pl.Series([1.0])])
def test_what_is_no_table_is_said(data):
    with pytest.raises(TypeError, match=r"a table is needed.*this is a"):
        compare_frames(rows(1), data)


def test_embeddings_may_be_one_array():
    def vectors(shift):
        return {"e": np.random.default_rng(int(shift)).normal(size=(600, 16)) + shift}

    found = compare_frames(vectors(0.0), vectors(1.0))["columns"][0]
    assert found["verdict"] == "page" and "norm" in found["says"]


def test_one_name_need_not_be_a_list():
    known, now = rows(1, id=np.arange(SIZE)), rows(2, id=np.arange(SIZE, 2 * SIZE), kind=["e"] * SIZE)
    assert compare_frames(known, now, key="id", exclude="kind") == compare_frames(
        known, now, key=["id"], exclude=["kind"]
    )


def test_what_is_said_of_a_number_is_what_its_rows_say():
    """The reference's bins know little of where its values lay thin."""
    rng = np.random.default_rng(1)
    known = rng.choice([1, 2, 6, 12, 24, 48, 400, -1350], 4_000, p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.03, 0.01, 0.01])
    now = known[::-1] * 1.7
    found = compare_frames({"n": known}, {"n": now}, together=False)["columns"][0]
    assert (found["from"]["median"], found["to"]["median"]) == (np.median(known), round(float(np.median(now)), 2))


def test_a_small_factor_of_unit_is_named_in_spite_of_outliers_and_other_factors_are_not():
    rng = np.random.default_rng(2)
    known, fresh = (rng.lognormal(2, 0.4, 4_000) + (rng.random(4_000) < 0.002) * 50_000 for _ in range(2))

    def first(factor):
        found = compare_frames({"way": known}, {"way": fresh * factor}, together=False)["columns"][0]
        return found["kinds"][0], found["says"]

    assert first(1.609344)[0] == "unit" and "miles and kilometres" in first(1.609344)[1]
    assert first(2.54)[0] == "unit"
    assert first(1.5)[0] == "distribution" and first(1.75)[0] == "distribution"


def test_a_step_within_the_spread_is_no_other_scale_of_temperature():
    minutes = np.random.default_rng(3).uniform(300, 2_300, 4_000)
    assert "unit" not in alarms(compare_frames({"at": minutes}, {"at": minutes + 273}, together=False))["at"]
    warm = np.random.default_rng(3).normal(12, 8, 4_000)
    assert alarms(compare_frames({"t": warm}, {"t": warm + 273.15}, together=False))["t"][0] == "unit"


def test_an_alarm_says_what_helps():
    found = compare_frames(rows(1), rows(2, price=rows(2)["price"] * 100))["columns"]
    assert found[0]["says"].endswith("Convert it back where it is read; do not mix both units.")
    assert next(c["says"] for c in found if c["verdict"] == "ok").startswith("amount: nothing new")


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


def test_keys_that_always_came_twice_do_so_by_chance_once_more():
    def some_twice(seed, pairs):
        ids = np.arange(SIZE)
        ids[:pairs] = ids[-pairs:]
        return rows(seed, id=ids)

    assert alarms(compare_frames(some_twice(1, 40), some_twice(2, 42), key="id")) == {}
    assert alarms(compare_frames(some_twice(1, 40), some_twice(2, 90), key="id")) == {"(id)": ["duplicates"]}


def test_time_goes_on_without_an_alarm_but_not_backwards():
    def at(seed, start):
        return rows(seed, seen=[start + timedelta(minutes=15 * i) for i in range(SIZE)])

    january, february = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 12, tzinfo=UTC)
    known = at(1, january)
    assert alarms(compare_frames(known, at(2, february))) == {}
    assert alarms(compare_frames(known, at(2, datetime(1970, 1, 1, tzinfo=UTC)))) == {"seen": ["range"]}
    written = {**known, "seen": [each.isoformat() for each in known["seen"]]}
    assert compare_frames(written, at(2, february), time="seen") == compare_frames(known, at(2, february), time="seen")
    with pytest.raises(ValueError, match="'kind' holds no times"):
        compare_frames(known, known, time="kind")
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
    assert alarms(empty) == {"(rows)": ["rows"]}
    assert {c["verdict"] for c in empty["columns"] if c["column"] != "(rows)"} == {"insufficient data"}
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


def test_rows_without_the_column_that_told_them_apart_do_not_repeat():
    known, now = ({"x": np.random.default_rng(i).normal(size=1_000), "kind": ["a", "b"] * 500} for i in range(2))
    for lost in (pa.table(now).drop_columns(["x"]), pa.table(now | {"x": [[1.0, 2.0]] * 1_000})):
        assert alarms(compare_frames(known, lost)) == {"x": ["schema"]}


def test_what_is_filled_now_has_a_cure_of_its_own():
    found = compare_frames({"x": [None] * 500}, {"x": [0.0] * 500})["columns"][0]
    assert found["kinds"] == ["missing"] and "what fills it now" in found["says"]


def test_rows_that_a_spoilt_column_makes_alike_are_told_as_its_fault_and_twice_loaded_ones_as_their_own():
    def table(seed, **more):
        rng = np.random.default_rng(seed)
        return {"price": rng.normal(size=SIZE), "kind": rng.choice(list("abc"), SIZE)} | more

    spoilt = table(2)["price"].copy()
    spoilt[: SIZE // 5] = np.nan
    assert alarms(compare_frames(table(1), table(2, price=spoilt))) == {"price": ["missing"]}
    known, now = (pa.table(table(seed, weight=np.random.default_rng(seed + 9).normal(size=SIZE))) for seed in (1, 2))
    now = now.set_column(0, "price", pa.array(spoilt, from_pandas=True))
    twice = pa.concat_tables([now.slice(0, SIZE * 7 // 10), now.slice(0, SIZE * 3 // 10)])
    assert set(alarms(compare_frames(known, twice))) == {"price", "(rows)"}


def test_arrays_of_numpy_are_tables_too():
    known, now = (np.random.default_rng(i).normal(size=(SIZE, 2)) for i in range(2))
    now[:, 1] += 1
    for wrap in (lambda v: v, lambda v: pd.DataFrame(v).to_records(index=False)):
        assert alarms(compare_frames(wrap(known), wrap(now))) == {"1": ["distribution"]}


def test_periods_and_intervals_are_compared_as_they_are_written():
    days = pd.Series(pd.date_range("2024-01-01", periods=SIZE, freq="h")).dt.to_period("M")
    cut = pd.cut(pd.Series(np.random.default_rng(1).normal(size=SIZE)), [-9.5, -1.5, 1.5, 9.5])
    known = pd.DataFrame({"month": days, "part": cut})
    known.loc[0] = [pd.NaT, np.nan]
    assert alarms(compare_frames(known, known.assign(part=cut.cat.categories[0]))) == {
        "part": ["stuck", "distribution"]
    }


def test_a_lost_column_that_has_another_name_now_is_pointed_at():
    now = pa.table(rows(2))
    for new in ("Price ", "cost"):
        names = [new if name == "price" else name for name in now.column_names]
        found = {c["column"]: c for c in compare_frames(rows(1), now.rename_columns(names))["columns"]}
        assert f"Is it '{new}' now?" in found["price"]["says"] and found["price"]["verdict"] == "page"
    other = now.set_column(0, "cost", pa.array(np.arange(SIZE) * 1e6))
    found = {c["column"]: c for c in compare_frames(rows(1), other.select(["cost"]))["columns"]}
    assert "Is it" not in found["price"]["says"]
