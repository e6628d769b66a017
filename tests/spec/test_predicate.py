"""A group of rows in words: what can be said, what cannot, and that it means what SQL means by it."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import InputError
from modelyard.serve.segment import frozen, holds
from modelyard.spec.predicate import columns, misfit, parse

ROWS = pa.table(
    {
        "country": ["PT", "ES", None, "it's", "PT", "DE"],
        "age": pa.array([17, 18, 40, None, 65, -3], pa.int64()),
        "score": pa.array([0.5, None, 1e3, -2.0, 0.25, 0.5]),
        "vip": pa.array([True, False, None, True, False, True]),
    }
)

tests = st.sampled_from(
    [
        "country = 'PT'", "country <> 'PT'", "country IN ('PT', 'it''s')", "country NOT IN ('PT')", "country < 'F'",
        "age >= 18", "age = 17", "age < 17.5", "age IN (17, 65)", "age IS NULL", "score IS NOT NULL", "score = 0.5",
        "score > -2", "vip = TRUE", "vip != true", "vip IN (FALSE)", '"age" <= -3', "score <= 1e3",
    ]
)  # fmt: skip
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) AND {two[1]}"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]} or ({two[1]})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=6,
)


@given(conditions)
def test_a_condition_means_what_sql_means_by_it(text: str) -> None:
    rows = ROWS  # read by DuckDB under this name
    wanted = duckdb.sql(f"SELECT coalesce({text}, false) FROM rows").fetchnumpy()
    asked = frozen(_json(parse(text)))
    assert asked == parse(text)
    assert holds(asked, lambda name: rows[name].combine_chunks()).tolist() == next(iter(wanted.values())).tolist()
    assert columns(asked) <= set(ROWS.column_names)
    assert misfit(asked, {"country": "category", "age": "integer", "score": "number", "vip": "boolean"}) == ""


def _json(parsed: object) -> object:
    return [_json(each) for each in parsed] if isinstance(parsed, tuple) else parsed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a column"),
        ("country", "expected a comparison"),
        ("country = PT", "expected a 'text'"),
        ("country = 'PT' AND", "expected a column"),
        ("country = 'PT') OR TRUE", "expected AND, OR or its end"),
        ("country = 'PT'; DROP TABLE x", "belongs to no condition"),
        ("__import__('os').system('x') = 1", "belongs to no condition"),
        ("country IN ()", "expected a 'text'"),
        ("country IN ('PT'", "expected )"),
        ("age NOT = 3", "expected a comparison"),
        ("age IS 3", "expected NULL"),
        ("age = 3x", "belongs to no condition"),
        ("(" * 100 + "a = 1" + ")" * 100, "nests too deep"),
        ("NOT " * 5000 + "a = 1", "more than 200 parts"),
        (" OR ".join(f"a = {n}" for n in range(5000)), "IN holds many values"),
    ],
)
def test_what_is_no_condition_is_told_where(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says.replace(")", r"\)")):
        parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("size = 3", "`size` is no input"),
        ("age = 1 AND country > 5", "`country` is of type category and is compared with a number"),
        ("NOT vip = 'yes'", "`vip` is of type boolean and is compared with a text"),
        ("vip > TRUE", "has no order"),
        ("age IN (1, 'two')", "compared with a text"),
    ],
)
def test_what_does_not_fit_the_inputs_is_told(text: str, says: str) -> None:
    assert says in misfit(parse(text), {"country": "category", "age": "integer", "vip": "boolean"})
