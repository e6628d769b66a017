"""Declared sources, datasets and feature views, and the checks of their rows."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field

from modelyard.spec.declared import Declared
from modelyard.spec.values import Columns, Duration, Scalar

Severity = Literal["error", "warn"]


ColumnType = Literal["string", "int", "float", "bool", "date", "timestamp"]


class TimeSql(Declared):
    """A time computed from other columns."""

    sql: str = Field(
        description="a DuckDB expression, such as make_date(y, m, d); it is no column: SQL of datasets that needs it says it again"
    )


class KnownAt(Declared):
    """Columns known later than their row: at the time in the column `at`, or `after` a delay."""

    columns: Columns = Field(description="the columns that are known later")
    at: str | None = Field(default=None, description="the column that holds the time at which they become known")
    after: Duration | None = Field(default=None, description="how long after the row's time they become known")


class Source(Declared):
    """Data somebody else owns: files, read-only."""

    uri: str = Field(description="a path or glob from the project's folder; .csv, .csv.gz, .csv.zip, .parquet")
    time: str | TimeSql | None = Field(default=None, description="the column with the row's time")
    timezone: str = Field(default="UTC", description="the zone of times that say none")
    freshness: Duration | None = Field(
        default=None, description="how old the newest row may be before the source is stale"
    )
    types: dict[str, ColumnType] = Field(default_factory=dict, description="types of columns that are not as inferred")
    nulls: tuple[str, ...] = Field(
        default=("", "NA", "NaN", "nan", "NULL", "null"), description="CSV texts that mean missing"
    )
    known_at: tuple[KnownAt, ...] = Field(default=(), description="columns known later than the row's time")


class Between(Declared):
    """A numeric range, ends included."""

    column: str = Field(description="the column that is checked")
    min: float | None = Field(default=None, description="the smallest allowed value")
    max: float | None = Field(default=None, description="the largest allowed value")


class Values(Declared):
    """The values a column may have."""

    column: str = Field(description="the column that is checked")
    allowed: tuple[Scalar, ...] = Field(description="its allowed values")


class RowCount(Declared):
    """How many rows there may be."""

    min: int | None = Field(default=None, ge=0, description="at least so many")
    max: int | None = Field(default=None, ge=0, description="at most so many")


class DataCheck(Declared):
    """One expectation on a dataset or feature view: exactly one of its keys, beside `severity`."""

    unique: Columns | None = Field(default=None, description="no two rows share these columns")
    not_null: Columns | None = Field(default=None, description="these columns have no missing values")
    between: Between | None = Field(default=None, description="a column's values lie in a range")
    values: Values | None = Field(default=None, description="a column has no other values than these")
    row_count: RowCount | None = Field(default=None, description="the number of rows lies in a range")
    freshness: Duration | None = Field(default=None, description="the newest row is at most so old")
    python: str | None = Field(
        default=None, description="module:function(frame) -> bool, or a message, or the failing rows"
    )
    severity: Severity = Field(default="error", description="an error keeps the version from being used")


class Dataset(Declared):
    """A versioned table made from sources or datasets by SQL (DuckDB) or a Python function."""

    sql: str | None = Field(default=None, description="the path of an .sql file, or the query itself")
    python: str | None = Field(
        default=None, description="module:function; receives its inputs by name, returns a table"
    )
    from_: Columns = Field(
        default=(),
        validation_alias=AliasChoices("from", "from_"),
        serialization_alias="from",
        description="inputs of `python`; those of `sql` are found in it",
    )
    key: Columns = Field(
        default=(),
        description="the columns that identify a row, by which labels can be joined; never inputs, except under a second name",
    )
    time: str | None = Field(default=None, description="the column with the row's time")
    timezone: str = Field(default="UTC", description="the zone of times that say none")
    known_at: tuple[KnownAt, ...] = Field(default=(), description="columns known later than the row's time")
    checks: tuple[DataCheck, ...] = Field(default=(), description="expectations on every version")
    was: str | None = Field(default=None, description="its former name, whose history goes on")


class FeatureView(Declared):
    """Columns of an entity, with their time; joined as they were known at the row's time."""

    entity: Columns = Field(description="the columns by which a dataset's rows are joined")
    from_: str = Field(
        validation_alias=AliasChoices("from", "from_"),
        serialization_alias="from",
        description="the source or dataset it is made from",
    )
    sql: str | None = Field(
        default=None, description="the path of an .sql file, or the query itself; default: all columns"
    )
    time: str | None = Field(
        default=None, description="the column with the row's time; default: the time of what it is made from"
    )
    timezone: str = Field(default="UTC", description="the zone of times that say none")
    ttl: Duration | None = Field(default=None, description="how old a row may be and still be joined")
    known_at: tuple[KnownAt, ...] = Field(default=(), description="columns known later than the row's time")
    checks: tuple[DataCheck, ...] = Field(default=(), description="expectations on every version")
    was: str | None = Field(default=None, description="its former name, whose history goes on")
