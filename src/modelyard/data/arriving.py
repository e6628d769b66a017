"""When the rows of a source came, by the hour: what tells how new it is, and whether as much comes as usual.

Asked at every look, of files that mostly have not changed since the last one: hours are counted once for each state of
Parquet files (of CSV files with each question, for their parsed form comes and goes).
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from modelyard.data import duck
from modelyard.data.sources import TIME, listed, read_together
from modelyard.spec.load import Project
from modelyard.stats.hourly import Hourly

_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_HOUR = 3_600_000_000


@dataclass(frozen=True, eq=False)
class _Hours:
    """Per hour with rows: when it begins, how many there are, the first and last of their times (microseconds since
    1970). `moments` is SQL of all times."""

    moments: str
    start: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]

    def within(self, since: int, until: int) -> slice:
        """The places of the hours that have rows in [since, until]."""
        return slice(int(np.searchsorted(self.high, since)), int(np.searchsorted(self.low, until, side="right")))

    def part(self, place: int, since: int, until: int) -> tuple[int, int | None]:
        """How many rows of an hour are in [since, until], and the time of the last one."""
        if since <= self.low[place] and self.high[place] <= until:
            return int(self.rows[place]), int(self.high[place])
        with duck.ask() as connection:
            return self._inside(connection, place, since, until)

    def _inside(
        self, connection: duckdb.DuckDBPyConnection, place: int, since: int, until: int
    ) -> tuple[int, int | None]:
        low, high = max(since, int(self.low[place])), min(until, int(self.high[place]))
        inside = f"isfinite({TIME}) AND epoch_us({TIME}) BETWEEN {low} AND {high}"
        found = duck.row(
            connection, f"SELECT count(*) AS n, max(epoch_us({TIME})) AS last FROM ({self.moments}) WHERE {inside}"
        )
        return found["n"], found["last"]


def newest(project: Project, name: str, *, as_of: datetime, cache: Path | None = None) -> datetime | None:
    """The time of a source's newest row visible at `as_of`; None when it has no time, or no row yet.

    Without a `cache` (a store's files/cache) CSV files are parsed for this call alone.
    """
    with ExitStack() as kept:
        folder = cache or Path(kept.enter_context(tempfile.TemporaryDirectory()))
        known, until = _hours(project, name, as_of=as_of, cache=folder), _micros(as_of)
        if known is None or not len(known.low) or known.low[0] > until:
            return None
        _, last = known.part(known.within(int(known.low[0]), until).stop - 1, int(known.low[0]), until)
        return None if last is None else _EPOCH + last * _MICRO


def arrivals(project: Project, name: str, *, since: datetime, as_of: datetime, cache: Path) -> Hourly:
    """How many rows visible at `as_of` lie in each hour from `since` on that has any; none for a source without time."""
    known = _hours(project, name, as_of=as_of, cache=cache)
    if known is None:
        return Hourly.of({})
    span = _micros(since), _micros(as_of)
    within = known.within(*span)
    rows = known.rows[within].astype(np.float64)
    for place in {within.start, within.stop - 1} if len(rows) else ():
        rows[place - within.start], _ = known.part(place, *span)
    return Hourly(known.start[within][rows > 0] // _HOUR, rows[rows > 0])


_KEPT: dict[tuple[Path, str], tuple[tuple[str, str], _Hours]] = {}
"""Per source the state of its files and declaration, and its hours."""


def _hours(project: Project, name: str, *, as_of: datetime, cache: Path) -> _Hours | None:
    """The hours of all rows of a source, visible or not; None when its rows have no time."""
    state = listed(project, name).digest, project.spec.sources[name].model_dump_json()
    place = Path(project.data), name
    before = _KEPT.get(place)
    if before is not None and before[0] == state:
        return before[1]
    with duck.ask() as connection:
        all_files, files, union, time, _ = read_together(connection, project, name, as_of=as_of, cache=cache)
        if time is None:
            return None
        moments = f"SELECT {time} AS {TIME} FROM {union.relation}"
        with duck.explained("the rows cannot be read", where=f"source {name}", hint="Look at `types` and `time`."):
            found = duck.arrow(
                connection,
                f"SELECT epoch_us(date_trunc('hour', {TIME})) AS start, count(*) AS rows, min(epoch_us({TIME})) AS low, "
                f"max(epoch_us({TIME})) AS high FROM ({moments}) WHERE isfinite({TIME}) GROUP BY 1 ORDER BY 1",
            )
    hours = _Hours(moments, *(found[column].to_numpy() for column in ("start", "rows", "low", "high")))
    if len(files) == len(all_files.files) and not any(file.csv for file in files):
        _KEPT[place] = state, hours
    return hours


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICRO
