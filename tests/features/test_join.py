"""Each row gets what its views knew at its time, and stays one row: the SQL agrees with a naive join in Python."""

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.features import Known, Shape, ViewJoin, join

START = datetime(2020, 1, 1, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")
ROWS = pa.schema([("id", pa.int64()), ("k", pa.string()), ("j", pa.int64()), ("t", TIME)])
VIEW = pa.schema(
    [("k", pa.string()), ("j", pa.int64()), ("at", TIME), ("v", pa.int64()), ("w", pa.int64()), ("b", TIME)]
)


def at(hours):
    return None if hours is None else START + timedelta(hours=hours)


def table(rows, schema):
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def joined(rows, view_rows, shape, *, ttl=None, time="t", as_of=START + timedelta(days=9)):
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone='UTC'")
    connection.register("rows", table(rows, ROWS))
    connection.register("view", table(view_rows, VIEW))
    columns = (("v", "v"), ("w", "view.w"))
    sql = join("SELECT * FROM rows", [ViewJoin(shape, '"view"', columns, ttl)], time=time, as_of=as_of)
    found = connection.execute(sql).to_arrow_table().sort_by("id").to_pylist()
    return [(row["id"], row["v"], row["view.w"]) for row in found]


def naive(rows, view_rows, shape, *, ttl=None, time="t", as_of=START + timedelta(days=9)):
    """The definition, row by row."""
    names, result = VIEW.names, []
    views = [dict(zip(names, row, strict=True)) for row in view_rows]

    def first_by_all_columns(view):
        return [(view[c] is None, view[c]) for c in sorted(names)]

    for row in rows:
        row = dict(zip(ROWS.names, row, strict=True))
        now = row["t"] if time else as_of
        found = [v for v in views if all(row[c] is not None and row[c] == v[c] for c in shape.key)]
        if shape.time:
            found = [v for v in found if v["at"] is not None and v["at"] <= now]
            found = [v for v in found if v["at"] == max(f["at"] for f in found)]
        found.sort(key=lambda view: [part if not part[0] else (True,) for part in first_by_all_columns(view)])
        if not found or (ttl is not None and shape.time and now - found[0]["at"] > ttl):
            result.append((row["id"], None, None))
            continue
        pick = found[0]
        known = not shape.known_at or (pick["b"] is not None and pick["b"] <= now)
        result.append((row["id"], pick["v"], pick["w"] if known else None))
    return result


COLUMNS = {"k": "string", "j": "integer", "at": "timestamp", "v": "integer", "w": "integer", "b": "timestamp"}
keys = st.sampled_from(["a", "b", 'ü"x', None])
small = st.one_of(st.none(), st.integers(0, 2))
hours = st.integers(0, 12).map(at)
view_rows = st.lists(
    st.tuples(keys, small, st.one_of(st.none(), hours), small, small, st.one_of(st.none(), hours)), max_size=12
)
some_rows = st.lists(st.tuples(keys, small, hours), max_size=8).map(
    lambda rows: [(i, *row) for i, row in enumerate(rows)]
)


@settings(max_examples=120, deadline=None)
@given(
    rows=some_rows,
    view=view_rows,
    key=st.sampled_from([("k",), ("k", "j")]),
    has_time=st.booleans(),
    known=st.booleans(),
    ttl=st.one_of(st.none(), st.integers(0, 6).map(lambda hours: timedelta(hours=hours))),
    row_time=st.sampled_from(["t", None]),
)
def test_the_join_is_the_naive_join(rows, view, key, has_time, known, ttl, row_time):
    known_at = (Known(("w",), at="b"),) if known else ()
    shape = Shape("view", COLUMNS, key, "at" if has_time else None, known_at)
    found = joined(rows, view, shape, ttl=ttl, time=row_time)
    assert found == naive(rows, view, shape, ttl=ttl, time=row_time)


@settings(max_examples=40, deadline=None)
@given(rows=some_rows, view=view_rows)
def test_a_distinct_view_joins_alike_without_looking_for_duplicates(rows, view):
    once = list({(row[0], row[2]): row for row in view if row[2] is not None}.values())
    plain = Shape("view", COLUMNS, ("k",), "at")
    distinct = Shape("view", COLUMNS, ("k",), "at", distinct=True)
    assert joined(rows, once, plain) == joined(rows, once, distinct)


@pytest.mark.parametrize(("hour", "value"), [(4, None), (5, 50), (8, 50), (9, None)])
def test_time_to_live_includes_its_end(hour, value):
    view = [("a", 0, at(5), 50, 0, None)]
    shape = Shape("view", COLUMNS, ("k",), "at")
    assert joined([(1, "a", 0, at(hour))], view, shape, ttl=timedelta(hours=3)) == [(1, value, 0 if value else None)]


@pytest.mark.parametrize(("hour", "value"), [(5, None), (6, None), (7, 1)])
def test_a_column_known_after_a_delay_is_null_until_then(hour, value):
    shape = Shape("view", COLUMNS, ("k",), "at", (Known(("w",), after=timedelta(hours=2)),))
    assert joined([(1, "a", 0, at(hour))], [("a", 0, at(5), 50, 1, None)], shape) == [(1, 50, value)]


def test_several_views_still_give_one_row_each():
    connection = duckdb.connect(config={"threads": 1})
    connection.register("rows", table([(1, "a", 1, at(3)), (2, None, 1, at(3))], ROWS))
    connection.register("view", table([("a", 1, at(1), 1, 2, None), ("a", 1, at(1), 3, 4, None)], VIEW))
    by_time = Shape("x", COLUMNS, ("k",), "at")
    as_now = Shape("y", COLUMNS, ("j",))
    views = [ViewJoin(by_time, '"view"', (("v", "x.v"),)), ViewJoin(as_now, '"view"', (("v", "y.v"),))]
    sql = join("SELECT id, k, j, t FROM rows", views, time="t", as_of=START)
    found = connection.execute(sql + " ORDER BY id").to_arrow_table()
    assert found.column_names == ["id", "k", "j", "t", "x.v", "y.v"]
    assert found.select(["id", "x.v", "y.v"]).to_pylist() == [
        {"id": 1, "x.v": 1, "y.v": 1},
        {"id": 2, "x.v": None, "y.v": 1},
    ]


def test_no_views_leave_the_rows_as_they_are():
    connection = duckdb.connect(config={"threads": 1})
    connection.register("rows", table([(1, "a", 1, at(3))], ROWS))
    assert connection.execute(join("SELECT * FROM rows", [], time=None, as_of=START)).to_arrow_table().num_columns == 4
