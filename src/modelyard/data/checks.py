"""Declared expectations on a dataset or feature view, and what was found: counts, shares, and a few keys.

A finding never holds values other than keys. Missing values fail `not_null` alone; NaN is a missing value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal

import duckdb

from modelyard.data import duck, kinds
from modelyard.data.functions import Caller
from modelyard.errors import DataError, UserCodeError
from modelyard.features.sql import identifier, identifiers, text
from modelyard.records import Json, State, Verdict
from modelyard.spec.tables import Between, DataCheck, RowCount, Values
from modelyard.spec.values import Columns, show_duration

_KEYS = 5


@dataclass(frozen=True)
class Checked:
    """A table under examination: `relation` in `connection`, `columns` name to DuckDB's type, rows, key, time."""

    connection: duckdb.DuckDBPyConnection
    relation: str
    columns: dict[str, str]
    rows: int
    key: tuple[str, ...]
    time: str | None
    as_of: datetime
    caller: Caller


@dataclass(frozen=True)
class Finding:
    """What one check found; `says` is a sentence, `detail` has count, rows, share and up to five sample keys."""

    check: str
    state: State
    says: str
    detail: Json = field(default_factory=dict)
    severity: Literal["error", "warn"] = "error"

    def verdict(self, *, entity: str, subject: str, at: datetime) -> Verdict:
        """The finding as a record about the version with the digest `subject`."""
        return Verdict(
            entity=entity,
            subject=subject,
            check=self.check,
            severity=self.severity,
            state=self.state,
            says=self.says,
            detail=self.detail,
            at=at,
        )


def examine(table: Checked, checks: Sequence[DataCheck], *, key: tuple[str, ...] = ()) -> list[Finding]:
    """Every finding on `table`: of the declared `checks`, and of those that go without saying: there are rows, each has
    its declared `key`, and no two share it."""
    return [_judged(table, check) for check in (*_implied(checks, key), *checks)]


def declared(check: DataCheck) -> Json:
    """A check as it was declared: what tells it from others."""
    return check.model_dump(mode="json", by_alias=True, exclude_none=True)


def _judged(table: Checked, check: DataCheck) -> Finding:
    found = _one(table, check)
    return replace(found, severity=check.severity, detail=found.detail | {"declared": declared(check)})


def _implied(checks: Sequence[DataCheck], key: tuple[str, ...]) -> list[DataCheck]:
    implied = []
    if not any(check.row_count and check.row_count.min is not None for check in checks):
        implied.append(DataCheck.model_validate({"row_count": {"min": 1}}))
    if key and not any(check.unique and set(check.unique) == set(key) for check in checks):
        implied.append(DataCheck.model_validate({"unique": key}))
    if key and not any(check.not_null and set(check.not_null) >= set(key) for check in checks):
        implied.append(DataCheck.model_validate({"not_null": key}))
    return implied


def _one(table: Checked, check: DataCheck) -> Finding:
    try:
        if check.unique is not None:
            return _unique(table, check.unique)
        if check.not_null is not None:
            return _not_null(table, check.not_null)
        if check.between is not None:
            return _between(table, check.between)
        if check.values is not None:
            return _values(table, check.values)
        if check.row_count is not None:
            return _row_count(table, check.row_count)
        if check.freshness is not None:
            return _freshness(table, check.freshness)
        if check.python is not None:
            return _function(table, check.python)
    except (DataError, UserCodeError) as error:
        return Finding(
            _name(check), "fail", f"{_name(check)} cannot be judged: {error.message}. {error.hint or ''}".strip()
        )
    raise DataError("a check names nothing to look at", hint="Give it one of unique, not_null, between, values, ...")


