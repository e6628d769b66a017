"""Recognise columns that merely tell the time: a year, a month, a row number. They move in every window, and that is
no drift.

Only calendars that turn slower than windows do are looked for; an hour or a weekday comes round in every window and
is judged like any other column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelyard.stats import arrow
from modelyard.stats.category import CategoryLayout
from modelyard.stats.numeric import NumberLayout

SAMPLE = 5_000
AGREE = 0.95
TREND = 0.99
_VALUES = 400


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows in order of time, at most 5,000 of them evenly apart, with what every calendar shows at their times."""

    rows: npt.NDArray[np.int64]
    times: arrow.Floats
    pages: tuple[Page, ...]

    @classmethod
    def of(cls, seconds: arrow.Floats) -> Sample:
        """Of (n,) times since 1970, UTC; not finite ones are left out."""
        order = np.argsort(seconds, kind="stable")
        rows = order[np.isfinite(seconds[order])]
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.int64)] if len(rows) else rows
        times = seconds[rows]
        return cls(rows, times, tuple(Page.of(name, values) for name, values in _calendars(times)))


@dataclass(frozen=True, eq=False)
class Page:
    """What one calendar shows at each time: its `values`, and the same as codes from 0."""

    name: str
    values: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, name: str, values: npt.NDArray[np.int64]) -> Page:
        """Of the values at each time."""
        return cls(name, values, np.unique(values, return_inverse=True)[1])


def follows(array: pa.Array, layout: object, sample: Sample) -> str:
    """What of its row's time a column tells ("month", "time itself"), or "".

    A calendar is recognised by its numbers or by any renaming of them, in whatever time zone.
    """
    if len(sample.rows) < 100:
        return ""
    picked = array.take(pa.array(sample.rows))
    if isinstance(layout, NumberLayout):
        values = arrow.numbers(picked)[0]
        present = np.isfinite(values)
        if present.sum() < 100:
            return ""
        return _trend(values[present], sample.times[present]) or _calendar(values[present], present, sample.pages)
    if arrow.family(array.type) != "text" or not isinstance(layout, CategoryLayout):
        return ""
    codes, _ = arrow.codes(picked)
    return _calendar(codes[codes >= 0].astype(np.float64), codes >= 0, sample.pages, named=True)


def _trend(values: arrow.Floats, times: arrow.Floats) -> str:
    if len(np.unique(values)) <= _VALUES / 4 or np.std(times) == 0:
        return ""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    together = np.corrcoef(ranks, np.argsort(np.argsort(times, kind="stable"), kind="stable"))[0, 1]
    return "time itself" if abs(together) >= TREND else ""


def _calendar(
    values: arrow.Floats, present: npt.NDArray[np.bool_], pages: tuple[Page, ...], *, named: bool = False
) -> str:
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) > _VALUES:
        return ""
    rows = slice(None) if present.all() else present
    for page in pages:
        if not named and np.mean(values == page.values[rows]) >= AGREE:
            return page.name
        if len(distinct) >= 3 and _same(codes, page.codes[rows]):
            return page.name
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


def _same(codes: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> bool:
    """Whether two labellings are each a function of the other, on 95% of rows."""
    width = int(other.max()) + 1
    pairs = np.bincount(codes * width + other, minlength=(int(codes.max()) + 1) * width)
    table = pairs.reshape(-1, width)
    least = AGREE * len(codes)
    return bool(table.max(axis=0).sum() >= least and table.max(axis=1).sum() >= least)
