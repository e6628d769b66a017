"""SQL as text: its normal form, and the tables it reads."""

from __future__ import annotations

import pytest

from modelyard.errors import InputError
from modelyard.spec.sql import normalise, read_sql, tables


@pytest.mark.parametrize(
    "other",
    [
        "SELECT a, b AS c FROM t WHERE x = 'it''s -- no comment'",
        "select a,b as c\nfrom t -- a comment\nwhere x='it''s -- no comment';",
        "/* one /* nested */ */ SELECT a , b AS c FROM t WHERE x = 'it''s -- no comment' ; ;",
        "SELECT a, b /* it's */ AS c FROM t -- don't\nWHERE x = 'it''s -- no comment'",
    ],
)
def test_comments_spaces_and_the_case_of_keywords_mean_nothing(other: str) -> None:
    assert normalise(other) == "SELECT a , b AS c FROM t WHERE x = 'it''s -- no comment'"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT A FROM t"),
        ("SELECT 'a  b'", "SELECT 'a b'"),
        ("SELECT 'SELECT'", "SELECT 'select'"),
        ('SELECT "select"', 'SELECT "SELECT"'),
        ("SELECT $$ -- x $$", "SELECT $$ -- y $$"),
        ("SELECT ab", "SELECT a b"),
    ],
)
def test_names_and_texts_mean_what_they_say(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT * FROM flights", {"flights"}),
        ("FROM Flights ASOF JOIN weather USING (origin, time_hour)", {"flights", "weather"}),
        ("SELECT (SELECT max(x) FROM planes) FROM flights NATURAL JOIN weather", {"planes", "flights", "weather"}),
        ("WITH w AS (SELECT * FROM weather) SELECT * FROM w", {"weather"}),
        ("WITH weather AS (SELECT * FROM weather) SELECT * FROM weather", {"weather"}),
        ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t, u", {"u"}),
        ("SELECT * FROM range(10), flights -- FROM nothing", {"flights"}),
        ("PIVOT flights ON carrier USING count(*)", {"flights"}),
        ("SELECT 'FROM x' FROM \"flights\"", {"flights"}),
        ("SELECT * FROM a.b", {"a.b"}),
        ("SELECT 1", set()),
    ],
)
def test_the_tables_of_a_query(sql: str, read: set[str]) -> None:
    assert tables(sql) == read


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT 1;\nSELECT 2", "expected one query, not 2"),
        (" -- nothing", "empty"),
        ("SELECT *\nFROM t\nWHER x", "in line 3"),
    ],
)
def test_what_is_no_query_is_refused(sql: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        tables(sql)


def test_a_name_of_a_file_is_read_and_other_text_is_the_sql(tmp_path) -> None:
    (tmp_path / "a.sql").write_text("SELECT 1")
    assert read_sql(tmp_path, "a.sql") == "SELECT 1"
    assert read_sql(tmp_path, "SELECT 2 -- a.sql") == "SELECT 2 -- a.sql"
    with pytest.raises(InputError, match="outside"):
        read_sql(tmp_path / "sub", "../a.sql")
    with pytest.raises(InputError, match=r"Did you mean `a\.sql`"):
        read_sql(tmp_path, "aa.sql")


@pytest.mark.parametrize(
    ("query", "word"),
    [("SELECT at, x FROM t", "at"), ("SELECT x,\n  order\nFROM t", "order"), ("SELECT end, x FROM t", "end")],
)
def test_a_column_that_is_a_word_of_sql_is_to_be_quoted(query, word):
    with pytest.raises(InputError) as caught:
        tables(query)
    assert f'write "{word}" in double quotes' in (caught.value.hint or "")


def test_any_other_mistake_gets_no_such_advice():
    with pytest.raises(InputError) as caught:
        tables("SELECT a b c FROM t")
    assert caught.value.hint is None
