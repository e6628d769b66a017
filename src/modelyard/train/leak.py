"""Inputs that say the same as the target: SQL can make such a copy, and no point in time keeps it out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.errors import DataError

_SAMPLE = 1_000
_LEAST = 50
_MOST_CLASSES = 1_000


def refuse_copies(table: pa.Table, inputs: Sequence[str], target: str, rows: np.ndarray, *, where: str) -> None:
    """DataError when an input equals the target in every one of `rows`, or stands for it, value for value.

    A sample is looked at first, so that inputs that differ cost next to nothing.
    """
    if len(rows) < _LEAST:
        return
    sample = pa.array(rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows)), dtype=np.int64)])
    labels = table.column(target).take(sample)
    for name in inputs:
        column = table.column(name)
        if not _same(column.take(sample), labels):
            continue
        if _same(column.take(pa.array(rows)), table.column(target).take(pa.array(rows))):
            raise DataError(
                f"the input {name!r} says the same as the target {target!r} in all {len(rows):,} training rows",
                where=where,
                hint="Exclude it, or say under `known_at` of its dataset when it becomes known.",
            )


def _same(given: pa.ChunkedArray, labels: pa.ChunkedArray) -> bool:
    """Whether two columns are equal, or tell one another's values apart completely."""
    if given.type == labels.type and given.equals(labels):
        return True
    if pa.types.is_floating(labels.type) or pa.types.is_nested(given.type):
        return False
    kinds = pc.count_distinct(labels, mode="all").as_py()
    if not 2 <= kinds <= min(_MOST_CLASSES, len(labels) // 10):
        return False
    if pc.count_distinct(given, mode="all").as_py() != kinds:
        return False
    pairs = pa.table({"given": given, "label": labels}).group_by(["given", "label"]).aggregate([])
    return len(pairs) == kinds
