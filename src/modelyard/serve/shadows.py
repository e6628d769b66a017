"""Shadow work of a server: done by a thread of its own after the answer, never delaying one; too much of it is dropped."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from modelyard.serve import batch, pipeline
from modelyard.serve.batch import Batch
from modelyard.serve.call import Call

MOST_WAITING = 1_000
_log = logging.getLogger(__name__)


class Shadows:
    """A bounded queue of answered requests, and the thread that lets shadows answer them too."""

    def __init__(self, dropped: Callable[[Call | Batch], None]) -> None:
        self._waiting: queue.Queue[Call | Batch | None] = queue.Queue(MOST_WAITING)
        self._dropped = dropped
        self._thread: threading.Thread | None = None

    def add(self, call: Call | Batch) -> None:
        """Have the shadows of `call` computed some time, or count it as dropped."""
        answered = call.shares if isinstance(call, Batch) else call.parts
        if not answered or not (call.board.table.shadows or call.board.companions):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="shadows", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(call)
        except queue.Full:
            self._dropped(call)

    def close(self, patience: float = 5.0) -> None:
        """Finish what waits, for at most `patience` seconds."""
        if self._thread is not None:
            try:
                self._waiting.put(None, timeout=patience)
            except queue.Full:
                return
            self._thread.join(patience)
            self._thread = None

    def join(self) -> None:
        """Wait until nothing waits."""
        self._waiting.join()

    def _work(self) -> None:
        while (call := self._waiting.get()) is not None:
            try:
                batch.shadow(call) if isinstance(call, Batch) else pipeline.shadow(call)
            except Exception as error:  # a shadow never ends the thread that serves all shadows
                _log.warning("a shadow of %s failed: %s", call.board.name, type(error).__name__)
                self._dropped(call)
            finally:
                self._waiting.task_done()
        self._waiting.task_done()
