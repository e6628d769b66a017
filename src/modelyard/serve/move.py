"""From the log of processes to the deployment's table: each closed segment exactly once.

The order makes a crash harmless at any point: rows into the Delta table (once per segment name), the `Segment` record,
a note of the request ids that clients chose, and only then the file goes. Whatever was done already is not done again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.clock import RealClock
from modelyard.records import Segment
from modelyard.serve import frames
from modelyard.store import Held, Store, durable

REMEMBER_SECONDS = 600.0


def move(store: Store, name: str, *, fence: Held | None = None, actor: str = "system") -> list[Segment]:
    """Move the closed segments of deployment `name`, and those of dead processes, into its table and delete them.

    Returns what is new. LeaseLost when `fence` has moved on.
    """
    place = store.files / "log" / store.project / store.env / name
    moved = []
    for path in sorted(place.glob("*.log")):
        with _closed(path) as closed:
            if closed:
                segment = _move(store, name, path, fence, actor)
                moved += [segment] if segment else []
    _forget(place)
    return moved


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

    Columns that changed their type with a release are brought to the one that holds both.
    """
    table = store.table(f"predictions/{name}")
    return table.append(rows, once=segment)


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
            Segment(
                deployment=name, name=segment, rows=len(rows), start=start, end=end, table_version=version, at=now
            )
        )


def _note(path: Path, found: list[frames.Shape | frames.Entry]) -> None:
    """Leave the request ids that clients chose, with the digests of their bodies, so that a repeat is still known."""
    chosen = {each.id: each.body for each in found if isinstance(each, frames.Entry) and each.repeatable}
    if chosen:
        durable.write(path.with_suffix(".ids"), msgspec.json.encode(chosen))


def _forget(place: Path) -> None:
    """Drop notes older than repeats are remembered, and segments that died before they had a name."""
    horizon = RealClock().now().timestamp() - REMEMBER_SECONDS
    for path in [*place.glob("*.ids"), *place.glob("*.new")]:
        if path.stat().st_mtime < horizon:
            path.unlink(missing_ok=True)
