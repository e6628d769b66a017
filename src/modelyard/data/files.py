"""The files of a source, their columns, and what happens when these change from one file to the next.

Files are read in the order of their names. A column that a later file adds is null in the earlier ones; one
that a later file lacks, or holds with another type, stops the reading, unless `types` declares it. Dates that could be
read day or month first are read as in the files that leave no doubt; where none does, they stay text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import duckdb

from modelyard.data import csv_files, duck, kinds, mismatch
from modelyard.errors import DataError
from modelyard.features.sql import identifier, text
from modelyard.spec.tables import Source

_DECLARED = {
    "string": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""Numbers of rows that pandas writes beside the data; they are no data, and other readers do not show them either."""


@dataclass(frozen=True)
class File:
    """One file: `label` names it in messages, `readable` is what DuckDB reads, `columns` name to DuckDB's type.

    `dates` are the formats that fit columns of dates, with the type; `formats` say how such columns of text are read.
    """

    label: str
    readable: str
    columns: dict[str, str]
    csv: bool
    warnings: tuple[str, ...] = ()
    dates: dict[str, dict[str, str]] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.label.rpartition(", ")[2]

    @property
    def relation(self) -> str:
        """SQL of the file's rows."""
        return duck.scan([self.readable])


def open_file(connection: duckdb.DuckDBPyConnection, path: Path, source: Source, *, cache: Path, where: str) -> File:
    """Look into one file. DataError when it cannot be read as what its name says."""
    label = f"{where}, {path.name}"
    if path.is_dir():
        raise DataError(
            f"{path} is a directory", where=where, hint=f"Name files, such as {source.uri.rstrip('/')}/*.csv."
        )
    if csv_files.is_csv(path):
        parsed = csv_files.parse(connection, path, source, cache=cache, where=label)
        return File(label, str(parsed.path), parsed.columns, True, parsed.warnings, parsed.dates)
    if path.suffix.lower() != ".parquet":
        raise DataError("the kind of file is not known", where=label, hint="Use .csv, .csv.gz, .csv.zip or .parquet.")
    if path.stat().st_size == 0:
        raise DataError("the file is empty", where=label, hint="Write it again.")
    with duck.explained("the Parquet file cannot be read", where=label, hint="Write it again."):
        columns = duck.columns(connection, duck.scan([str(path)]))
    return File(label, str(path), {c: kind for c, kind in columns.items() if not _PANDAS_INDEX.fullmatch(c)}, False)


@dataclass(frozen=True)
class Union:
    """Files read together: SQL of all rows in normal types, the `columns` with their type, and warnings."""

    relation: str
    columns: dict[str, str]
    warnings: tuple[str, ...]


def unite(connection: duckdb.DuckDBPyConnection, files: Sequence[File], source: Source, *, where: str) -> Union:
    """Read `files` (of one source, in order) as one table. DataError when their columns cannot be reconciled."""
    files = _agreed(files, source)
    columns = _reconciled(connection, files, source)
    warnings = [*(f"{file.label}: {warning}" for file in files for warning in file.warnings), *_added(files, columns)]
    warnings += _nowhere(files, source, where)
    naive = sorted({c for file in files for c, kind in file.columns.items() if kinds.zoneless(kind)})
    if naive:
        warnings.append(f"{where}: {', '.join(naive)} without zone, read as {source.timezone}")
    wanted = {c: _DECLARED.get(source.types.get(c, ""), kinds.normal(kind)) for c, kind in columns.items()}
    groups: dict[str, list[File]] = {}
    for file in files:
        groups.setdefault(_select(file, wanted, source), []).append(file)
    selects = [f"SELECT {select} FROM {duck.scan(file.readable for file in group)}" for select, group in groups.items()]
    return Union(f"({' UNION ALL '.join(selects)})", wanted, tuple(warnings))


