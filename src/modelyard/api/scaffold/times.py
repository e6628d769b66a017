"""The time of a table's rows: a column, a number such as 20240131, or put together from year, month and day; and the numbers a model takes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from modelyard.api.scaffold import roles
from modelyard.api.scaffold.look import Column, Table
from modelyard.data.times import moment
from modelyard.errors import DataError
from modelyard.features.sql import identifier, text

COMPOSED = "row_date"
TELLS = "it tells the date: rows to come have values that were never seen"
_DAY, _TWO_YEARS = timedelta(days=1), timedelta(days=730)


@dataclass(frozen=True)
class Time:
    """`column` is the dataset's time; `computed` its SQL when the source has none such; `sql` is it in UTC."""

    column: str
    computed: str | None
    sql: str
    start: datetime
    end: datetime
    last_fifth: timedelta
    derived: dict[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    @property
    def span(self) -> timedelta:
        """From the first row to the last."""
        return self.end - self.start


def find(table: Table, target: str, given: str | None) -> Time | None:
    """The time named by the user, else the one guessed; None without one. DataError when the named one is no time."""
    if given is not None:
        if given == target:
            raise DataError(
                f"{given!r} is the target, so it cannot be the time", where=table.where, hint="Name another."
            )
        return _time(table, given, None, table.moment(given), target)
    guessed = roles.time(table.columns.values(), target)
    if guessed is not None:
        return _time(table, guessed, None, table.moment(guessed), target)
    found = compact(table.columns, target) or composed(table.columns, target)
    if found is None or COMPOSED in table.columns:
        return None
    computed, year, month = found
    bad = table.row(f"SELECT count(*) - count(TRY({computed})) AS bad FROM {{t}}")["bad"]
    if bad:
        return None
    sql = moment(f"({computed})", "DATE", role="time", timezone="UTC", where="")
    time = _time(table, COMPOSED, computed, sql, target)
    if time is None:
        return None
    return replace(time, told=tuple(dict.fromkeys((year, *((month,) if time.span < _TWO_YEARS else ()), *time.told))))


def _time(table: Table, column: str, computed: str | None, sql: str, target: str) -> Time | None:
    found = table.row(
        f"SELECT min(t) AS low, max(t) AS high, to_timestamp(quantile_cont(epoch(t), 0.8)) AS late, count(t) AS rows,"
        f" count(DISTINCT hour(t)) AS hours, count(DISTINCT day(t)) AS days, count(DISTINCT month(t)) AS months FROM (SELECT {sql} AS t, {identifier(target)} AS y FROM {{t}}) WHERE y IS NOT NULL"
    )
    low, high = found["low"], found["high"]
    if not found["rows"] or not isinstance(low, datetime) or not isinstance(high, datetime) or low == high:
        return None
    late = found["late"]
    assert isinstance(late, datetime)
    read = computed or identifier(column)
    derived = {}
    if found["hours"] != 1:
        derived["hour_of_day"] = f"hour({read})"
    if high - low >= 3 * _DAY and found["days"] > 1:
        derived["weekday"] = f"isodow({read})"
    if high - low >= _TWO_YEARS and found["months"] > 1:
        derived["month_of_year"] = f"month({read})"
    free = {name: value for name, value in derived.items() if name not in table.columns}
    told = _told(table, sql, {target, column}, months=high - low < _TWO_YEARS)
    return Time(column, computed, sql, low, high, max(high - late, timedelta(hours=1)), free, told)


def _told(table: Table, sql: str, taken: set[str], *, months: bool) -> tuple[str, ...]:
    """Columns that stand for the year of the row's time, or in less than two years for its month, under any name."""
    few = [c.name for c in table.columns.values() if c.name not in taken and 2 <= c.distinct <= 200 and not c.missing]
    parts = {"year": "year(t)"} | ({"month": "month(t)"} if months else {})
    if not few:
        return ()
    asked = [f"count(DISTINCT {part}) AS {word}" for word, part in parts.items()]
    for number, name in enumerate(few):
        pairs = (f"count(DISTINCT ({identifier(name)}, {part})) AS {word}{number}" for word, part in parts.items())
        asked += [*pairs, f"count(DISTINCT {identifier(name)}) AS own{number}"]
    found = table.row(f"SELECT {', '.join(asked)} FROM (SELECT *, {sql} AS t FROM {{t}})")
    return tuple(
        name
        for number, name in enumerate(few)
        if any(found[word] == found[f"{word}{number}"] == found[f"own{number}"] >= 2 for word in parts)
    )


def compact(columns: Mapping[str, Column], target: str) -> tuple[str, str, str] | None:
    """SQL of a date out of whole numbers such as 20240131 in a column named like a date, and twice its name, as
    `composed` has it; None where there is none.
    """
    for name, column in columns.items():
        if (
            name != target
            and roles.TIME_HINT.search(name)
            and not column.missing
            and _between(column, 18_000_101, 22_001_231)
        ):
            return f"CAST(strptime(CAST({identifier(name)} AS VARCHAR), '%Y%m%d') AS DATE)", name, name
    return None


def composed(columns: Mapping[str, Column], target: str) -> tuple[str, str, str] | None:
    """SQL of a date out of columns such as year, month, day or arrival_date_year, arrival_date_month, ...

    Beside it the names of the columns with the year and the month; None where there are none.
    """
    for name, column in columns.items():
        match = re.fullmatch(r"(.*?)_?year", name, re.IGNORECASE)
        if not match or column.kind != "integer" or name == target or not _between(column, 1800, 2200):
            continue
        month = _beside(columns, match[1], r"month", target)
        day = _beside(columns, match[1], r"day(_of_month)?|mday", target)
        if month is None or day is None or not _between(columns[day], 1, 31):
            continue
        if columns[month].kind == "integer" and _between(columns[month], 1, 12):
            return f"make_date({identifier(name)}, {identifier(month)}, {identifier(day)})", name, month
        if columns[month].kind == "string" and columns[month].distinct <= 12:
            number = f"month(strptime({identifier(month)}[1:3], {text('%b')}))"
            return f"make_date({identifier(name)}, {number}, {identifier(day)})", name, month
    return None


def _beside(columns: Mapping[str, Column], prefix: str, word: str, target: str) -> str | None:
    pattern = re.compile(rf"{re.escape(prefix)}_?({word})", re.IGNORECASE)
    return next((n for n in columns if n != target and pattern.fullmatch(n) and columns[n].missing == 0), None)


def _between(column: Column, low: int, high: int) -> bool:
    return column.kind == "integer" and column.low is not None and low <= column.low and column.high <= high
