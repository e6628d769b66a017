"""The rows of a segment of the log as they are profiled: release by release, and one input after the other.

A segment may hold millions of values. Its inputs are read some at a time, so that they lie in memory that was used
just before, and no more of them than is counted at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelyard.monitor.served import HOUR, micros
from modelyard.records import Segment
from modelyard.stats import Counting, Groups, Profile, arrow, vector
from modelyard.store import Store

INPUT, PREDICTION = "in.", "prediction"
AT_ONCE = 1 << 21
"""So many values are read at once, or one column."""
GRAIN = timedelta(hours=1)
_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_BACK = 20


@dataclass
class Rows:
    """The rows of files; those `inside`, where there are others."""

    files: Sequence[pq.ParquetFile]
    inside: pa.ChunkedArray | None = None

    @property
    def names(self) -> list[str]:
        """The columns that are looked at: not what tells one request from all others, which is costly to read."""
        every = dict.fromkeys(name for file in self.files for name in file.schema_arrow.names)
        return [name for name in every if name not in ("request_id", "key", "routing", "arm", "time", "propensity")]

    def columns(self) -> list[list[str]]:
        """What is told of each row, and then the inputs, as many as are read at once."""
        every = self.names
        names = [name for name in every if name.startswith(INPUT)]
        many = max(1, AT_ONCE // max(sum(file.metadata.num_rows for file in self.files), 1))
        told = [name for name in every if not name.startswith(INPUT)]
        return [told, *(names[first : first + many] for first in range(0, len(names), many))]

    def read(self, names: Sequence[str]) -> pa.Table:
        """Some columns; texts as dictionaries: that is how they lie there, and each is counted as often as it is
        distinct."""
        tables = (file.read([name for name in names if name in file.schema_arrow.names]) for file in self.files)
        found = pa.concat_tables(tables, promote_options="permissive").select(names)
        return found if self.inside is None else found.filter(self.inside)


@contextmanager
def opened(store: Store, segment: Segment) -> Iterator[Rows]:
    """The rows of one segment: those of the files that its version of the table added.

    The version is checked by the number of rows and their times, for a mover that crashed between table and record
    may have written down a later one.
    """
    table = store.table(f"predictions/{segment.deployment}")
    with ExitStack() as held:
        for version in range(segment.table_version, max(segment.table_version - _BACK, -1), -1):
            found = Rows([held.enter_context(_file(path)) for path in _added(table.directory, version)])
            if found.files and sum(file.metadata.num_rows for file in found.files) == segment.rows:
                span = pc.min_max(found.read(["at"])["at"]).as_py()
                if (span["min"], span["max"]) == (segment.start, segment.end):
                    yield found
                    return
        found = Rows([held.enter_context(_file(path)) for path in table.files()])
        at = found.read(["at"])["at"]
        ends = [pa.scalar(end, at.type) for end in (segment.start, segment.end)]
        yield Rows(found.files, pc.and_(pc.greater_equal(at, ends[0]), pc.less_equal(at, ends[1])))


def answers(rows: pa.Table) -> Iterator[tuple[str, pa.Array | None]]:
    """The releases that answered, and in which rows; None where all rows are theirs."""
    release, digests = arrow.codes(rows["release"].combine_chunks())
    release[~arrow.where(rows["role"], lambda roles: pc.equal(roles, "answer"))] = -1
    for digest, place in sorted((each, place) for place, each in enumerate(digests.to_pylist())):
        own = release == place
        if own.any():
            yield digest, None if own.all() else pa.array(own)


class Part:
    """What one release answered, counted by `grain` of time (counted back from now where that is more than an hour).

    `own`: which rows of the segment it are; `told`: these, without their inputs. Inputs come one after the other.
    """

    def __init__(
        self,
        release: str,
        own: pa.Array | None,
        told: pa.Table,
        known: Profile,
        classes: tuple[str, ...],
        time: tuple[timedelta, datetime],
    ) -> None:
        self._release, self._own = release, own
        at, (grain, now) = micros(told["at"]), time
        hours = at // HOUR
        _, groups = Groups.by(hours if grain == GRAIN else (at - (now - _EPOCH) // _MICRO) // (grain // _MICRO))
        self._hours = groups.extremes(hours)
        self._filled = filled(told)
        self._counting = Counting(len(told), groups, known)
        if PREDICTION in known.columns:
            self._counting.add(PREDICTION, prediction(told, classes))

    def add(self, name: str, column: pa.ChunkedArray) -> None:
        """Count an input, of all rows of the segment. What the input policy filled in counts as missing, as it came."""
        mine = column if self._own is None else column.filter(self._own)
        if name in self._filled:
            mine = pc.if_else(pa.array(self._filled[name]), pa.scalar(None, mine.type), mine)
        self._counting.add(name, mine)

    def groups(self) -> Iterator[dict[str, Any]]:
        """The profiles: from which hour on, and over how many."""
        for start, end, profile in zip(*self._hours, self._counting.done(), strict=True):
            span = {"hour": datetime.fromtimestamp(start * 3600, UTC).isoformat(), "hours": int(end - start) + 1}
            yield {"release": self._release, **span, "profile": profile.to_json(layouts=False)}


def prediction(rows: pa.Table, classes: tuple[str, ...]) -> pa.Array | pa.ChunkedArray:
    """What the model answered, null where the fallback did."""
    values, fallen = rows[PREDICTION], rows["fallback"]
    if classes and "predictions" in rows.column_names and rows["predictions"].null_count < len(rows):
        given = vector.matrix(arrow.plain(rows["predictions"]), len(classes))[0]
        known = ~np.isnan(given).any(axis=1)
        if known.any():
            values = pa.array(classes, pa.string()).take(pa.array(given.argmax(axis=1), mask=~known))
    return pc.if_else(fallen, pa.scalar(None, values.type), values) if pc.any(fallen).as_py() else values


def filled(rows: pa.Table) -> dict[str, np.ndarray]:
    """Per input, in which rows the policy filled in a missing value, from the rows' warnings; each text of them is read
    once."""
    places, texts = arrow.codes(rows["warnings"].combine_chunks())
    filled: dict[str, list[int]] = {}
    for place, text in enumerate(texts.to_pylist()):
        for warning in json.loads(text) if '"missing"' in text else ():
            if warning["code"] == "missing":
                name = warning.get("input") or warning["pointer"].rpartition("/")[2]
                filled.setdefault(name, []).append(place)
    return {name: np.isin(places, told) for name, told in filled.items()}


def _file(path: Path | str) -> pq.ParquetFile:
    known = pq.read_metadata(path)
    texts = [field.name for field in known.schema.to_arrow_schema() if arrow.family(field.type) == "text"]
    return pq.ParquetFile(path, metadata=known, read_dictionary=texts, memory_map=True)


def _added(directory: Path, version: int) -> list[Path]:
    """The files that one version of a Delta table added, read from its log, which names them in a line each."""
    log = directory / "_delta_log" / f"{version:020d}.json"
    # As bytes: its statistics hold texts of requests, in which other signs than \n may end a line.
    actions = [json.loads(line) for line in log.read_bytes().splitlines()]
    return [directory / unquote(action["add"]["path"]) for action in actions if "add" in action]
