"""Which type a CSV column has: the narrowest that every value of the file fits, not only the first ones.

A first look at some rows leaves few candidates per column; one pass over the file then counts the values each of them
cannot read. Text with leading zeros is an identifier and stays text; so are whole numbers of more than 64 bits, of which a
float would lose digits, and dates that could be read day or month first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from modelyard.errors import DataError
from modelyard.features.sql import identifier

_ZONE = r"'[0-9](Z|[+-][0-9]{2}(:?[0-9]{2})?)$'"
_SECONDS = r"regexp_replace({c}, '^([^:]*:[0-9]{2})(Z|[+-])', '\1:00\2')"
"""ISO 8601 may leave the seconds out before an offset, as Java does; DuckDB does not read that."""
_LEADING_ZERO = "(starts_with({c}, '0') AND length({c}) > 1 AND NOT starts_with({c}, '0.'))"
_PLAIN = "NOT contains({c}, '_')"
_LONG = (
    "(length({c}) > 18 AND NOT contains({c}, '.') AND regexp_matches({c}, '^[+-]?[0-9]{19,}$')"
    " AND TRY_CAST({c} AS BIGINT) IS NULL)"
)
_SAMPLE = 1000
_AT_ONCE = 500
"""Counts in one query: what DuckDB needs to plan one grows with their square."""


@dataclass(frozen=True)
class Reading:
    """One way to read text: `fits` says whether a value can be, `value` reads it (SQL with {c} for the text)."""

    kind: str
    fits: str
    value: str
    note: str = ""


_DIGITS, _MONTH = "[0-9]{1,2}[./-][0-9]{1,2}[./-]", "([0-9]{1,2}[ -])?[A-Z][a-z]{2}[ -][0-9]"


def _format(pattern: str, kind: str) -> Reading:
    value = f"try_strptime({{c}}, '{pattern}')"
    # CASE, not AND: only text that looks like a date is worth the parsing.
    like = _MONTH if "%b" in pattern else _DIGITS
    fits = f"CASE WHEN regexp_matches({{c}}, '^{like}') THEN {value} IS NOT NULL ELSE false END"
    return Reading(kind, fits, f"CAST({value} AS {kind})", note=pattern)


_BOOLEAN = Reading("BOOLEAN", "lower(trim({c})) IN ('true', 'false')", "CAST(trim({c}) AS BOOLEAN)")
_INTEGER = Reading(
    "BIGINT",
    "TRY_CAST({c} AS BIGINT) IS NOT NULL AND NOT contains({c}, '.') AND NOT contains(lower({c}), 'e')"
    f" AND {_PLAIN} AND NOT {_LEADING_ZERO}",
    "CAST({c} AS BIGINT)",
)
_ANY_NUMBER = f"TRY_CAST({{c}} AS DOUBLE) IS NOT NULL AND {_PLAIN} AND NOT {_LEADING_ZERO}"
_NUMBER = Reading("DOUBLE", f"{_ANY_NUMBER} AND NOT {_LONG}", "CAST({c} AS DOUBLE)")
_LONG_NUMBER = Reading("VARCHAR", _ANY_NUMBER, "{c}")
_COMMA = Reading(
    "DOUBLE",
    "regexp_matches(trim({c}), '^[+-]?([1-9][0-9]*|0)(,[0-9]+)?([eE][+-]?[0-9]+)?$')",
    "CAST(replace({c}, ',', '.') AS DOUBLE)",
)
_DATES = (
    Reading("DATE", "TRY_CAST({c} AS DATE) IS NOT NULL AND length(trim({c})) <= 10", "CAST({c} AS DATE)"),
    *(
        _format(pattern, "DATE")
        for pattern in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%b %d %Y", "%d %b %Y", "%d-%b-%Y")
    ),
)
_TIMES = (
    Reading(
        "TIMESTAMP",
        f"TRY_CAST({{c}} AS TIMESTAMP) IS NOT NULL AND NOT regexp_matches({{c}}, {_ZONE})",
        "CAST({c} AS TIMESTAMP)",
    ),
    Reading(
        "TIMESTAMP WITH TIME ZONE",
        f"TRY_CAST({_SECONDS} AS TIMESTAMPTZ) IS NOT NULL AND regexp_matches({{c}}, {_ZONE})",
        f"CAST({_SECONDS} AS TIMESTAMPTZ)",
    ),
    *(
        _format(f"{day} {clock}", "TIMESTAMP")
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y")
        for clock in ("%H:%M", "%H:%M:%S")
    ),
)
_TEXT = Reading("VARCHAR", "TRUE", "{c}")
_NOTHING = Reading('"NULL"', "TRUE", "CAST(NULL AS VARCHAR)")

_ANY = (_BOOLEAN, _INTEGER, _NUMBER, _LONG_NUMBER, *_DATES, *_TIMES)
_DECLARED: dict[str, tuple[Reading, ...]] = {
    "string": (_TEXT,),
    "int": (
        Reading(
            "BIGINT",
            "TRY_CAST({c} AS DOUBLE) = floor(TRY_CAST({c} AS DOUBLE)) AND TRY_CAST({c} AS BIGINT) IS NOT NULL",
            "CAST({c} AS BIGINT)",
        ),
    ),
    "float": (Reading("DOUBLE", "TRY_CAST({c} AS DOUBLE) IS NOT NULL", "CAST({c} AS DOUBLE)"),),
    "bool": (Reading("BOOLEAN", "TRY_CAST({c} AS BOOLEAN) IS NOT NULL", "CAST({c} AS BOOLEAN)"),),
    "date": _DATES,
    "timestamp": (*_TIMES, *_DATES),
}


@dataclass
class Typed:
    """The way each column is read, and what a person should know about it.

    `dates` are columns of dates: the formats that fit all their values, with the type; with several the column is text.
    """

    readings: dict[str, Reading]
    rows: int
    dates: dict[str, dict[str, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def infer(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Sequence[str],
    declared: dict[str, str],
    *,
    comma: bool,
    where: str,
) -> Typed:
    """How to read the text `columns` of `relation`; `declared` types (string, int, float, bool, date, timestamp) hold.

    `comma`: numbers may be written as 0,5. Then that is what a comma in a number means, never thousands.
    DataError when a declared type does not fit all values of its column.
    """
    more = (_COMMA,) if comma else ()
    known = {**_DECLARED, "float": (*_DECLARED["float"], *more)}
    candidates = {c: known[declared[c]] if c in declared else (*_ANY, *more) for c in columns}
    sample = f"(SELECT * FROM {relation} LIMIT {_SAMPLE})"
    misfits, _ = _misfits(connection, sample, {c: r for c, r in candidates.items() if c not in declared})
    candidates |= {c: tuple(r for r in candidates[c] if not misfits[c, r]) for c in columns if c not in declared}
    # Numbers that are too long further down make text of a column, too, but unsaid: to count all numbers twice costs more.
    candidates = {c: tuple(r for r in rs if r is not _LONG_NUMBER or _NUMBER not in rs) for c, rs in candidates.items()}
    misfits, rows = _misfits(connection, relation, candidates)
    typed = Typed({}, rows)
    for column, options in candidates.items():
        fitting = [option for option in options if not misfits[column, option]]
        if column in declared and not fitting:
            fewest = min(misfits[column, option] for option in options)
            raise DataError(
                f"{fewest} values of the column {column!r} are not {declared[column]}, as `types` declares",
                where=where,
                hint="Declare another type, or add the texts that mean missing to `nulls`.",
            )
        typed.readings[column] = _NOTHING if misfits[column, None] == 0 else _best(column, fitting, typed)
    return typed


def _best(column: str, fitting: list[Reading], typed: Typed) -> Reading:
    """The first reading that fits, unless it is one of several formats of a date."""
    if not fitting:
        return _TEXT
    if fitting[0] is _LONG_NUMBER:
        told = (
            f"stays text: whole numbers of more than 64 bits; if they are amounts, declare types: {{{column}: float}}"
        )
        typed.warnings.append(f"{column!r} {told}")
    if fitting[0].note:
        same = {r.note: r.kind for r in fitting if r.note and r.kind == fitting[0].kind}
        typed.dates[column] = same
        if len(same) > 1:
            return _TEXT
    return fitting[0]


def _misfits(
    connection: duckdb.DuckDBPyConnection, relation: str, candidates: dict[str, tuple[Reading, ...]]
) -> tuple[dict[tuple[str, Reading | None], int], int]:
    """Per column and reading the values it cannot read (under None: the values there are), and the rows."""
    counts: dict[tuple[str, Reading | None], str] = {}
    for column, readings in candidates.items():
        name = identifier(column)
        counts[column, None] = f"count({name})"
        for reading in readings:
            fits = reading.fits.replace("{c}", name)
            counts[column, reading] = f"count({name}) - count_if({fits})" if reading is not _TEXT else "0"
    keys = list(counts)
    rows = 0
    found: dict[tuple[str, Reading | None], int] = {}
    for start in range(0, max(len(keys), 1), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        asked = ", ".join(["count(*)", *(counts[key] for key in some)])
        rows, *numbers = connection.execute(f"SELECT {asked} FROM {relation}").fetchall()[0]
        found |= dict(zip(some, numbers, strict=True))
    return found, rows


def read(columns: Sequence[str], typed: Typed) -> str:
    """The SELECT list that reads text columns as inferred."""
    return ", ".join(f"{typed.readings[c].value.replace('{c}', identifier(c))} AS {identifier(c)}" for c in columns)
