"""Two files compared: needs no project, no home, no door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelyard.api.tables import read
from modelyard.errors import InputError
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
    tables = [read(path) for path in (reference, current)]
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
