"""CSV files, plain, gzipped or zipped, kept as Parquet beside the store so that each is parsed once.

A file is known by path, size and time of change; what is kept of an older state goes when a newer one comes.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb

from modelyard.data import csv_types, duck
from modelyard.digest import digest
from modelyard.errors import DataError
from modelyard.features.sql import text
from modelyard.spec.tables import Source

_LAYOUT = 4
_KEEP_SECONDS = 86_400
_DELIMITERS = ",;\t|"
_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class Parsed:
    """A CSV file as Parquet: `path`, its `columns` (name to DuckDB's type, `"NULL"` without any value), `rows`.

    `dates` as `csv_types.Typed` has them.
    """

    path: Path
    columns: dict[str, str]
    rows: int
    dates: dict[str, dict[str, str]]
    warnings: tuple[str, ...]


def is_csv(path: Path) -> bool:
    """Whether the name says CSV."""
    return path.name.lower().endswith((".csv", ".csv.gz", ".csv.zip"))


def parse(connection: duckdb.DuckDBPyConnection, path: Path, source: Source, *, cache: Path, where: str) -> Parsed:
    """The Parquet form of a CSV file, from `cache` if it was parsed before.

    DataError for a file that is empty, not UTF-8, ragged, without usable header, or not as `types` declares.
    """
    stat = path.stat()
    shelf = cache / digest(str(path.resolve()).encode())[:20]
    ground = [_LAYOUT, stat.st_size, stat.st_mtime_ns, dict(source.types), list(source.nulls), duckdb.__version__]
    place = shelf / digest(ground)[:20]
    facts = place.with_suffix(".json")
    if not facts.exists():
        shelf.mkdir(parents=True, exist_ok=True)
        _clean(shelf)
        _convert(connection, path, source, place, where=where)
    known = json.loads(facts.read_text())
    return Parsed(
        place.with_suffix(".parquet"), known["columns"], known["rows"], known["dates"], tuple(known["warnings"])
    )


def _convert(connection: duckdb.DuckDBPyConnection, path: Path, source: Source, place: Path, *, where: str) -> None:
    """Write `place`.parquet and then, as the sign that it is whole, `place`.json."""
    names, delimiter, warnings = _header(path, where=where)
    temporary = place.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}.new")
    declared: dict[str, str] = {name: kind for name, kind in source.types.items() if name in names}
    with _plain(path, temporary.with_suffix(".csv"), where=where) as file, _readable(path, where=where):
        relation = _relation(connection, file, names, delimiter, source.nulls)
        typed = csv_types.infer(connection, relation, names, declared, comma=delimiter != ",", where=where)
        select = f"SELECT {csv_types.read(names, typed)} FROM {relation}"
        connection.execute(f"COPY ({select}) TO {text(str(temporary))} (FORMAT parquet)")
    columns = {name: typed.readings[name].kind for name in names}
    facts = {"columns": columns, "rows": typed.rows, "dates": typed.dates, "warnings": [*warnings, *typed.warnings]}
    os.replace(temporary, place.with_suffix(".parquet"))
    temporary.write_text(json.dumps(facts))
    os.replace(temporary, place.with_suffix(".json"))


def _relation(
    connection: duckdb.DuckDBPyConnection, file: Path, names: list[str], delimiter: str, nulls: tuple[str, ...]
) -> str:
    """The file's rows as text."""
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in names)
    missing = ", ".join(text(null) for null in nulls) or "''"
    relation = (
        f"read_csv({duck.named(str(file))}, columns={{{columns}}}, auto_detect=false, header=true, delim={text(delimiter)},"
        f" quote='\"', escape='\"', nullstr=[{missing}], strict_mode=true)"
    )
    try:
        connection.execute(f"SELECT count(*) FROM {relation}") if _mixed_line_ends(file) else None
    except duckdb.Error as error:
        if "invalid state" not in str(error):
            raise
        return relation.replace("strict_mode=true", "strict_mode=false")
    return relation


def _mixed_line_ends(file: Path) -> bool:
    """Whether the beginning of a file ends lines in two ways, which the strict parser refuses without saying why."""
    with _opened(file) as stream:
        head = stream.read(_HEADER_BYTES)
    return 0 < head.count(b"\r\n") < head.count(b"\n")


def _header(path: Path, *, where: str) -> tuple[list[str], str, list[str]]:
    """The column names, the delimiter that the header shows, and warnings."""
    with _damaged(path, where=where), _opened(path) as stream:
        head = stream.read(_HEADER_BYTES)
    if not head.strip():
        raise DataError("the file is empty", where=where, hint="It needs a header line and rows.")
    # Only the names are judged here: what else is not UTF-8, the parser finds with its line.
    lines = head.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    delimiter = max(_DELIMITERS, key=lines.split("\n")[0].count)
    try:
        names = next(csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f"the header cannot be read: {error}", where=where, hint="Is it a CSV file?") from None
    if not names:
        raise DataError("the first line is empty", where=where, hint="It must be the header, with the columns' names.")
    if any("\udc80" <= letter <= "\udcff" for name in names for letter in name):
        raise _not_utf8(where)
    warnings = []
    for i, name in enumerate(names):
        if not name.strip():
            names[i] = f"column{i}"
            warnings.append(f"column {i + 1} has no name: it is called {names[i]!r}")
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise DataError(
                f"two columns are named {name!r} (capitals do not tell columns apart)", where=where, hint="Rename one."
            )
        seen.add(name.lower())
    return names, delimiter, warnings


@contextmanager
def _plain(path: Path, temporary: Path, *, where: str) -> Iterator[Path]:
    """A file that DuckDB reads: a zip is unpacked beside the cache for the time being."""
    if path.suffix.lower() != ".zip":
        yield path
        return
    try:
        with _damaged(path, where=where), _opened(path) as packed, temporary.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of the CSV, unpacked as they are read."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc]
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            files = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX/")]
            members = [m for m in files if m.lower().endswith(".csv")] if len(files) > 1 else files
            if len(members) != 1:
                raise zipfile.BadZipFile(f"it holds {len(members)} CSV files, and one is expected")
            with archive.open(members[0]) as stream:
                yield stream
    else:
        with path.open("rb") as stream:
            yield stream


@contextmanager
def _damaged(path: Path, *, where: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"the file cannot be unpacked or read: {error}", where=where, hint="Write it again.") from error


@contextmanager
def _readable(path: Path, *, where: str) -> Iterator[None]:
    """Sentences for what DuckDB finds wrong in a CSV file, without the values of the line."""
    try:
        yield
    except duckdb.Error as error:
        said = str(error)
        line = _after(said, "CSV Error on Line: ")
        place = f"{where}, line {line}" if line else where
        if "not utf-8" in said:
            raise _not_utf8(place) from error
        if "Expected Number of Columns" in said:
            expected, found = _after(said, "Expected Number of Columns: "), _after(said, "Found: ")
            raise DataError(
                f"the line has {found} values where the header has {expected} columns",
                where=place,
                hint="Put values that hold the delimiter in double quotes, or mend the line.",
            ) from error
        if "unterminated quote" in said:
            raise DataError("a quoted value is never closed", where=place, hint="Close the double quote.") from error
        raise DataError(f"the CSV cannot be read: {duck.sentence(error)}", where=place) from error


def _not_utf8(where: str) -> DataError:
    return DataError(
        "the text is not UTF-8", where=where, hint="Save it as UTF-8, e.g. iconv -f latin1 -t utf-8 OLD > NEW."
    )


def _after(said: str, words: str) -> str:
    rest = said.partition(words)[2].split()
    return rest[0] if rest else ""


def _clean(shelf: Path) -> None:
    """Drop what is kept of older states, unless somebody may still be reading it."""
    for old in shelf.iterdir():
        if time.time() - old.stat().st_mtime > _KEEP_SECONDS:
            old.unlink(missing_ok=True)
