"""Requests counted, for the declared service levels and those that were wrong: minute by minute into a file of this process, and for Prometheus."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Collection, Iterable, Sequence

from modelyard.records import Observation
from modelyard.serve.board import Board
from modelyard.serve.metrics import Labels, Metrics
from modelyard.serve.refusal import Fault
from modelyard.spec.levels import watcher
from modelyard.store import Store, minutes
from modelyard.store.minutes import Minute

MOST = 50
"""So many different faults are counted apart in a minute."""
_log = logging.getLogger(__name__)


class Levels:
    """What this process has counted and not yet written; safe to use from several threads."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], Minute] = {}
        self._left: dict[Labels, float] = {}
        self._asked = 0

    def count(self, board: Board, durations: Sequence[float], *, failed: int = 0) -> None:
        """Requests that were answered, with the seconds that each took, and such that should have been.

        What its sender did wrong (4xx, but for 429) counts for nothing.
        """
        objectives = board.promise.objectives
        if not objectives:
            return
        slow = {
            each.name: sum(took > each.seconds for took in durations) for each in objectives if each.seconds is not None
        }
        with self._lock:
            mine = self._minute(board.name)
            mine.n += len(durations) + failed
            mine.failed += failed
            for name, number in slow.items():
                mine.slow[name] = mine.slow.get(name, 0) + number
        for each in objectives:
            counted, bad = len(durations), slow.get(each.name, 0)
            if each.seconds is None:
                counted, bad = counted + failed, failed
            told = {"deployment": board.name, "objective": each.name}
            self._metrics.count("modelyard_slo_requests_total", counted, **told)
            self._metrics.count("modelyard_slo_bad_total", bad, **told)

    def refuse(self, board: Board, faults: Iterable[Fault]) -> None:
        """A request that was wrong: what of it did not fit the inputs is counted, each fault once."""
        columns = board.names
        wrong = {_wrong(each, columns) for each in faults}
        with self._lock:
            mine = self._minute(board.name)
            mine.refused += 1
            for each in wrong:
                if each in mine.wrong or len(mine.wrong) < MOST:
                    mine.wrong[each] = mine.wrong.get(each, 0) + 1

    def _minute(self, deployment: str) -> Minute:
        """The counts of a deployment's present minute; the lock is held."""
        minute = int(self._store.clock.now().timestamp()) // 60
        return self._open.setdefault((deployment, minute), Minute(deployment, minute, slow={}, wrong={}))

    def write(self, *, every: bool = False) -> None:
        """Write down the minutes that are over (`every`: all); what cannot be written now is kept for later."""
        now = int(self._store.clock.now().timestamp()) // 60
        with self._lock:
            over = {key: each for key, each in self._open.items() if every or each.minute < now}
            for key in over:
                del self._open[key]
        if not over:
            return
        try:
            minutes.append(self._store, self._name, over.values())
        except OSError as error:
            _log.warning("the counts of service levels cannot be written: %s", error)
            with self._lock:
                for key, each in over.items():
                    self._open.setdefault(key, each)

    def left(self, boards: Sequence[Board]) -> dict[Labels, float]:
        """The share of each objective's budget that is left, as it was observed last; asked for once a minute."""
        now = int(self._store.clock.now().timestamp()) // 60
        if now != self._asked:
            self._asked = now
            self._left = {
                (("deployment", board.name), ("objective", each["objective"])): float(each["left"])
                for board in boards
                if board.promise.objectives
                for seen in self._store.read(
                    Observation, monitor=watcher(board.name), order="end", descending=True, limit=1
                )
                for each in seen.detail.get("objectives", ())
                if each.get("left") is not None
            }
        return self._left


def _wrong(fault: Fault, columns: Collection[str]) -> str:
    """What was wrong, without any value or name that a sender made up: the code, and the column where it is one of ours."""
    named = next((part for part in reversed(fault.pointer.split("/")) if part in columns), "")
    return f"{named} {fault.code}" if named else fault.code


def answered_badly(status: int) -> bool:
    """Whether a request was right and got no answer: our failure, or no room for it."""
    return status >= 500 or status == 429