def _unique(table: Checked, columns: Columns) -> Finding:
    name = f"unique({', '.join(columns)})"
    _need(table, columns)
    listed = identifiers(columns)
    present = " AND ".join(f"NOT {_missing(table, c)}" for c in columns)
    groups = (
        f"SELECT {listed}, count(*) AS n FROM {table.relation} WHERE {present} GROUP BY {listed} HAVING count(*) > 1"
    )
    found = duck.row(table.connection, f"SELECT coalesce(sum(n), 0)::BIGINT AS n, count(*) AS keys FROM ({groups})")
    if not found["n"]:
        return Finding(name, "pass", f"no two rows share {_words(columns)}", _detail(table, 0))
    shown = _sample(table.connection, f"SELECT {listed} FROM ({groups}) ORDER BY {listed} LIMIT {_KEYS}")
    says = f"{_share(table, found['n'])} share {_words(columns)} with another row ({found['keys']} repeated values)"
    # Repeated values are shown only where they are the key.
    keys = shown if set(columns) <= set(table.key) else []
    return Finding(name, "fail", says, _detail(table, found["n"], keys))


def _not_null(table: Checked, columns: Columns) -> Finding:
    name = f"not_null({', '.join(columns)})"
    _need(table, columns)
    missing = {c: _missing(table, c) for c in columns}
    counts = ", ".join(f"count_if({condition}) AS {identifier(c)}" for c, condition in missing.items())
    found = duck.row(table.connection, f"SELECT {counts} FROM {table.relation}")
    bad = {column: n for column, n in found.items() if n}
    if not bad:
        return Finding(
            name,
            "pass",
            f"{_words(columns)} {'has' if len(columns) == 1 else 'have'} no missing value",
            _detail(table, 0),
        )
    says = "; ".join(f"{column} is missing in {_share(table, n)}" for column, n in bad.items())
    worst = max(bad.values())
    return _failed(table, name, says, worst, " OR ".join(missing[c] for c in bad), columns=bad)


def _between(table: Checked, between: Between) -> Finding:
    bounds = f"{_number(between.min)}..{_number(between.max)}"
    name = f"between({between.column}, {bounds})"
    _need(table, [between.column])
    if kinds.shown(table.columns[between.column]) not in ("integer", "number"):
        raise DataError(f"{between.column!r} is {kinds.shown(table.columns[between.column])}, not a number")
    column = identifier(between.column)
    outside = [f"{column} < {between.min!r}"] if between.min is not None else []
    outside += [f"{column} > {between.max!r}"] if between.max is not None else []
    real = "" if kinds.shown(table.columns[between.column]) == "integer" else f"NOT isnan({column}) AND "
    condition = f"{real}({' OR '.join(outside) or 'FALSE'})"
    count = _count(table, condition)
    if not count:
        return Finding(name, "pass", f"{between.column} is within {bounds}", _detail(table, 0))
    return _failed(table, name, f"{between.column} is outside {bounds} in {_share(table, count)}", count, condition)


def _values(table: Checked, values: Values) -> Finding:
    name = f"values({values.column})"
    _need(table, [values.column])
    kind = kinds.shown(table.columns[values.column])
    if kind == "list":
        raise DataError(f"{values.column!r} is a list")
    column = identifier(values.column)
    allowed = [_literal(value, kind) for value in values.allowed if value is not None]
    known = ", ".join(one for one in allowed if one is not None)
    value = f"CAST({column} AS VARCHAR)" if kind in ("date", "timestamp") else column
    condition = f"NOT {_missing(table, values.column)}" + (f" AND {value} NOT IN ({known})" if known else "")
    count = _count(table, condition)
    if not count:
        return Finding(name, "pass", f"{values.column} has only allowed values", _detail(table, 0))
    others = duck.row(table.connection, f"SELECT count(DISTINCT {column}) AS n FROM {table.relation} WHERE {condition}")
    says = f"{values.column} has values that are not allowed in {_share(table, count)} ({others['n']} different ones)"
    return _failed(table, name, says, count, condition)


def _row_count(table: Checked, bounds: RowCount) -> Finding:
    name = f"row_count({_number(bounds.min)}..{_number(bounds.max)})"
    detail = {"rows": table.rows}
    if bounds.min is not None and table.rows < bounds.min:
        visible = (
            f"no row is visible at {table.as_of:%Y-%m-%d %H:%M} UTC"
            if not table.rows
            else f"there are {table.rows} rows"
        )
        return Finding(name, "fail", f"{visible}, at least {bounds.min} expected", detail)
    if bounds.max is not None and table.rows > bounds.max:
        return Finding(name, "fail", f"there are {table.rows} rows, at most {bounds.max} expected", detail)
    return Finding(name, "pass", f"there are {table.rows} rows", detail)


