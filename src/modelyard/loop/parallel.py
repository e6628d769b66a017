"""Variants of a simulation side by side, one process each on as many processors as there are."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from modelyard.engines.function import die_with_parent

POLL_SECONDS = 0.2
Task = TypeVar("Task")
_told: Any = None


def each(
    work: Callable[[Task, Callable[[str], None]], dict[str, Any]],
    tasks: Sequence[Task],
    progress: Callable[[str], None],
) -> list[dict[str, Any]]:
    """`work(task, progress)` for every task, in order; several at once when there are several processors.

    `work` and the tasks must pickle. Progress of all arrives here. The first error ends the others and is raised;
    so does Ctrl-C, and the death of this process ends them too.
    """
    workers = min(len(tasks), os.cpu_count() or 1)
    if workers < 2:
        return [work(task, progress) for task in tasks]
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    with context.Pool(workers, initializer=_begin, initargs=(messages,)) as pool:
        results = [pool.apply_async(_run, (work, task)) for task in tasks]
        while not all(result.ready() for result in results):
            _tell(messages, progress)
            for result in results:
                if result.ready():
                    result.get()
        while _tell(messages, progress):
            pass
        return [result.get() for result in results]


def _tell(messages: Any, progress: Callable[[str], None]) -> bool:
    """Hand on one message; whether there was one."""
    try:
        progress(messages.get(timeout=POLL_SECONDS))
    except queue.Empty:
        return False
    return True


def _begin(messages: Any) -> None:
    """Ctrl-C is the parent's to answer; it ends the children."""
    global _told
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    _told = messages


def _run(work: Callable[[Any, Callable[[str], None]], dict[str, Any]], task: Any) -> dict[str, Any]:
    return work(task, _told.put)
