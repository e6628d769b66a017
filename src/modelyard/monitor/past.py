"""What a monitor saw before, each look read once: however far back a look goes, it costs what was seen since the last."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from modelyard.records import Observation
from modelyard.store import Store

T = TypeVar("T")
_NEVER = datetime.min.replace(tzinfo=UTC)
MOST = 64
"""More kinds are never seen in one look."""


@dataclass
class _Kept:
    """What is kept of the looks since a time."""

    since: datetime
    seen: deque[tuple[datetime, Any]] = field(default_factory=deque)


@dataclass
class _Feed:
    """What a process keeps of one monitor's looks: what was made of them, by kind and maker, up to the look that ended
    `last`. `late` are the last looks at all kinds, by maker: end, kind, and what was made."""

    last: datetime
    kept: dict[tuple[str, Any], _Kept] = field(default_factory=dict)
    late: dict[Any, deque[tuple[datetime, str, Any]]] = field(default_factory=dict)


_FEEDS: WeakKeyDictionary[Store, dict[str, _Feed]] = WeakKeyDictionary()
_READING = threading.Lock()


def past(
    store: Store, monitor: str, kind: str, since: datetime, of: Callable[[Observation], T]
) -> list[tuple[datetime, T]]:
    """The ends of the windows of a kind that ended at `since` or later, oldest first, and what `of` makes of each look.

    The process keeps that (it should be small) as long as the store: observations never change, and each look of a
    monitor ends after the one before. `of` is a function or method that is there once: it is known by its identity.
    """
    with _READING:
        feed = _read_on(store, monitor)
        kept = feed.kept.get((kind, of))
        if kept is None or since < kept.since:
            kept = feed.kept[kind, of] = _Kept(since)
            found = store.read(Observation, monitor=monitor, kind=kind, end__ge=since, end__le=feed.last)
            kept.seen.extend((each.end, of(each)) for each in found)
        kept.since = since
        while kept.seen and kept.seen[0][0] < since:
            kept.seen.popleft()
        return list(kept.seen)


def lately(store: Store, monitor: str, looks: int, of: Callable[[Observation], T]) -> list[tuple[datetime, str, T]]:
    """The last looks, oldest first: the end of the window, the kind, and what `of` makes of it; kept as by `past`."""
    with _READING:
        feed = _read_on(store, monitor)
        late = feed.late.get(of)
        if late is None:
            late = feed.late[of] = deque()
            found = store.read(
                Observation,
                monitor=monitor,
                end__le=feed.last,
                order=("end", "id"),
                descending=True,
                limit=looks * MOST,
            )
            late.extend((each.end, each.kind, of(each)) for each in reversed(found))
        ends = sorted({end for end, *_ in late})[-looks:]
        while late and late[0][0] < ends[0]:
            late.popleft()
        return list(late)


def _read_on(store: Store, monitor: str) -> _Feed:
    """What is kept of a monitor's looks, with those that came since it was asked for."""
    mine = _FEEDS.setdefault(store, {})
    if monitor not in mine:
        newest = store.read(Observation, monitor=monitor, order="end", descending=True, limit=1)
        mine[monitor] = _Feed(newest[0].end if newest else _NEVER)
        return mine[monitor]
    feed = mine[monitor]
    for each in store.read(Observation, monitor=monitor, end__gt=feed.last):
        feed.last = each.end
        for (kind, of), kept in feed.kept.items():
            if kind == each.kind and each.end >= kept.since:
                kept.seen.append((each.end, of(each)))
        for of, late in feed.late.items():
            late.append((each.end, each.kind, of(each)))
    return feed