def _freshness(table: Checked, limit: timedelta) -> Finding:
    name = f"freshness({show_duration(limit)})"
    if table.time is None:
        raise DataError("there is no time to tell how old the rows are", hint="Declare `time`.")
    newest = duck.row(table.connection, f"SELECT max({identifier(table.time)}) AS t FROM {table.relation}")["t"]
    if newest is None:
        return Finding(name, "insufficient_data", "there is no row to tell how old the data is", {"rows": 0})
    age = table.as_of - newest
    detail = {"newest": newest.isoformat(), "age_seconds": age.total_seconds(), "rows": table.rows}
    says = f"the newest row is {show_duration(timedelta(seconds=round(age.total_seconds())))} old"
    if age > limit:
        return Finding(name, "fail", f"{says}, at most {show_duration(limit)} expected", detail)
    return Finding(name, "pass", says, detail)


def _function(table: Checked, function: str) -> Finding:
    frame = duck.arrow(table.connection, f"SELECT * FROM {table.relation}")
    found = table.caller.judge(function, frame, table.key, where="check")
    count = found["count"]
    detail = _detail(table, count, found["keys"]) if count is not None else {"rows": table.rows}
    if found["ok"]:
        return Finding(function, "pass", f"{function} found nothing wrong", detail)
    says = f"{function} says: {found['says']}" if found["says"] else f"{function} says no"
    return Finding(function, "fail", f"{function} returned {_share(table, count)}" if count else says, detail)


def _failed(table: Checked, name: str, says: str, count: int, condition: str, **more: Any) -> Finding:
    keys: list[Any] = []
    if table.key:
        listed = identifiers(table.key)
        sql = f"SELECT {listed} FROM {table.relation} WHERE {condition} ORDER BY {listed} LIMIT {_KEYS}"
        keys = _sample(table.connection, sql)
    return Finding(name, "fail", says, _detail(table, count, keys) | more)


def _sample(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    found: list[Any] = json.loads(json.dumps(duck.dicts(connection, sql), default=str))
    return found


def _detail(table: Checked, count: int, keys: Sequence[Any] = ()) -> Json:
    share = round(count / table.rows, 6) if table.rows else 0.0
    return {"count": count, "rows": table.rows, "share": share, "keys": list(keys)}


def _count(table: Checked, condition: str) -> int:
    found: int = duck.row(table.connection, f"SELECT count_if({condition}) AS n FROM {table.relation}")["n"]
    return found


def _missing(table: Checked, column: str) -> str:
    name = identifier(column)
    nan = f" OR isnan({name})" if kinds.shown(table.columns[column]) == "number" else ""
    return f"({name} IS NULL{nan})"


def _need(table: Checked, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in table.columns:
            near = get_close_matches(column, list(table.columns), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(table.columns)}."
            raise DataError(f"there is no column {column!r}", hint=hint)


def _literal(value: Any, kind: str) -> str | None:
    """An allowed value as SQL, for a column of that kind; None when no value of the column can equal it."""
    if kind not in ("integer", "number", "boolean"):
        return text(value if isinstance(value, str) else json.dumps(value))
    if isinstance(value, bool) or (kind == "boolean" and str(value).lower() in ("true", "false")):
        return str(value).upper()
    try:
        number = value if isinstance(value, int) else float(value)
    except ValueError:
        return None
    return repr(number) if isinstance(number, int) or math.isfinite(number) else f"'{number}'::DOUBLE"


def _name(check: DataCheck) -> str:
    declared = check.model_dump(mode="json", exclude_none=True, exclude={"severity"})
    return next((f"{key}({json.dumps(value, ensure_ascii=False)})" for key, value in declared.items()), "check")


def _share(table: Checked, count: int) -> str:
    share = count / table.rows if table.rows else 0.0
    return f"{count:,} of {table.rows:,} rows ({share:.2%})"


def _words(columns: Sequence[str]) -> str:
    return columns[0] if len(columns) == 1 else f"{', '.join(columns[:-1])} and {columns[-1]}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
