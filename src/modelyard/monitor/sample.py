"""Some of a release's training rows, kept as they were with their times: for what profiles cannot tell."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.stats import arrow
from modelyard.store import Blobs

ROWS = 20_000
TIME = "(time)"
"""The column that holds each row's time in seconds since 1970, when rows have one."""


@dataclass(frozen=True, eq=False)
class Sample:
    """`rows`: evenly apart in the order of training; `seconds` (n,) since 1970, or None when rows have no time."""

    rows: pa.Table
    seconds: arrow.Floats | None


def sample(table: pa.Table, time: pa.ChunkedArray | None = None, rows: int = ROWS) -> bytes:
    """At most `rows` rows of a table, evenly apart, as Parquet."""
    seconds = None if time is None else arrow.floats(arrow.plain(time))
    if seconds is not None:
        table = table.append_column(TIME, pa.array(seconds))
    out = io.BytesIO()
    pq.write_table(thinned(table, rows), out, compression="zstd")
    return out.getvalue()


def thinned(table: pa.Table, rows: int) -> pa.Table:
    """At most so many rows, evenly apart."""
    if table.num_rows <= rows:
        return table
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, rows).astype(np.int64)))


@lru_cache(maxsize=8)
def read(blobs: Blobs, digest: str) -> Sample:
    """A stored sample. Content-addressed, so reading it once is enough."""
    table = pq.read_table(io.BytesIO(blobs.get(digest)))
    if TIME not in table.column_names:
        return Sample(table, None)
    return Sample(table.drop_columns([TIME]), arrow.floats(arrow.plain(table[TIME])))
