"""What a monitor saw before, each look read once: however far back a look goes, it costs what was seen since the last."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from modelyard.records import Observation
from modelyard.store import Store

T = TypeVar("T")


@dataclass
class _Kept:
    """What is kept of the looks since a time, and the last record that was read."""

    since: datetime
    last: int = 0
    seen: deque[tuple[datetime, Any]] = field(default_factory=deque)


_KEPT: WeakKeyDictionary[Store, dict[Any, _Kept]] = WeakKeyDictionary()
_READING = threading.Lock()


def past(
    store: Store, monitor: str, kind: str, since: datetime, of: Callable[[Observation], T]
) -> list[tuple[datetime, T]]:
    """The ends of the windows of a kind that ended at `since` or later, oldest first, and what `of` makes of each look.

    The process keeps that (it should be small) as long as the store: observations never change, and come in the order
    of their ids. `of` is a function or method that is there once: it is known by its identity.
    """
    with _READING:
        mine = _KEPT.setdefault(store, {})
        kept = mine.get((monitor, kind, of))
        if kept is None or since < kept.since:
            kept = mine[monitor, kind, of] = _Kept(since)
        kept.since = since
        for each in store.read(Observation, monitor=monitor, kind=kind, id__gt=kept.last, end__ge=since):
            assert each.id is not None, "it was recorded"
            kept.last = each.id
            kept.seen.append((each.end, of(each)))
        while kept.seen and kept.seen[0][0] < since:
            kept.seen.popleft()
        return list(kept.seen)
