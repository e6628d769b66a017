"""Compare two tables alone: no project, no store, no history.

>>> import pyarrow as pa
>>> before, after = {"age": list(range(20, 70)) * 20}, {"age": list(range(60, 110)) * 20}
>>> compare_frames(pa.table(before), pa.table(after))["columns"][0]["verdict"]
'page'
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.stats import arrow, checks, hashing, joint, natural, recoded, remade
from modelyard.stats.causes import Cause
from modelyard.stats.checks import ALPHA, PAGE, WARN
from modelyard.stats.cures import CURES
from modelyard.stats.distance import heap
from modelyard.stats.drift import FEWEST_ROWS, HOPELESS, ROWS, ColumnResult, compare, severity
from modelyard.stats.groups import Groups
from modelyard.stats.numeric import NumberLayout, ranked
from modelyard.stats.profile import Column, Profile, count, windows
from modelyard.stats.significance import proportions
from modelyard.stats.tables import as_table
from modelyard.stats.tally import Tally

JOINT = "(joint)"
CHANCE = 0.01
MOST_NEW, TELLING = 50, 8
GAPS = 4
"""Numbers of rows have at most so many between two, on average: of samples of them too."""
LESS = {"missing", "schema", "stuck", "precision"}
"""Kinds of trouble by which a column tells fewer rows apart."""


@dataclass(frozen=True)
class Comparison:
    """Both profiles, what was found of each column, worst first, and of whole rows and all columns together."""

    reference: Profile
    current: Profile
    results: tuple[ColumnResult, ...]
    rows: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The shape of `yard drift` (DESIGN section 9)."""
        return {"rows": self.rows, "columns": [result.as_json() for result in self.results]}


def compare_frames(reference: Any, current: Any, **options: Any) -> dict[str, Any]:
    """What differs between two tables: `{"rows": {...}, "columns": [...]}`, worst column first.

    Tables may be Arrow, pandas, Polars, NumPy of two dimensions (or with named fields), a mapping of columns, a list of rows
    that are mappings, or anything that speaks Arrow's C stream (TypeError for what is none of these). Options are those of `examine`. What concerns whole rows or several columns at once stands among the columns as "(rows)" and
    "(joint)", when there is something to say of it.
    """
    return examine(reference, current, **options).as_json()


def examine(
    reference: Any,
    current: Any,
    *,
    key: Sequence[str] = (),
    time: str | None = None,
    columns: Collection[str] | None = None,
    exclude: Collection[str] = (),
    min_rows: int = FEWEST_ROWS,
    warn: float = WARN,
    page: float = PAGE,
    together: bool = True,
) -> Comparison:
    """Compare two tables, with all there is to know.

    `key`: columns that name a row; they are no values, and must not come twice. `time`: the column with each row's time:
    the reference's own windows then say what is usual. `columns`, `exclude`: which columns are looked at. `min_rows` on
    either side, else insufficient data. `warn`, `page`: limits of the debiased PSI. `together=False` leaves out the
    classifier that looks at all columns at once. ValueError names a column that is in neither table.
    """
    key, columns, exclude = _names(key), None if columns is None else _names(columns), _names(exclude)
    known, now = as_table(reference), as_table(current)
    _must_be_there([*key, *(columns or ()), *exclude, *([time] if time else [])], known, now)
    passed_over = {*key, *exclude, *([time] if time else [])}
    first, second = (_only(table, columns, passed_over) for table in (known, now))
    times = _times(known[time], time) if time and time in known.column_names else None
    profile = Profile.of(first, time=times)
    window = Profile.of(second, profile)
    profile = _numbered(profile, window, first, second)
    span = _span(now, time)
    limits: dict[str, Any] = {"warn": warn, "page": page, "min_rows": min_rows, "span": span}
    results = compare(profile, window, **limits)
    causes = {}
    if min(len(first), len(second)) >= HOPELESS:
        causes = _causes(profile, window, (first, second), results, _weeks(times, span))
    moved = [found.column for found in results if found.kinds]
    if moved or causes:
        profile, window = _ranked(profile, first, [*moved, *causes]), _ranked(window, second, [*moved, *causes])
        results = compare(profile, window, told=causes, **limits)
    results = [*_told_apart(results, profile, first), *_not_compared(profile)]
    results = [_called(found, profile, window, second) for found in results]
    results += _hardly_any(profile.rows, window.rows, min_rows)
    rows = _rows(profile, window)
    if key:
        results += _keys(known, now, key, rows)
    if together and not _few(first, second, min_rows):
        results += _together(profile, first, second, [each for each in results if (each.psi or 0.0) < warn], rows)
    told = sorted(map(_with_cure, results), key=lambda found: -severity(found.verdict))
    return Comparison(profile, window, tuple(told), rows)


def _names(names: Collection[str]) -> tuple[str, ...]:
    """One name is a list of one."""
    return (names,) if isinstance(names, str) else tuple(names)


def _must_be_there(names: Sequence[str], first: pa.Table, second: pa.Table) -> None:
    there = {*first.column_names, *second.column_names}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise ValueError(f"no column {unknown[0]!r}; there are: {', '.join(sorted(there)) or 'none'}")


def _only(table: pa.Table, columns: Collection[str] | None, passed_over: Collection[str]) -> pa.Table:
    kept = [n for n in table.column_names if (columns is None or n in columns) and n not in passed_over]
    return table.select(kept)


def _few(first: pa.Table, second: pa.Table, min_rows: int) -> bool:
    return min(first.num_rows, second.num_rows) < max(min_rows, joint.FEWEST)


def _times(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Seconds, also of times that are written as text. ValueError for what is neither a time nor a number."""
    seconds, unread = arrow.numbers(arrow.plain(column))
    if unread is not None and unread.any():
        raise ValueError(f"column {name!r} holds no times, or some that cannot be read")
    return pa.array(seconds, from_pandas=True)


def _span(table: pa.Table, time: str | None) -> float | None:
    """The seconds that the window's times cover."""
    if time is None or time not in table.column_names:
        return None
    ends = pc.min_max(_times(table[time], time)).as_py()
    return ends["max"] - ends["min"] if ends["min"] is not None else None


def _not_compared(profile: Profile) -> list[ColumnResult]:
    """Columns of types that cannot be profiled: said, not passed over in silence."""
    return [
        ColumnResult(
            column=name,
            verdict="insufficient_data",
            kinds=(),
            psi=None,
            p_value=None,
            before={"type": kind},
            after={},
            says=f"{name}: columns of type {kind} are not compared.",
            effects={},
        )
        for name, kind in profile.ignored.items()
    ]


def _told_apart(results: Sequence[ColumnResult], profile: Profile, known: pa.Table) -> list[ColumnResult]:
    """Without rows that repeat only because columns that alarm themselves hold less than they did: so it may be when the
    reference's rows repeat as much without these columns."""
    lost = {found.column for found in results if severity(found.verdict) >= severity("warn") and LESS & {*found.kinds}}
    repeating = next((found for found in results if found.column == ROWS and found.kinds == ("duplicates",)), None)
    if repeating is None or not lost:
        return list(results)
    names = [name for name in profile.columns if name not in lost]
    distinct, rows = _distinct(known.select(names), profile), known.num_rows
    alike = 1 - distinct / rows if names else 1.0
    return [found for found in results if found is not repeating or alike < repeating.after["repeated"]]


def _called(found: ColumnResult, profile: Profile, window: Profile, now: pa.Table) -> ColumnResult:
    """A lost column, with the name that it seems to have now: written otherwise, or the only new one whose values are like
    those that it had."""
    if found.kinds != ("schema",) or found.after or found.column not in profile.columns or now.num_rows < HOPELESS:
        return found
    new, column = list(window.extra)[:MOST_NEW], profile.columns[found.column]
    names = [name for name in new if recoded.plain(name) == recoded.plain(found.column)]
    names = names or [name for name in new if _like(column, now[name])]
    return found if len(names) != 1 else replace(found, says=f"{found.says} Is it '{names[0]}' now?")


def _like(column: Column, values: pa.ChunkedArray) -> bool:
    """Whether values are like those of a column that tells: of two values each column is like many."""
    layout = column.layout
    telling = len(layout.edges) > TELLING if isinstance(layout, NumberLayout) else len(getattr(layout, "top", ())) > 2
    (tally,) = count(values, layout, Groups())
    if not telling or tally.count < HOPELESS or tally.mismatched:
        return False
    return all(each.level == "ok" for each in checks.column_findings(column, tally, checks.Limits()))


def _hardly_any(before: int, after: int, min_rows: int) -> list[ColumnResult]:
    """A table that has lost its rows: of none, or of so few that nothing can ever be said, silence would be no answer."""
    if before < min_rows or after >= min(min_rows, HOPELESS):
        return []
    level: Any = "warn" if after else "page"
    says = f"{after:,} row{'' if after == 1 else 's'} now, {before:,} in the reference."
    figures = ({"rows": before}, {"rows": after})
    return [ColumnResult(ROWS, level, ("rows",), None, None, *figures, says, {}, {"rows": level})]


def _with_cure(found: ColumnResult) -> ColumnResult:
    """An alarm says what helps, too."""
    if severity(found.verdict) < severity("warn"):
        return found
    kind = found.kinds[0]
    filled = kind == "missing" and found.after["missing"] < found.before["missing"]
    return replace(found, says=f"{found.says} {CURES['filled' if filled else kind]}")


def _numbered(profile: Profile, window: Profile, first: pa.Table, second: pa.Table) -> Profile:
    """With columns known that only number the rows, on and on: that the numbers are new ones is no news."""
    found = {
        name: replace(column, follows="numbering of rows")
        for name, column in profile.columns.items()
        if column.kind == "integer" and not column.follows and name in window.columns
        if (start := _counts_on(column.tally, first[name])) is not None
        if (later := _counts_on(window.columns[name].tally, second[name])) is not None and later >= start
    }
    return replace(profile, columns={**profile.columns, **found})


def _counts_on(tally: Tally, column: pa.ChunkedArray) -> float | None:
    """The first of whole numbers that all differ, with few gaps; None where it is not so."""
    if tally.count < max(tally.rows, HOPELESS) or tally.low is None or tally.high is None:
        return None
    if not tally.rows <= tally.high - tally.low + 1 <= GAPS * tally.rows:
        return None
    return tally.low if len(np.unique(arrow.numbers(arrow.plain(column))[0])) == tally.rows else None


def _weeks(times: pa.Array | None, span: float | None) -> Groups | None:
    """The reference's rows by windows as wide as the other table's times, of at least eight; None without times."""
    seconds = np.zeros(0) if times is None else arrow.numbers(times)[0]
    known = seconds[np.isfinite(seconds)]
    if len(known) == 0 or (width := min(span or np.inf, float(np.ptp(known)) / 8)) <= 0:
        return None
    return windows(known.max() - np.where(np.isfinite(seconds), seconds, known.min()), width)


def _causes(
    profile: Profile,
    window: Profile,
    tables: tuple[pa.Table, pa.Table],
    results: Sequence[ColumnResult],
    weeks: Groups | None,
) -> dict[str, Cause]:
    """What rows at hand tell: the cause in columns of numbers that moved, values that are new in those where a hash bucket
    grew, by more than in the `weeks` of the reference, and times that are cut."""
    both = {
        name: (column, window.columns[name].tally)
        for name, column in profile.columns.items()
        if isinstance(column.layout, NumberLayout) and name in window.columns
    }
    moved = {found.column for found in results if {*found.kinds} & {*remade.MOVED}}
    found = {}
    for name, (column, tally) in both.items():
        timed = column.kind == "timestamp"
        grown = timed or heap(column.tally, tally)[0] >= checks.SHARE_WARN / 2
        if column.follows or tally.mismatched or not (grown or name in moved):
            continue
        before, after = (arrow.numbers(arrow.plain(table[name]))[0] for table in tables)
        if timed:
            cause = remade.times_cut(before, after)
        else:
            usual = natural.of_news(before, weeks).limit("news", ALPHA) if weeks is not None else 0.0
            cause = remade.find(before, after, alarming=name in moved, chance=remade.CHANCE / len(both), usual=usual)
        if cause is not None:
            found[name] = cause
    return found


def _ranked(profile: Profile, table: pa.Table, names: Sequence[str]) -> Profile:
    """With exact quantiles of these columns, as far as they are numbers: for what is said and drawn of them."""
    numbers = {
        name: replace(column, tally=ranked(table[name], column.tally))
        for name, column in profile.columns.items()
        if name in names and isinstance(column.layout, NumberLayout) and column.kind != "timestamp"
    }
    return replace(profile, columns={**profile.columns, **numbers})


def _rows(reference: Profile, current: Profile) -> dict[str, Any]:
    before, after = reference.sample.repeated, current.sample.repeated
    seen = current.sample.seen_in(reference.sample)
    return {
        "reference": reference.rows,
        "current": current.rows,
        "repeated": {"from": _rounded(before), "to": _rounded(after)},
        "seen_before": _rounded(seen),
    }


def _keys(known: pa.Table, now: pa.Table, key: Sequence[str], rows: dict[str, Any]) -> list[ColumnResult]:
    """Keys that come twice: never expected; a warning when the reference has none, or fewer by more than chance."""
    lacking = [name for table in (known, now) for name in key if name not in table.column_names]
    name = f"({', '.join(key)})"
    if lacking:
        says = f"{name}: the key column {lacking[0]} is not in both tables."
        level: Any = "page"
        return [ColumnResult(name, level, ("schema",), None, None, {}, {}, says, {}, {"schema": level})]
    (before, n), (after, m) = _twice(known, key), _twice(now, key)
    rows["repeated_keys"] = {"from": before, "to": after}
    growth, p_value = after / max(m, 1) - before / max(n, 1), proportions((before, n), (after, m))
    if growth <= 0 or (before and p_value > CHANCE):
        return []
    level = "page" if growth >= 0.1 else "warn"
    says = f"{after:,} of {m:,} rows have a key {name} that came before; {before:,} of {n:,} in the reference."
    figures = ({"repeated_keys": before}, {"repeated_keys": after})
    return [ColumnResult(name, level, ("duplicates",), None, p_value, *figures, says, {}, {"duplicates": level})]


def _twice(table: pa.Table, key: Sequence[str]) -> tuple[int, int]:
    keys = table.select(list(key))
    return table.num_rows - _distinct(keys, Profile.of(keys)), table.num_rows


def _distinct(table: pa.Table, profile: Profile) -> int:
    """How many different rows there are, of columns that the profile has."""
    fold = hashing.Fold(table.num_rows)
    for name in table.column_names:
        count(table[name], profile.columns[name].layout, Groups(), fold, name)
    return len(np.unique(fold.done()))


def _together(
    profile: Profile, first: pa.Table, second: pa.Table, results: Sequence[ColumnResult], rows: dict[str, Any]
) -> list[ColumnResult]:
    """Joint drift of the columns that look unchanged each for itself."""
    quiet = [
        found.column
        for found in results
        if found.column in profile.columns
        and found.verdict in ("ok", "info")
        and not profile.columns[found.column].follows
        and profile.columns[found.column].kind not in ("text", "vector", "timestamp")
    ]
    repeating = any(found.column == ROWS and "duplicates" in found.kinds for found in results)
    if len(quiet) < 2 or repeating:
        return []
    found = joint.judge(first, second, quiet)
    if found is None:
        return []
    rows["joint"] = {"auc": round(found.auc, 4), "z": round(found.z, 2), "columns": len(quiet)}
    if found.auc < joint.WARN or found.z < joint.SURE:
        return []
    level: Any = "page" if found.auc >= joint.PAGE else "warn"
    leaning = ", ".join(found.leaning)
    says = (
        f"{len(quiet)} columns that look unchanged one by one have changed together: a classifier tells window from "
        f"reference with an AUC of {found.auc:.2f} (.5 is chance), most by {leaning}."
    )
    after = {"auc": round(found.auc, 4), "z": round(found.z, 2), "leaning": found.leaning}
    return [
        ColumnResult(
            JOINT,
            level,
            ("joint",),
            None,
            found.p_value,
            {"auc": 0.5},
            after,
            says,
            {"auc": found.auc},
            {"joint": level},
        )
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
