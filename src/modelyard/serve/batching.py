"""Batches of a server: whatever ordinary requests wait when the gateway becomes free go together; nobody waits for a timer.

A model that answers at once is asked between two looks at the sockets, without another thread. One that takes long is
asked in a thread, and what comes meanwhile is its next batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from modelyard.serve import batch as batches
from modelyard.serve.batch import Asked, Batch
from modelyard.serve.board import Board
from modelyard.serve.gateway import Deployed, Gateway
from modelyard.serve.layout import Layout
from modelyard.serve.metrics import Metrics

MOST_TOGETHER = 512
QUICK_SECONDS, QUICK_EACH, STRIKES = 0.02, 0.002, 3
_log = logging.getLogger(__name__)

Done = Callable[[Asked], None]


@dataclass
class Lane:
    """The ordinary requests of one deployment: those that wait, and whether a batch is on its way."""

    name: str
    board: Board | None = None
    layout: Layout | None = None
    waiting: list[tuple[Asked, Done]] = field(default_factory=list)
    busy: bool = False
    slow: bool = False
    strikes: int = 0


class Batcher:
    """Collects ordinary requests and answers them in batches, on the loop that it is used from."""

    def __init__(self, gateway: Gateway, metrics: Metrics) -> None:
        self.gateway = gateway
        self.metrics = metrics
        self._lanes: dict[str, Lane] = {}
        self._slow = ThreadPoolExecutor(2, "batch")
        self._sync = ThreadPoolExecutor(2, "sync")

    def lane(self, name: str) -> Lane | None:
        """The lane of a deployment whose requests may be ordinary, or None."""
        deployed = self.gateway.deployed(name)
        if deployed is None:
            return None
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        if lane.board is not deployed.board:
            lane.board, lane.layout, lane.strikes = deployed.board, Layout.of(deployed.board), 0
            lane.slow = any(each.served.apart for each in deployed.board.loaded.values())
        return lane if lane.layout is not None and not deployed.board.table.shadows else None

    def add(self, lane: Lane, asked: Asked, done: Done) -> None:
        """Have a request answered; `done` is called on the loop with its answer, or without: then it is the pipeline's."""
        lane.waiting.append((asked, done))
        if not lane.busy:
            lane.busy = True
            asyncio.get_running_loop().call_soon(self._go, lane)

    def _go(self, lane: Lane) -> None:
        """Answer what waits."""
        some, lane.waiting = lane.waiting[:MOST_TOGETHER], lane.waiting[MOST_TOGETHER:]
        lane.busy = bool(some)
        if not some:
            return
        deployed = self.gateway.deployed(lane.name)
        if self.lane(lane.name) is None or deployed is None:
            self._end(lane, some)
            return
        loop = asyncio.get_running_loop()
        if lane.slow:
            loop.run_in_executor(self._slow, self._answer, lane, deployed, some).add_done_callback(
                lambda _: self._end(lane, some)
            )
            return
        batch = self._answer(lane, deployed, some)
        if batch is not None and batch.wrote[0] and deployed.spool.durability == "disk":
            waiting = loop.run_in_executor(self._sync, deployed.spool.sync, *batch.wrote)
            waiting.add_done_callback(lambda future: self._synced(some, future))
            self._next(lane)
        else:
            self._end(lane, some)

    def _answer(self, lane: Lane, deployed: Deployed, some: list[tuple[Asked, Done]]) -> Batch | None:
        assert lane.layout is not None
        clock = self.gateway.clock
        asked = [each for each, _ in some]
        batch = Batch(deployed.board, lane.layout, clock, deployed.spool, deployed.ledger, asked)
        began = clock.monotonic()
        try:
            batches.run(batch)
            if lane.slow:
                deployed.spool.sync(*batch.wrote)
        except Exception as error:  # nothing was answered yet: the pipeline takes each request and tells what is wrong
            _log.warning("a batch of %s failed: %s", lane.name, type(error).__name__)
            for each in asked:
                each.answer = None
            return None
        ended = clock.monotonic()
        lane.strikes = lane.strikes + 1 if ended - began > max(QUICK_SECONDS, QUICK_EACH * len(asked)) else 0
        lane.slow = lane.slow or lane.strikes >= STRIKES
        self._count(lane.name, batch, ended)
        return batch

    def _synced(self, some: list[tuple[Asked, Done]], future: asyncio.Future[None]) -> None:
        if future.exception() is not None:
            for each, _ in some:
                each.answer = None
        for each, done in some:
            done(each)

    def _end(self, lane: Lane, some: list[tuple[Asked, Done]]) -> None:
        for each, done in some:
            done(each)
        self._next(lane)

    def _next(self, lane: Lane) -> None:
        lane.busy = bool(lane.waiting)
        if lane.busy:
            asyncio.get_running_loop().call_soon(self._go, lane)

    def _count(self, name: str, batch: Batch, ended: float) -> None:
        took = []
        for share in batch.shares:
            self.metrics.count("modelyard_rows_total", len(share.rows), deployment=name, arm=share.arm.name)
            took += [ended - batch.asked[number].began for number in share.asked]
        if took:
            told = {"deployment": name, "operation": "predict"}
            self.metrics.count("modelyard_requests_total", len(took), status="200", **told)
            self.metrics.times(took, **told)

    def close(self) -> None:
        """End the threads."""
        self._slow.shutdown()
        self._sync.shutdown()
