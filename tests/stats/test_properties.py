"""What holds for any table: of columns of every kind, with more rows than the sample of whole rows keeps."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from modelyard.stats import Groups, Profile, examine
from modelyard.stats.checks import Limits, column_findings
from modelyard.stats.joint import judge

SEEDS = st.integers(0, 2**32 - 1)
START = datetime(2024, 1, 1, tzinfo=UTC)
HINTS = ("total", "squares", "piles", "fresh")
"""Sums of floats, and words for sentences."""


def table(seed, size):
    """Columns of every kind, with holes, infinities, heaps, repeated rows and values that come once."""
    rng = np.random.default_rng(seed)
    number = np.where(rng.random(size) < 0.02, rng.choice([np.inf, -np.inf, 1e300], size), rng.normal(size=size))
    words = rng.choice(["late", "early", "parcel", "good", "Grüße", "never"], (size, 4))
    made = pa.table(
        {
            "number": pa.array(number, mask=rng.random(size) < 0.1),
            "price": np.round(rng.gamma(2, 20, size), 1),
            "count": rng.poisson(2, size),
            "flag": pa.array(rng.random(size) < 0.3, mask=rng.random(size) < 0.1),
            "kind": pa.array(rng.choice(["a", "b", "ä", ""], size)).dictionary_encode(),
            "shop": [f"shop {i}" for i in rng.zipf(1.5, size)],
            "note": [" ".join([*each, str(i)]) for i, each in enumerate(words)],
            "vector": pa.array(rng.normal(size=(size, 3)).tolist(), pa.list_(pa.float32())),
            "at": [START + timedelta(minutes=int(i)) for i in rng.integers(0, 500_000, size)],
            "nothing": pa.nulls(size),
        }
    )
    return made.take(rng.integers(0, size, size)) if seed % 2 else made


def counts(profile):
    """All that must agree exactly."""

    def exact(tally):
        parts = {name: exact(part) for name, part in tally.get("parts", {}).items()}
        return {name: value for name, value in tally.items() if name not in HINTS} | {"parts": parts}

    data = json.loads(json.dumps(profile.to_json(layouts=False), allow_nan=False))
    return {**data, "tallies": {name: exact(tally) for name, tally in data["tallies"].items()}}


@settings(max_examples=12, deadline=None)
@given(SEEDS, SEEDS, st.integers(1, 4_000), st.permutations(range(5)))
def test_a_union_is_the_merge_of_its_parts_in_any_order_and_grouping(known, seed, size, order):
    reference, rows = Profile.of(table(known, 2_000)), table(seed, size)
    place = np.random.default_rng(seed).integers(0, 5, size)
    parts = [Profile.of(rows.filter(pa.array(place == part)), reference) for part in order]
    union = counts(Profile.of(rows, reference))
    assert counts(Profile.merge(parts)) == union
    assert counts(Profile.merge([parts[0], Profile.merge([*parts[1:3], Profile.merge(parts[3:])])])) == union
    once = Profile.of_groups(rows, Groups(5, place), reference)
    assert [counts(each) for each in once] == [counts(parts[order.index(part)]) for part in range(5)]
    assert counts(Profile.of_batches(rows.to_batches(max_chunksize=700), reference)) == union


@settings(max_examples=6, deadline=None)
@given(SEEDS, st.booleans())
@example(341, False)
def test_the_order_of_rows_changes_nothing_that_is_found(seed, timed):
    known, now = table(seed, 1_500), table(seed + 2, 1_200)
    known = known.set_column(1, "price", pa.array(known["price"].to_numpy() * (1.3 if seed % 3 else 1.0)))
    rng = np.random.default_rng(seed)
    options = {"time": "at"} if timed else {}
    first = examine(known, now, **options)
    again = examine(known.take(rng.permutation(1_500)), now.take(rng.permutation(1_200)), **options)
    assert first.rows == again.rows
    assert [r.as_json() for r in first.results] == [r.as_json() for r in again.results]


def draws(rng, n):
    kinds, holes = rng.choice(list("abcdefgh"), n), rng.random(n) < 0.3
    return pa.table({"x": pa.array(rng.normal(size=n), mask=holes), "kind": kinds, "amount": rng.poisson(40, n)})


def test_p_values_are_uniform_where_nothing_changed():
    """The reference is divided by its own rows, and large beside the windows."""
    rng = np.random.default_rng(17)
    reference, limits = Profile.of(draws(rng, 100_000)), Limits(warn=0.05, page=0.25, alpha=1e-3, span=None)
    found: dict[str, list[float]] = {}
    for _ in range(300):
        window = Profile.of(draws(rng, 1_000), reference)
        for name, column in reference.columns.items():
            for each in column_findings(column, window.columns[name].tally, limits):
                found.setdefault(f"{name}: {each.name}", []).append(each.p_value)
    for name in ("x: shift", "kind: shift", "amount: shift", "x: digits", "x: missing"):
        assert stats.kstest(found[name], "uniform").pvalue > 1e-3, name


def test_the_classifiers_p_value_keeps_its_level_where_nothing_changed():
    rng = np.random.default_rng(18)
    known = draws(rng, 1_500)
    found = [judge(known, draws(rng, 1_000), ["x", "kind", "amount"]) for _ in range(60)]
    p = np.array([each.p_value for each in found])
    assert np.mean(p <= 0.05) <= 0.12 and np.mean(p <= 0.5) <= 0.7 and p.min() > 1e-4
