"""What one deployment has answered: to know a repeated request, and a label's prediction, at once.

What this process wrote is in memory; what other processes wrote is read from their segments when it is asked for; what
was moved is in the table of predictions. Memory is bounded: the oldest entries are forgotten there, never in the log.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.clock import RealClock
from modelyard.serve import frames
from modelyard.serve.frames import Entry, Many
from modelyard.serve.moving import REMEMBER_SECONDS
from modelyard.store import Store

MOST_REQUESTS = 100_000
MOST_KEYS = 1_000_000
SETTLED_SECONDS = 0.05


class Seen(msgspec.Struct, gc=False):
    """A request that was answered: how many rows, the digest of its body when it may be repeated, when, and where.

    No business of the garbage collector, which would stop the process for a tenth of a second to look at 100,000 of them.
    """

    rows: int
    body: str
    at: float
    segment: str


class Ledger:
    """The answered requests of one deployment; safe to use from several threads."""

    def __init__(self, store: Store, name: str, place: Path, *, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._name = name
        self._place = place
        self._monotonic = monotonic
        self._requests: OrderedDict[str, Seen] = OrderedDict()
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._read: dict[str, int] = {}
        self._listed = 0
        self._others: list[Path] = []
        self._lock = threading.RLock()
        self._working: dict[str, threading.Event] = {}

    def add(self, entries: Iterable[Entry | Many], segment: str) -> None:
        """Remember what this process has just written to `segment`."""
        with self._lock:
            self._read[segment] = -1
            for entry in entries:
                self._remember(entry, segment)

    def _remember(self, entry: Entry | Many, segment: str) -> None:
        if entry.role == "shadow":
            return
        if isinstance(entry, Many):
            now = self._monotonic()
            bodies = entry.bodies or [""] * len(entry.ids)
            for request_id, rows, body in zip(entry.ids, entry.lengths, bodies, strict=True):
                self._requests[request_id] = Seen(rows, body, now, segment)
        else:
            self._remember_one(entry, segment)
        while len(self._requests) > MOST_REQUESTS:
            self._requests.popitem(last=False)
        for key in entry.key or ():
            self._keys[key] = None
        while len(self._keys) > MOST_KEYS:
            self._keys.popitem(last=False)

    def _remember_one(self, entry: Entry, segment: str) -> None:
        before = self._requests.pop(entry.id, None)
        rows = (max(entry.rows) if entry.rows else -1) + 1 if entry.rows is not None else entry.n
        body = entry.body
        if before is not None:
            rows, body = max(rows, before.rows), body or before.body
        self._requests[entry.id] = Seen(rows, body, self._monotonic(), segment)

    def claim(self, request_id: str) -> Seen | None:
        """The earlier answer to a request id a client chose, if any; else the id is this caller's until `release`.

        Waits while the same id is being answered in this process.
        """
        while True:
            with self._lock:
                working = self._working.get(request_id)
                if working is None:
                    seen = self.find(request_id)
                    if seen is None:
                        self._working[request_id] = threading.Event()
                    return seen
            working.wait(1.0)

    def take(self, request_ids: Sequence[str]) -> set[str]:
        """Claim those of some ids, all different, that are new: nobody is being answered under them, or was lately."""
        with self._lock:
            if not all(each in self._requests for each in request_ids):
                self._tail()
            new = {each for each in request_ids if each not in self._working and self._seen(each) is None}
            self._working |= dict.fromkeys(new, threading.Event())
            return new

    def release(self, *request_ids: str) -> None:
        """End claims, answered or not."""
        with self._lock:
            for each in request_ids:
                self._working.pop(each).set()

    def find(self, request_id: str) -> Seen | None:
        """The answer to a repeatable request of the last minutes."""
        with self._lock:
            if request_id not in self._requests:
                self._tail()
            return self._seen(request_id)

    def _seen(self, request_id: str) -> Seen | None:
        seen = self._requests.get(request_id)
        young = seen is not None and self._monotonic() - seen.at < REMEMBER_SECONDS
        return seen if seen is not None and seen.body and young else None

    def answered(self, request_id: str, seen: Seen) -> pa.Table:
        """The logged rows of an answered request, in order, as the table of predictions has them."""
        path = self._place / f"{seen.segment}.log"
        rows = pa.table({})
        with suppress(FileNotFoundError):  # moved, so it is in the table
            rows = frames.table(each.frame for each in frames.read(path) if _belongs(each.frame, request_id))
        if not len(rows):
            rows = _table().of_request(self._store, self._name, request_id)
        return rows.filter(pc.equal(rows["request_id"], request_id)).sort_by("row")

    def known_rows(self, request_ids: Sequence[str]) -> dict[str, int]:
        """How many rows of each request are in the log; requests that are not are left out."""
        return self._known(request_ids, self._rows_in_memory, "rows_of_requests")

    def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Which of these keys (canonical JSON) belong to a logged prediction."""
        return set(self._known(keys, self._keys_in_memory, "rows_of_keys"))

    def _known(
        self,
        wanted: Sequence[str],
        in_memory: Callable[[Iterable[str]], dict[str, int]],
        in_table: str,
    ) -> dict[str, int]:
        with self._lock:
            found = in_memory(wanted)
            if len(found) < len(wanted):
                self._tail()
                found = in_memory(wanted)
        missing = [each for each in wanted if each not in found]
        return found | getattr(_table(), in_table)(self._store, self._name, missing) if missing else found

    def _rows_in_memory(self, wanted: Iterable[str]) -> dict[str, int]:
        return {
            each: self._requests[each].rows for each in wanted if each in self._requests and self._requests[each].rows
        }

    def _keys_in_memory(self, wanted: Iterable[str]) -> dict[str, int]:
        return {each: 1 for each in wanted if each in self._keys}

    def _tail(self) -> None:
        """Read what other processes (or earlier ones) have written since the last look."""
        self._list()
        for path in self._others:
            start = self._read.get(path.stem, 0)
            if 0 <= start < _size(path):
                self._read_segment(path, start)

    def _list(self) -> None:
        """Look which files there are, if there may be others than at the last look: there are hundreds, and this is asked
        for every batch."""
        try:
            changed = self._place.stat().st_mtime_ns
        except FileNotFoundError:
            return
        # Files made within a tick of the kernel's clock leave the same time behind.
        if changed == self._listed and RealClock().now().timestamp() - changed / 1e9 > SETTLED_SECONDS:
            return
        self._listed = changed
        files = sorted(path for path in self._place.glob("*.*") if path.suffix in (".log", ".ids"))
        for path in files:
            if path.suffix == ".ids" and path.stem not in self._read:
                self._read_note(path)
        present = {path.stem for path in files}
        self._read = {segment: end for segment, end in self._read.items() if segment in present}
        self._others = [path for path in files if path.suffix == ".log" and self._read.get(path.stem, 0) >= 0]

    def _read_segment(self, path: Path, start: int) -> None:
        try:
            for each in frames.read(path, start):
                self._read[path.stem] = each.end
                if not isinstance(each.frame, frames.Shape):
                    self._remember(each.frame, path.stem)
        except FileNotFoundError:
            pass  # moved meanwhile

    def _read_note(self, path: Path) -> None:
        try:
            chosen = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return
        self._read[path.stem] = 0
        for request_id, body in chosen.items():
            self._requests.setdefault(request_id, Seen(0, body, self._monotonic(), path.stem))


def _table() -> ModuleType:
    """The table of predictions. DuckDB and Delta are loaded when a question leads there, and not before (`lean`)."""
    from modelyard.store import predictions

    return predictions


def _belongs(frame: frames.Frame, request_id: str) -> bool:
    """Whether a frame is needed to read the logged answer to a request whose client chose the id."""
    match frame:
        case Entry():
            return frame.id == request_id and frame.repeatable
        case Many():
            return frame.role != "shadow" and request_id in frame.chosen
        case _:
            return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
