"""A profile is a sum: of rows, of windows, in any order and grouping; and nothing that comes in a column breaks it."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.stats import Groups, Profile, compare, compare_frames

ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(width=32)),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.one_of(st.none(), st.sampled_from(["a", "b", "c", "ä", "", "long" * 30])),
        st.one_of(st.none(), st.booleans()),
    ),
    max_size=40,
)


def table(rows):
    columns = list(zip(*rows, strict=True)) or [[]] * 4
    types = (pa.float64(), pa.int64(), pa.string(), pa.bool_())
    return pa.table([pa.array(c, t) for c, t in zip(columns, types, strict=True)], ["x", "i", "c", "b"])


def counts(profile):
    """What must agree exactly: everything but sums of floats, and hints."""
    data = json.loads(json.dumps(profile.to_json(layouts=False), allow_nan=False))
    for tally in data["tallies"].values():
        for name in ("total", "squares", "piles", "fresh"):
            tally.pop(name, None)
    return data


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, ROWS, ROWS)
def test_merging_is_associative_commutative_and_the_profile_of_the_union(known, one, two, three):
    reference = Profile.of(table(known))
    a, b, c = (Profile.of(table(rows), reference) for rows in (one, two, three))
    union = Profile.of(table([*one, *two, *three]), reference)
    assert counts(Profile.merge([a, b, c])) == counts(union)
    assert counts(Profile.merge([Profile.merge([c, a]), b])) == counts(union)
    assert counts(Profile.merge([a, Profile.merge([b, c])])) == counts(union)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = Profile.of(table(rows)), Profile.of(table(shuffled))
    assert counts(first) == counts(second)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_it_survives_storage_with_and_without_layouts(rows):
    reference = Profile.of(table(rows))
    again = Profile.from_json(json.loads(json.dumps(reference.to_json(), allow_nan=False)))
    assert again.to_json() == reference.to_json()
    window = Profile.of(table(rows), reference)
    assert Profile.from_json(window.to_json(layouts=False), again).to_json() == window.to_json()


def test_groups_are_counted_in_one_pass_as_each_alone():
    rng = np.random.default_rng(5)
    rows = pa.table({"x": rng.normal(size=900), "c": rng.choice(list("abcd"), 900)})
    place = rng.integers(0, 7, 900)
    reference = Profile.of(rows)
    for group, profile in enumerate(Profile.of_groups(rows, Groups(7, place), reference)):
        assert counts(profile) == counts(Profile.of(rows.filter(pa.array(place == group)), reference))


def test_profiles_of_different_references_do_not_merge():
    rows = pa.table({"x": [1.0, 2.0, 3.0]})
    other = Profile.of(pa.table({"x": [7.0, 8.0]}))
    with pytest.raises(ValueError, match="different references"):
        Profile.merge([Profile.of(rows, Profile.of(rows)), Profile.of(rows, other)])


STRANGE = {
    "all null": pa.nulls(500),
    "null floats": pa.array([None] * 500, pa.float64()),
    "constant": pa.array([3.0] * 500),
    "infinite": pa.array([float("inf"), float("-inf"), 1.0, float("nan"), 2.0] * 100),
    "huge": pa.array([1e308, -1e308, 1.0, 0.0, 5e-324] * 100),
    "many categories": pa.array([f"v{i % 499}" for i in range(500)]),
    "dictionary": pa.array(["a", "b"] * 250).dictionary_encode(),
    "decimal": pa.array([Decimal("1.10"), Decimal("2.20")] * 250),
    "date": pa.array(np.arange(500), pa.int32()).cast(pa.date32()),
    "time": pa.array(np.arange(500), pa.int64()).cast(pa.timestamp("us", "UTC")),
    "boolean": pa.array([True, None] * 250),
    "unsigned": pa.array(np.arange(500, dtype=np.uint64) + np.uint64(2**63)),
    "list": pa.array([[1], [2, 3]] * 250),
    "empty texts": pa.array([""] * 500),
    "text": pa.array([f"a long sentence number {i} that nobody else said" for i in range(500)]),
}


@pytest.mark.parametrize("reference", STRANGE)
@pytest.mark.parametrize("current", STRANGE)
def test_any_column_against_any_other_gives_a_verdict(reference, current):
    result = compare_frames(pa.table({"x": STRANGE[reference]}), pa.table({"x": STRANGE[current]}))
    json.dumps(result, allow_nan=False)
    verdicts = [column["verdict"] for column in result["columns"] if column["column"] == "x"]
    if reference == "list":
        assert verdicts == ["insufficient data"]
    elif reference == current:
        assert verdicts == ["ok"]
    else:
        assert verdicts and verdicts[0] in ("ok", "info", "warn", "page")


@pytest.mark.parametrize("rows", [0, 3])
def test_few_rows_are_insufficient_data_not_health(rows):
    known = pa.table({"x": np.arange(1000.0), "c": ["a", "b"] * 500})
    for reference, current in ((known, known.slice(0, rows)), (known.slice(0, rows), known)):
        columns = {column["column"]: column["verdict"] for column in compare_frames(reference, current)["columns"]}
        lost = columns.pop("(rows)", "")
        assert set(columns.values()) == {"insufficient data"}
        assert lost == ("" if current is known else "warn" if rows else "page")


def test_ten_thousand_categories_stay_small_and_quiet():
    rng = np.random.default_rng(3)
    draw = lambda n: pa.table({"c": [f"shop-{i}" for i in rng.integers(0, 10_000, n)]})  # noqa: E731
    reference = Profile.of(draw(50_000))
    assert len(json.dumps(reference.to_json())) < 90_000
    assert [r.verdict for r in compare(reference, Profile.of(draw(5_000), reference))] == ["ok"]


def test_a_reference_of_twenty_columns_is_compact():
    rng = np.random.default_rng(3)
    columns = {f"n{i}": rng.normal(size=20_000) for i in range(16)}
    columns |= {f"c{i}": rng.choice(["red", "green", "blue"], 20_000) for i in range(4)}
    assert len(json.dumps(Profile.of(pa.table(columns)).to_json())) < 45_000


def test_moments_and_quartiles_come_back():
    from modelyard.stats.numeric import deviation, mean, quantiles

    values = np.random.default_rng(1).gamma(2.0, 30.0, 20_000)
    column = Profile.of(pa.table({"x": values})).columns["x"]
    assert mean(column.tally, column.layout) == pytest.approx(values.mean(), rel=1e-9)
    assert deviation(column.tally, column.layout) == pytest.approx(values.std(), rel=1e-9)
    assert quantiles(column.tally, column.layout) == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]), rel=0.02)


def test_an_extreme_of_zero_is_kept():
    kept = Profile.from_json(json.loads(json.dumps(Profile.of(pa.table({"x": [0, 1, 0]})).to_json())))
    assert (kept.columns["x"].tally.low, kept.columns["x"].tally.high) == (0, 1)


def test_rows_in_order_of_time_are_counted_as_each_hour_alone():
    """Most pieces of a long table then lie within one hour, and are counted without placing each row."""
    rng, size = np.random.default_rng(6), 150_000
    numbers = rng.normal(size=size).round(2)
    rows = pa.table(
        {
            "x": pa.array(np.where(rng.random(size) < 0.2, 0.0, numbers), mask=rng.random(size) < 0.01),
            "wild": np.where(rng.random(size) < 0.01, rng.choice([np.inf, 1e300, -0.0], size), numbers * 1e3),
            "c": pa.array(rng.choice(list("abcd"), size)).dictionary_encode(),
        }
    )
    place = np.sort(rng.choice([0, 1, 1, 1, 2], size))
    reference = Profile.of(rows.slice(0, 9_000))
    assert reference.columns["x"].layout.heavy == (0.0,)
    for group, profile in enumerate(Profile.of_groups(rows, Groups(3, place), reference)):
        mine = rows.filter(pa.array(place == group))
        few = [Profile.of(mine.slice(first, 1_000), reference) for first in range(0, len(mine), 1_000)]
        assert counts(profile) == counts(Profile.of(mine, reference)) == counts(Profile.merge(few))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**40), 2**40) | st.integers(0, 9)))
def test_rows_are_grouped_by_distinct_values(values):
    distinct, groups = Groups.by(np.array(values, dtype=np.int64))
    assert distinct.tolist() == sorted(set(values))
    assert distinct[groups.each(len(values))].tolist() == values
    assert groups.sizes(len(values)).tolist() == [values.count(each) for each in distinct.tolist()]
