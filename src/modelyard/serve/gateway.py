"""The gateway of one process: keeps what deployments serve in memory, answers, logs, and takes labels back."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.clock import Clock
from modelyard.digest import canonical
from modelyard.errors import YardError
from modelyard.records import Deployment
from modelyard.serve import board as boards
from modelyard.serve import entries, feedback, log, pipeline
from modelyard.serve.answer import Answer
from modelyard.serve.board import Board
from modelyard.serve.call import Call
from modelyard.serve.ejection import Ejections
from modelyard.serve.feedback import FeedbackResult, Labels
from modelyard.serve.frames import Entry
from modelyard.serve.ledger import Ledger
from modelyard.serve.log import Spool
from modelyard.serve.refusal import Refusal
from modelyard.serve.releases import Served, load_release
from modelyard.store import Store

RETRY_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deployed:
    """One deployment in this process: what it serves now, its log, and what it has answered."""

    board: Board
    spool: Spool
    ledger: Ledger
    ejections: Ejections


@dataclass(frozen=True)
class Failure:
    """Why a revision could not be loaded, and when that was tried."""

    record: Deployment
    says: str
    at: float = field(compare=False)


class Gateway:
    """Answers for all deployments of a store; safe to use from several threads.

    `companions`: per deployment, releases (arm name to digest) that answer every row beside the others, logged as shadows.
    `load` gives a release by digest (default: from the store). Nothing is served before the first `refresh`.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        spool: Path | None = None,
        companions: Mapping[str, Mapping[str, str]] | None = None,
        load: Callable[[str], Served] | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self._spool_root = spool
        self._companions = companions or {}
        self._load = load or (lambda digest: load_release(store, digest))
        self._deployed: Mapping[str, Deployed] = {}
        self._failures: dict[str, Failure] = {}
        self._refreshing = threading.Lock()
        self.steps, self.late_steps = pipeline.STEPS, pipeline.TOO_LATE

    @property
    def errors(self) -> dict[str, str]:
        """Per deployment, why its latest revision is not what is served."""
        return {name: failure.says for name, failure in self._failures.items()}

    @property
    def names(self) -> list[str]:
        """The deployments that are served."""
        return sorted(self._deployed)

    def board(self, name: str) -> Board:
        """What is served for a deployment now. Refusal 404 or 503 when nothing is."""
        return self._find(name).board

    def deployed(self, name: str) -> Deployed | None:
        """What a deployment has in this process now, if it is served."""
        return self._deployed.get(name)

    def revision(self, name: str) -> int:
        """The revision of the routes that are served; 0 while they are not (completely) loaded."""
        deployed = self._deployed.get(name)
        return deployed.board.record.revision if deployed is not None and deployed.board.complete else 0

    def refresh(self) -> None:
        """Serve what the store says now. What cannot be loaded changes nothing: see `errors`.

        Releases are loaded and warm before they are swapped in, all at once per deployment; requests on their way keep
        theirs.
        """
        with self._refreshing:
            records = {record.name: record for record in self.store.read(Deployment) if record.routes.get("arms")}
            for name, record in records.items():
                self._refresh(name, record)
            for name in set(self._deployed) - set(records):
                self._deployed[name].spool.rotate()
            self._deployed = {name: each for name, each in self._deployed.items() if name in records}
            self._failures = {name: each for name, each in self._failures.items() if name in records}

    def _refresh(self, name: str, record: Deployment) -> None:
        deployed = self._deployed.get(name)
        if deployed is not None and deployed.board.complete and deployed.board.record == record:
            return
        failure = self._failures.get(name)
        now = self.clock.monotonic()
        if failure is not None and failure.record == record and now - failure.at < RETRY_SECONDS:
            return
        kept = {digest: loaded.served for digest, loaded in deployed.board.loaded.items()} if deployed else {}
        try:
            new = boards.build(record, self._companions.get(name, {}), self._load, kept)
        except Exception as error:  # whatever a damaged artefact raises: what serves goes on
            says = str(error) if isinstance(error, YardError) else f"{type(error).__name__}: {error}"
            _log.warning("%s: revision %s cannot be loaded: %s", name, record.revision, says)
            self._failures[name] = Failure(record, says, now)
            if deployed is not None:
                return
            partial = self._what_loads(name, record, kept)
            if partial is None:
                return
            new = partial
        else:
            self._failures.pop(name, None)
        self._deployed = {**self._deployed, name: self._deploy(deployed, new)}

    def _what_loads(self, name: str, record: Deployment, kept: Mapping[str, Served]) -> Board | None:
        """A board for a process that has none yet: the answering releases that can be loaded, without the others."""
        for arm in sorted(record.routes["arms"], key=lambda each: -each["weight"]):
            routes = {**record.routes, "arms": [{**arm, "weight": 1.0}], "shadows": [], "warm": []}
            try:
                found = boards.build(replace(record, routes=routes), {}, self._load, kept)
            except Exception as error:  # told already, by the attempt to load them all
                _log.debug("%s: arm %s cannot be loaded: %s", name, arm["arm"], error)
            else:
                return replace(found, complete=False)
        return None

    def _deploy(self, before: Deployed | None, new: Board) -> Deployed:
        promised = (new.promise.durability, new.promise.when_full)
        if before is not None and (before.spool.durability, before.spool.when_full) == promised:
            return replace(before, board=new)
        if before is not None:
            before.spool.rotate()
        place = log.directory(self.store, new.name) if self._spool_root is None else self._spool_root / new.name
        spool = Spool(place, *promised, monotonic=self.clock.monotonic)
        ledger = before.ledger if before is not None else self._ledger(new.name, place)
        ejections = before.ejections if before is not None else Ejections(self.clock.monotonic)
        return Deployed(new, spool, ledger, ejections)

    def _ledger(self, name: str, place: Path) -> Ledger:
        return Ledger(self.store, name, place, monotonic=self.clock.monotonic)

    def _find(self, name: str) -> Deployed:
        deployed = self._deployed.get(name)
        if deployed is not None:
            return deployed
        if name in self._failures:
            raise Refusal(503, "not_ready", "The deployment's release could not be loaded.", retry_after=5)
        raise Refusal(404, "unknown_deployment", "There is no such deployment.")

    def predict(
        self,
        name: str,
        *,
        rows: list[dict[str, Any]] | None = None,
        columns: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        routing_key: str | None = None,
        routing_keys: Sequence[str] | None = None,
        times: Sequence[datetime] | None = None,
        arm: str | None = None,
    ) -> Answer:
        """Answer rows, or columns (lists, or Arrow arrays), all or nothing, as over HTTP; shadows are computed at once.

        `times` are the business times to log instead of now; `arm` must answer, whatever the routes say. Refusal when the request is not answered.
        """
        call = self.call(name, request_id=request_id, routing_key=routing_key)
        call.routing_keys = routing_keys
        call.forced = arm
        call.times = None if times is None else _micros(times)
        if columns is not None:
            call.form, call.columns = "columns", dict(columns)
        else:
            call.rows = rows
        if call.chosen:
            call.digest = _digest([columns, rows, routing_key, routing_keys, arm])
        answer = self.run(call)
        pipeline.shadow(call)
        return answer

    def replay(
        self,
        name: str,
        table: pa.Table,
        *,
        request_id: str,
        routing_keys: Sequence[str],
        times: Sequence[datetime] | pa.ChunkedArray | pa.Array,
    ) -> Answer:
        """Answer recorded rows, each as a request of its own with its key and time: a bad row is refused alone.

        The log has them as rows of `request_id`, and its segment is closed, ready to be moved.
        """
        call = self.call(name, request_id=request_id)
        call.form = "replay"
        call.columns = {column: table[column].combine_chunks() for column in table.column_names}
        call.routing_keys = routing_keys
        call.times = _micros(times)
        call.digest = _digest_table(table)
        # Answers and shadows are one write: a crash in between would leave rows that only one of two releases answered.
        held: list[Entry] = []
        call.held = held
        answer = self.run(call)
        if call.parts:
            pipeline.shadow(call)
            call.held = None
            entries.write(call, held)
        self._find(name).spool.rotate()
        return answer

    def call(self, name: str, *, request_id: str | None = None, routing_key: str | None = None) -> Call:
        """A request at its beginning; without an id it gets one."""
        deployed = self._find(name)
        return Call(
            deployed.board,
            self.clock,
            deployed.spool,
            deployed.ledger,
            request_id or secrets.token_hex(12),
            ejections=deployed.ejections,
            chosen=request_id is not None,
            routing_key=routing_key,
            began=self.clock.monotonic(),
        )

    def run(self, call: Call, *, late: bool = False) -> Answer:
        """Take a request its way, or, when it is too late to ask a model, that way; its Refusal carries the request id."""
        try:
            return pipeline.run(call, self.late_steps if late else self.steps)
        except Refusal as refusal:
            refusal.request_id = call.request_id
            raise

    def feedback(self, name: str, items: Sequence[Any], *, actor: str = "client") -> list[FeedbackResult]:
        """Record labels: `{"request_id", "row", "label", "time"?, "correct"?}` or by `key`; one result per item, in order.

        Refusal 422 with all faults, and nothing recorded, when an item is wrong.
        """
        return self.learn(name, feedback.read(items, self.board(name).first(), self.clock.now()), actor=actor)

    def learn(self, name: str, labels: Labels, *, actor: str = "client") -> list[FeedbackResult]:
        """Record labels given as columns (`Labels.of_rows`, `Labels.of_keys`); one result per label, in order."""
        now = self.clock.now()
        deployed = self._find(name)
        rate = deployed.board.promise.sample
        return feedback.receive(self.store, name, labels, ledger=deployed.ledger, now=now, actor=actor, rate=rate)

    def rotate(self, *, due: bool = False) -> None:
        """Close the open segments so that they can be moved; with `due` only those old or large enough."""
        for each in list(self._deployed.values()):
            each.spool.flush()
            if not due or each.spool.due():
                each.spool.rotate()

    def close(self) -> None:
        """Close the log. Nothing is served afterwards."""
        self.rotate()
        self._deployed = {}


def _micros(times: Any) -> np.ndarray:
    if not isinstance(times, pa.Array | pa.ChunkedArray):
        times = pa.array(times, pa.timestamp("us", tz="UTC"))
    return np.asarray(times.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).to_numpy())


def _digest(request: Any) -> str:
    try:
        data = canonical(request)
    except (TypeError, ValueError):
        data = repr(request).encode(
            "utf-8", "surrogatepass"
        )  # datetimes, Arrow arrays, NaN: what Python callers may give
    return blake2b(data, digest_size=16).hexdigest()


def _digest_table(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return blake2b(sink.getvalue(), digest_size=16).hexdigest()
