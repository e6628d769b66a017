"""Two files compared: needs no project, no home, no door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from modelyard.api.tables import CSV, read
from modelyard.errors import InputError
from modelyard.stats import arrow
from modelyard.stats.frames import Comparison, examine


def drift(
    reference: Path,
    current: Path,
    *,
    key: Sequence[str] = (),
    time: str | None = None,
    columns: Sequence[str] = (),
    exclude: Sequence[str] = (),
    min_rows: int = 200,
    together: bool = True,
) -> Comparison:
    """Compare two files column by column, and as whole rows. InputError or DataError for what cannot be read."""
    tables = _read(reference, current)
    try:
        return examine(
            *tables,
            key=key,
            time=time,
            columns=columns or None,
            exclude=exclude,
            min_rows=min_rows,
            together=together,
        )
    except ValueError as error:
        raise InputError(
            str(error), where=f"{reference.name}, {current.name}", hint="Names are as in the files."
        ) from error


def _read(reference: Path, current: Path) -> tuple[pa.Table, pa.Table]:
    """Both tables. A CSV file has no types: what the other file holds as text (a day, a code) is text in it too, as it is
    written. Not so where the other's texts are no numbers or times at all, as this file's are: that is what changed."""
    first, second = read(reference), read(current)
    return _as_texts_of(reference, first, second), _as_texts_of(current, second, first)


def _as_texts_of(path: Path, table: pa.Table, other: pa.Table) -> pa.Table:
    if not path.name.lower().endswith(CSV):
        return table
    texts = [
        name
        for name in set(table.column_names) & set(other.column_names)
        if arrow.family(other.schema.field(name).type) == "text" != arrow.family(table.schema.field(name).type)
        and _reads_as(table[name], other[name])
    ]
    return read(path, texts=texts) if texts else table


def _reads_as(column: pa.ChunkedArray, texts: pa.ChunkedArray) -> bool:
    """Whether every one of the texts could be of the column's kind: a column of no values is of any."""
    match arrow.family(column.type):
        case "null":
            return True
        case "boolean":
            words = pc.utf8_lower(arrow.plain(texts).drop_null())
            return bool(pc.all(pc.is_in(words, pa.array(["true", "false"], words.type))).as_py())
        case _:
            return arrow.numbers(arrow.plain(texts))[1] is None
