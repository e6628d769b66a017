"""From the log of processes to the deployment's table: each closed segment exactly once.

The order makes a crash harmless at any point: rows into the Delta table (once per segment name), the `Segment` record,
a note of the request ids that clients chose, and only then the file goes. Whatever was done already is not done again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.clock import RealClock
from modelyard.errors import Conflict
from modelyard.records import Segment
from modelyard.serve import frames
from modelyard.store import Held, Store, durable

if TYPE_CHECKING:
    from modelyard.store.table import Table

REMEMBER_SECONDS = 600.0


def move(store: Store, name: str, *, fence: Held | None = None, actor: str = "system") -> list[Segment]:
    """Move the closed segments of deployment `name`, and those of dead processes, into its table and delete them.

    Returns what is new. LeaseLost when `fence` has moved on.
    """
    place = directory(store, name)
    moved = []
    for path in sorted(place.glob("*.log")):
        with _closed(path) as closed:
            if closed:
                segment = _move(store, name, path, fence, actor)
                moved += [segment] if segment else []
    _forget(place)
    return moved


def discard(store: Store, name: str) -> None:
    """Drop the segments that a killed replay left behind, so that what they hold is asked again, shadows and all.

    Nobody was given these answers: only a simulation may do this. What is in the table already stays, and is moved to
    its end.
    """
    from modelyard.store import predictions

    for path in sorted(directory(store, name).glob("*.log")):
        with _closed(path) as closed:
            if not closed:
                continue
            asked = {each.frame.id for each in frames.read(path) if isinstance(each.frame, frames.Entry)}
            if predictions.rows_of_requests(store, name, sorted(asked)):
                _move(store, name, path, None, "system")
            else:
                path.unlink()


def directory(store: Store, deployment: str) -> Path:
    """Where the segments of a deployment are."""
    return store.files / "log" / store.project / store.env / deployment


@contextmanager
def _closed(path: Path) -> Iterator[bool]:
    """Whether the segment has no writer any more; held against other movers within the block."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield path.exists()
    finally:
        os.close(handle)


def _move(store: Store, name: str, path: Path, fence: Held | None, actor: str) -> Segment | None:
    found = [each.frame for each in frames.read(path)]
    segment = None
    if store.one(Segment, deployment=name, name=path.stem) is None:
        rows = frames.table(found)
        if len(rows):
            version = append(store, name, rows, path.stem)
            segment = _record(store, name, path.stem, rows, version, fence, actor)
    _note(path, found)
    path.unlink()
    return segment


def append(store: Store, name: str, rows: pa.Table, segment: str) -> int:
    """Append the rows of a segment to the table of predictions, once. Returns the table's version.

    An input that changes its type with a release widens its column: the table is written anew, the old one stays
    readable as a version.
    """
    table = store.table(f"predictions/{name}")
    while table.exists() and _narrow(table.schema(), rows.schema):
        read = table.version()
        with suppress(Conflict):  # another process wrote meanwhile: again, with what it wrote
            return table.overwrite(_widened(table, read, rows), once=segment, over=read)
    return table.append(rows, once=segment)


def _narrow(kept: pa.Schema, given: pa.Schema) -> list[str]:
    """The columns that are there and cannot hold what comes."""
    return [each.name for each in given if each.name in kept.names and not _fits(each.type, kept.field(each.name).type)]


def _widened(table: Table, version: int, rows: pa.Table) -> pa.Table:
    """The rows of a version and new ones in types that hold both."""
    import pyarrow.parquet as parquet  # a gateway moves nothing, so it should not load this

    kept = table.schema(version)
    before = pa.concat_tables([parquet.read_table(path) for path in table.files(version)], promote_options="permissive")
    apart = [name for name in _narrow(kept, rows.schema) if _apart(rows, kept, name)]
    both = [_as_text(each, apart) for each in (before, rows)]
    return pa.concat_tables(both, promote_options="permissive")


def _fits(given: pa.DataType, kept: pa.DataType) -> bool:
    """Whether values of one type can be appended to a column of the other."""
    return given == kept or (pa.types.is_integer(given) and pa.types.is_floating(kept))


def _apart(rows: pa.Table, kept: pa.Schema, name: str) -> bool:
    """Whether old and new values have only text in common."""
    numeric = (pa.int64(), pa.float64())
    return not (rows.schema.field(name).type in numeric and kept.field(name).type in numeric)


def _as_text(table: pa.Table, names: list[str]) -> pa.Table:
    for name in names:
        column = table.schema.get_field_index(name)
        table = table.set_column(column, name, table.column(column).cast(pa.string()))
    return table


def _record(
    store: Store, name: str, segment: str, rows: pa.Table, version: int, fence: Held | None, actor: str
) -> Segment:
    span = pc.min_max(rows["at"])
    now = store.clock.now()
    start: datetime = span["min"].as_py()
    end: datetime = span["max"].as_py()
    with store.transaction(
        actor=actor, action="log.moved", subject=f"deployment.{name}", detail={"rows": len(rows)}, fence=fence
    ) as transaction:
        return transaction.add(
            Segment(deployment=name, name=segment, rows=len(rows), start=start, end=end, table_version=version, at=now)
        )


def _note(path: Path, found: list[frames.Frame]) -> None:
    """Leave the request ids that clients chose, with the digests of their bodies, so that a repeat is still known."""
    chosen: dict[str, str] = {}
    for each in found:
        if isinstance(each, frames.Entry) and each.repeatable:
            chosen[each.id] = each.body
        elif isinstance(each, frames.Many) and each.role != "shadow":
            chosen |= each.chosen
    if chosen:
        durable.write(path.with_suffix(".ids"), msgspec.json.encode(chosen))


def _forget(place: Path) -> None:
    """Drop notes older than repeats are remembered, and segments that died before they had a name."""
    if not place.is_dir():
        return
    horizon = RealClock().now().timestamp() - REMEMBER_SECONDS
    with os.scandir(place) as files:
        for file in files:
            if file.name.endswith((".ids", ".new")) and file.stat().st_mtime < horizon:
                Path(file).unlink(missing_ok=True)
