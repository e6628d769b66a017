"""Recognise columns that merely tell the time: a year, a month, a row number. They move in every window, and that is
no drift.

Only calendars that turn slower than windows do are looked for; an hour or a weekday comes round in every window and
is judged like any other column.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelyard.stats import arrow
from modelyard.stats.numeric import NumberLayout, read

SAMPLE = 5_000
AGREE = 0.95
TREND = 0.99
_VALUES = 400


def follows(array: pa.Array, layout: object, seconds: arrow.Floats) -> str:
    """What of its row's time a column tells ("month", "time itself"), or "". `seconds`: (n,) times since 1970, UTC.

    A calendar is recognised by its numbers or by any renaming of them, in whatever time zone.
    """
    order = np.argsort(seconds, kind="stable")
    rows = order[np.isfinite(seconds[order])]
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.int64)] if len(rows) else rows
    if len(rows) < 100:
        return ""
    picked, times = array.take(pa.array(rows)), seconds[rows]
    if isinstance(layout, NumberLayout) and layout.kind != "text":
        values = read(picked, layout.kind)
        assert values is not None, "a reference can be read as its own kind"
        present = np.isfinite(values)
        if present.sum() < 100:
            return ""
        return _trend(values[present], times[present]) or _calendar(values[present], times[present])
    if arrow.family(array.type) != "text":
        return ""
    codes, _ = arrow.codes(picked)
    return _calendar(codes[codes >= 0].astype(np.float64), times[codes >= 0], named=True)


def _trend(values: arrow.Floats, times: arrow.Floats) -> str:
    if len(np.unique(values)) <= _VALUES / 4 or np.std(times) == 0:
        return ""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    together = np.corrcoef(ranks, np.argsort(np.argsort(times, kind="stable"), kind="stable"))[0, 1]
    return "time itself" if abs(together) >= TREND else ""


def _calendar(values: arrow.Floats, times: arrow.Floats, *, named: bool = False) -> str:
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) > _VALUES:
        return ""
    for name, calendar in _calendars(times):
        if not named and np.mean(values == calendar) >= AGREE:
            return name
        if len(distinct) >= 3 and _same(codes, calendar):
            return name
    return ""


def _calendars(times: arrow.Floats) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    for offset in (0, *(sign * hours for hours in range(1, 13) for sign in (-1, 1))):
        day = ((times + 3600 * offset) // 86400).astype("int64").astype("datetime64[D]")
        month = day.astype("datetime64[M]")
        year = day.astype("datetime64[Y]")
        of_year = (day - year.astype("datetime64[D]")).astype(np.int64) + 1
        of_month = (month - year.astype("datetime64[M]")).astype(np.int64) + 1
        yield "year", year.astype(np.int64) + 1970
        yield "quarter", (of_month + 2) // 3
        yield "month", of_month
        yield "week of the year", _week(day)
        yield "day of the year", of_year
        yield "day of the month", (day - month.astype("datetime64[D]")).astype(np.int64) + 1


def _week(day: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """ISO 8601: the week that holds the day's Thursday."""
    weekday = (day.astype(np.int64) + 3) % 7
    thursday = day + (3 - weekday)
    return (thursday - thursday.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) // 7 + 1


def _same(codes: npt.NDArray[np.int64], calendar: npt.NDArray[np.int64]) -> bool:
    """Whether two labellings are each a function of the other, on 95% of rows."""
    _, other = np.unique(calendar, return_inverse=True)
    table = np.zeros((codes.max() + 1, other.max() + 1))
    np.add.at(table, (codes, other), 1)
    least = AGREE * len(codes)
    return bool(table.max(axis=0).sum() >= least and table.max(axis=1).sum() >= least)
