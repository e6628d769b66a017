"""Batches of a server: whatever ordinary requests wait when the gateway becomes free go together; nobody waits for a timer.

A model that answers at once is asked between two looks at the sockets, without another thread. One that takes long is
asked in a thread: what comes meanwhile is its next batch, and what waits longer than the deployment's deadline is answered
without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

from modelyard.serve import batch as batches
from modelyard.serve import lines
from modelyard.serve.batch import Asked, Batch
from modelyard.serve.board import Board
from modelyard.serve.gateway import Deployed, Gateway
from modelyard.serve.layout import Layout
from modelyard.serve.levels import Levels
from modelyard.serve.metrics import Metrics
from modelyard.serve.shadows import Shadows
from modelyard.serve.tracing import Tracing

MOST_TOGETHER = 512
# How long what waits may take to be answered before more is refused: overload is told at once, not after a wait.
MOST_SECONDS, FEW = 0.05, 16
# How long the loop may be kept from refusing, while a batch is answered.
BATCH_SECONDS = 0.02
QUICK_SECONDS, QUICK_EACH, STRIKES = 0.02, 0.002, 3
_log = logging.getLogger(__name__)

Done = Callable[[Asked], None]


@dataclass
class Lane:
    """The ordinary requests of one deployment: those that wait, whether a batch is on its way, what one costs (seconds)."""

    name: str
    board: Board | None = None
    layout: Layout | None = None
    waiting: list[tuple[Asked, Done]] = field(default_factory=list)
    busy: bool = False
    slow: bool = False
    strikes: int = 0
    cost: float = 0.0

    @property
    def full(self) -> bool:
        """Whether another request would wait too long."""
        return len(self.waiting) >= FEW and len(self.waiting) * self.cost > MOST_SECONDS

    @property
    def together(self) -> int:
        """How many requests make a batch: as many as are answered within `BATCH_SECONDS`, but two at least."""
        return MOST_TOGETHER if not self.cost else max(2, min(MOST_TOGETHER, int(BATCH_SECONDS / self.cost)))


class Batcher:
    """Collects ordinary requests and answers them in batches, on the loop that it is used from."""

    def __init__(
        self, gateway: Gateway, metrics: Metrics, shadows: Shadows, levels: Levels, tracing: Tracing | None
    ) -> None:
        self.gateway = gateway
        self.metrics = metrics
        self.shadows = shadows
        self.levels = levels
        self.tracing = tracing
        self.access = lines.access()
        self.steps = batches.STEPS if tracing is None else tuple(map(tracing.spanned, batches.STEPS))
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
        return lane if lane.layout is not None and not deployed.ejections.any else None

    def add(self, lane: Lane, asked: Asked, done: Done) -> None:
        """Have a request answered; `done` is called on the loop with its answer, or without: then it is the pipeline's."""
        loop = asyncio.get_running_loop()
        if lane.full:
            asked.refused = True
            self.metrics.count("modelyard_refusals_total", deployment=lane.name, code="overloaded")
            if lane.board is not None:
                self.levels.count(lane.board, (), failed=1)
            loop.call_soon(done, asked)
            return
        lane.waiting.append((asked, done))
        if lane.slow and lane.board is not None:
            asked.timer = loop.call_later(lane.board.promise.deadline, self._expire, asked, done)
        if not lane.busy:
            lane.busy = True
            loop.call_soon(self._go, lane)

    def _expire(self, asked: Asked, done: Done) -> None:
        if asked.claim():
            asked.late = True
            done(asked)

    def _go(self, lane: Lane) -> None:
        """Answer what waits."""
        some, lane.waiting = lane.waiting[: lane.together], lane.waiting[lane.together :]
        some = [each for each in some if not each[0].late]
        deployed = self.gateway.deployed(lane.name)
        if not some or deployed is None or self.lane(lane.name) is None:
            self._end(lane, some)
            return
        loop = asyncio.get_running_loop()
        if lane.slow:
            working = loop.run_in_executor(self._slow, self._answer, lane, deployed, some)
            working.add_done_callback(lambda _: self._end(lane, some))
            return
        batch = self._answer(lane, deployed, some)
        if batch is not None and batch.wrote[0] and deployed.spool.durability == "disk":
            waiting = loop.run_in_executor(self._sync, deployed.spool.sync, *batch.wrote)
            waiting.add_done_callback(lambda future: self._synced(lane, some, future))
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
            with nullcontext() if self.tracing is None else self.tracing.batch(batch):
                batches.run(batch, self.steps)
            if lane.slow:
                deployed.spool.sync(*batch.wrote)
        except Exception as error:  # nothing was answered yet: the pipeline takes each request and tells what is wrong
            _log.warning("a batch of %s failed: %s", lane.name, type(error).__name__)
            for each in asked:
                each.answer = None
            return None
        ended = clock.monotonic()
        cost = (ended - began) / len(asked)
        # A batch during which somebody else had the processor says little of the next one.
        lane.cost = cost if not lane.cost else 0.9 * lane.cost + 0.1 * min(cost, 2 * lane.cost)
        lane.strikes = lane.strikes + 1 if ended - began > max(QUICK_SECONDS, QUICK_EACH * len(asked)) else 0
        lane.slow = lane.slow or lane.strikes >= STRIKES
        deployed.ejections.answered(share.arm.release for share in batch.shares)
        self._count(lane.name, batch, ended)
        self.shadows.add(batch)
        return batch

    def _synced(self, lane: Lane, some: list[tuple[Asked, Done]], future: asyncio.Future[None]) -> None:
        if future.exception() is not None:
            for each, _ in some:
                each.unlogged = each.answer is not None
                each.answer = None
        self._tell(lane, some)

    def _end(self, lane: Lane, some: list[tuple[Asked, Done]]) -> None:
        self._tell(lane, some)
        self._next(lane)

    def _release(self, lane: Lane, asked: Asked) -> None:
        asked.held = False
        deployed = self.gateway.deployed(lane.name)
        if deployed is not None:
            deployed.ledger.release(asked.id)

    def _tell(self, lane: Lane, some: list[tuple[Asked, Done]]) -> None:
        for each, done in some:
            if each.timer is not None:
                each.timer.cancel()  # else it would keep the body until the deadline
            if each.held:
                # Whoever asks again, or the pipeline to which it is left, may claim the id now.
                self._release(lane, each)
            if not each.late:
                each.claim()
                done(each)

    def _next(self, lane: Lane) -> None:
        lane.busy = bool(lane.waiting)
        if lane.busy:
            asyncio.get_running_loop().call_soon(self._go, lane)

    def _count(self, name: str, batch: Batch, ended: float) -> None:
        took = []
        for share in batch.shares:
            told = {
                "deployment": name,
                "arm": share.arm.name,
                "release": batch.board.loaded[share.arm.release].served.name,
            }
            self.metrics.count("modelyard_rows_total", len(share.rows), **told)
            took += [ended - batch.asked[number].began for number in share.asked]
        self._count_told(name, batch)
        if self.access is not None:
            for share in batch.shares:
                for number in share.asked:
                    each = batch.asked[number]
                    ms = round(1000 * (ended - each.began), 3)
                    about = {"request_id": each.id, "deployment": name, "operation": "predict", "status": 200}
                    self.access.info("request", extra={**about, "arm": share.arm.name, "ms": ms})
        if took:
            told = {"deployment": name, "operation": "predict"}
            self.metrics.count("modelyard_requests_total", len(took), status="200", **told)
            self.metrics.times(took, **told)
            self.levels.count(batch.board, took)

    def _count_told(self, name: str, batch: Batch) -> None:
        """Count what the input policy did, as `Server` does for requests of the pipeline."""
        if not batch.told:
            return
        answered = [row for share in batch.shares for row in share.rows.tolist()]
        uses = Counter(one for row in answered for one in batch.told.get(row, ()))
        codes: Counter[str] = Counter()
        for (column, code, action), number in uses.items():
            codes[code] += number
            told = {"deployment": name, "input": column, "code": code, "action": action}
            self.metrics.count("modelyard_policy_total", number, **told)
        for code, number in codes.items():
            self.metrics.count("modelyard_warnings_total", number, deployment=name, code=code)

    def close(self) -> None:
        """End the threads."""
        self._slow.shutdown(wait=False, cancel_futures=True)
        self._sync.shutdown()