def _select(file: File, wanted: dict[str, str], source: Source) -> str:
    """The file's columns in the wanted types; null where it has none."""
    parts = []
    for column, to in wanted.items():
        kind = file.columns.get(column)
        name = identifier(column)
        read = f"CAST(strptime({name}, {text(file.formats[column])}) AS {kind})" if column in file.formats else name
        value = f"CAST(NULL AS {to})" if kind is None else kinds.cast(read, kind, to=to, timezone=source.timezone)
        parts.append(value if value == name else f"{value} AS {name}")
    return ", ".join(parts)


def _agreed(files: Sequence[File], source: Source) -> list[File]:
    """The files, with dates that fit several formats read by the one that fits in every file; else they warn."""
    fitting: dict[str, list[dict[str, str]]] = {}
    for file in files:
        for column, formats in file.dates.items():
            fitting.setdefault(column, []).append(formats)
    sure = {
        column: each[0]
        for column, every in fitting.items()
        if len(each := [f for f in every[0] if all(f in o for o in every)]) == 1
    }
    return [_dated(file, sure, source) for file in files]


def _dated(file: File, sure: dict[str, str], source: Source) -> File:
    doubtful = {column: formats for column, formats in file.dates.items() if file.columns[column] == "VARCHAR"}
    columns, formats, warnings = dict(file.columns), {}, list(file.warnings)
    for column, fitting in doubtful.items():
        if column in sure:
            formats[column], columns[column] = sure[column], fitting[sure[column]]
            continue
        one, other = list(fitting)[:2]
        said = f"its dates fit {one} and {other}; name the format with strptime({column}, '{one}') in SQL"
        if source.types.get(column) in ("date", "timestamp"):
            hint = "Declare it as string, and read it with strptime in SQL."
            raise DataError(f"{column!r} cannot be read: {said}", where=file.label, hint=hint)
        warnings.append(f"{column!r} stays text: {said}")
    return replace(file, columns=columns, formats=formats, warnings=tuple(warnings))


def _reconciled(connection: duckdb.DuckDBPyConnection, files: Sequence[File], source: Source) -> dict[str, str]:
    """Every column with the type that holds the values of all files."""
    columns: dict[str, str] = {}
    first: dict[str, File] = {}
    for file in files:
        for column in columns:
            if column not in file.columns and column not in source.types:
                raise mismatch.gone(column, file, first[column], source)
        for column, kind in file.columns.items():
            before = columns.setdefault(column, kind)
            owner = first.setdefault(column, file)
            if column in source.types:
                continue
            both = kinds.unified(before, kind)
            if both is None:
                both = _without_empty(connection, column, (owner, before), (file, kind))
            columns[column] = both
            if kinds.unified(before, '"NULL"') == '"NULL"':
                first[column] = file
    for column, kind in source.types.items():
        columns.setdefault(column, _DECLARED[kind])
    return columns


def _without_empty(
    connection: duckdb.DuckDBPyConnection, column: str, one: tuple[File, str], other: tuple[File, str]
) -> str:
    """The type of the other file where one has no value at all (Parquet gives such a column any type)."""
    for (file, _), (_, kind) in ((one, other), (other, one)):
        found = duck.row(connection, f"SELECT count({identifier(column)}) AS n FROM {file.relation}")
        if found["n"] == 0:
            return kind
    raise mismatch.other_type(connection, column, one, other)


def _added(files: Sequence[File], columns: dict[str, str]) -> list[str]:
    """Warnings about columns that not all files have."""
    warnings = []
    for column in columns:
        having = [file for file in files if column in file.columns]
        if having and len(having) < len(files):
            warnings.append(
                f"{having[0].label}: {len(having)} of {len(files)} files have the column {column!r}, null in the others"
            )
    return warnings


def _nowhere(files: Sequence[File], source: Source, where: str) -> list[str]:
    """Warnings about declared types of columns that no file has: perhaps another one was meant."""
    there = {column: None for file in files for column in file.columns}
    warnings = []
    for column in source.types:
        if column not in there:
            near = get_close_matches(column, there, n=1)
            meant = f": was {near[0]!r} meant?" if near else ""
            warnings.append(f"{where}: `types` names {column!r}, which no file has, so it is null everywhere{meant}")
    return warnings
