"""What is said when a file's columns do not fit those of the files before it: what differs, by which values, what helps."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import duckdb

from modelyard.data import duck, kinds
from modelyard.errors import DataError
from modelyard.features.sql import identifier
from modelyard.spec.tables import Source

if TYPE_CHECKING:
    from modelyard.data.files import File

_SHOWN, _LENGTH = 3, 30
_DECLARABLE = {"VARCHAR": "string", "BIGINT": "int", "DOUBLE": "float", "BOOLEAN": "bool", "DATE": "date"}


def gone(column: str, file: File, owner: File, source: Source) -> DataError:
    """`file` lacks a column that `owner` has."""
    what = f"the column {column!r}, {kinds.shown(owner.columns[column])} in {owner.name}, is missing here"
    new = _renamed(column, file, owner)
    if new is not None:
        what += f"; the column {new!r} is new: was it renamed?"
    kind = _DECLARABLE.get(kinds.normal(owner.columns[column]), "timestamp")
    declared = f"declare `types: {{{column}: {kind}}}`"
    if new is not None:
        read = f"{declared}, and read both in SQL as coalesce({identifier(column)}, {identifier(new)})"
    elif source.time == column:
        read = "name another column as the source's `time`"
    else:
        read = f"{declared} to read it as missing"
    return DataError(what, where=file.label, hint=f"Mend the file, or {read}.")


def _renamed(column: str, file: File, owner: File) -> str | None:
    """The new column of `file` that may be the lost one: by its name, else because no other of its type is new."""
    added = [c for c in file.columns if c not in owner.columns]
    near = get_close_matches(column.lower(), [c.lower() for c in added], n=1)
    if near:
        return next(c for c in added if c.lower() == near[0])
    lost = [c for c in owner.columns if c not in file.columns]
    kind = owner.columns[column]
    alike = [c for c in added if kinds.unified(kind, file.columns[c]) is not None]
    return alike[0] if len(alike) == 1 and len(lost) == 1 else None


def other_type(
    connection: duckdb.DuckDBPyConnection, column: str, one: tuple[File, str], other: tuple[File, str]
) -> DataError:
    """The later of two files holds a column in another type: says by which values, where one of them is text."""
    (before, was), (now, is_) = one, other
    what = f"the column {column!r} is {kinds.shown(is_)} here and {kinds.shown(was)} in {before.name}"
    declared = f"declare `types: {{{column}: string}}` and convert it in SQL"
    hint = f"Mend the file, or {declared}."
    text, kind = ((now, was), (before, is_))[is_ != "VARCHAR"]
    if text.columns[column] != "VARCHAR" or kinds.is_list(kind):
        return DataError(what, where=now.label, hint=hint)
    count, rows, values = _unreadable(connection, column, text, kind)
    if not count:
        return DataError(what, where=now.label, hint=hint)
    where = "" if text is now else f" in {text.name}"
    article = "an" if kinds.shown(kind)[0] in "aeiou" else "a"
    shown = ", ".join(repr(value[:_LENGTH]) for value in values[:_SHOWN])
    such = "such as " if len(values) > _SHOWN else ""
    what += f": {count:,} of {rows:,} values{where} cannot be read as {article} {kinds.shown(kind)} ({such}{shown})"
    if text.csv and len(values) <= _SHOWN:
        hint = f"Mend the file; or, if this means missing, add it to the source's `nulls`; or {declared}."
    return DataError(what, where=now.label, hint=hint)


def _unreadable(
    connection: duckdb.DuckDBPyConnection, column: str, file: File, kind: str
) -> tuple[int, int, list[str]]:
    """How many values of a text column are not of `kind`, of how many, and some of them."""
    name = identifier(column)
    bad = f"{name} IS NOT NULL AND TRY_CAST({name} AS {kind}) IS NULL"
    found = duck.row(connection, f"SELECT count(*) FILTER ({bad}) AS bad, count({name}) AS rows FROM {file.relation}")
    values = duck.row(
        connection,
        f"SELECT list(v) AS v FROM (SELECT DISTINCT {name} AS v FROM {file.relation} WHERE {bad}"
        f" ORDER BY 1 LIMIT {_SHOWN + 1})",
    )
    return found["bad"], found["rows"], values["v"] or []
