"""The frames that a function asks for: the same types for a table and for one row, with or without values."""

import datetime
import sys

import polars as pl
import pyarrow as pa
import pytest

from modelyard.errors import DataError
from modelyard.models import frame

DAY = datetime.date(2024, 2, 29)
TIME = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
TYPES = {"x": "number", "n": "integer", "yes": "boolean", "word": "category", "at": "timestamp", "day": "date"}
SIGNATURE = {"inputs": [{"name": name, "type": kind, "nullable": True} for name, kind in TYPES.items()]}
POLARS = pl.Schema(
    {
        "x": pl.Float64,
        "n": pl.Int64,
        "yes": pl.Boolean,
        "word": pl.String,
        "at": pl.Datetime("us", "UTC"),
        "day": pl.Date,
    }
)
FULL = {"x": 1.5, "n": 3, "yes": True, "word": "groß", "at": TIME, "day": DAY}


def test_polars_types_are_those_of_the_signature_whatever_is_missing():
    rows = pa.Table.from_pylist([FULL, dict.fromkeys(FULL)])
    assert frame.to_frame(rows, SIGNATURE, "polars").rows(named=True) == rows.to_pylist()
    nothing = pa.table({name: pa.nulls(2) for name in TYPES})
    as_floats = pa.table({**dict(zip(rows.column_names, rows.columns, strict=True)), "n": [3.0, float("nan")]})
    for table in (rows, rows.slice(0, 1), rows.slice(1), nothing, as_floats, rows.slice(0, 0)):
        assert frame.to_frame(table, SIGNATURE, "polars").schema == POLARS
    assert frame.to_frame(as_floats, SIGNATURE, "polars")["n"].to_list() == [3, None]


def test_not_a_number_is_missing_to_polars_as_it_is_to_pandas():
    rows = pa.table({"x": [1.0, float("nan"), None]})
    signature = {"inputs": SIGNATURE["inputs"][:1]}
    assert frame.to_frame(rows, signature, "polars")["x"].to_list() == [1.0, None, None]


def test_polars_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(DataError, match="needs the package polars, which is not installed here") as caught:
        frame.to_frame(pa.table({name: pa.nulls(1) for name in TYPES}), SIGNATURE, "polars")
    assert "pip install polars" in caught.value.hint
