"""What a monitor saw before, each look read once: however far back a look goes, it costs what was seen since the last."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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
    `last`, recorded as `made`. `late` are the last looks at all kinds, by maker: end, kind, and what was made."""

    last: datetime
    made: int
    kept: dict[tuple[str, Any], _Kept] = field(default_factory=dict)
    late: dict[Any, deque[tuple[datetime, str, Any]]] = field(default_factory=dict)


_FEEDS: WeakKeyDictionary[Store, dict[str, _Feed]] = WeakKeyDictionary()
_READING = threading.Lock()


def past(
    store: Store, monitor: str, kind: str, since: datetime, of: Callable[[Observation], T], *, until: datetime
) -> list[tuple[datetime, T]]:
    """The ends of the windows of a kind that ended at `since` or later and by `until` (now), oldest first, and what `of`
    makes of each look.

    The process keeps that (it should be small) as long as the store: observations never change, and each look of a
    monitor ends after the one before. `of` is a function or method that is there once: it is known by its identity.
    A look that ended after `until` was made by a clock that ran ahead: it counts for nothing, and once that time has come
    it is passed over in favour of those that were made since.
    """
    with _READING:
        feed = _read_on(store, monitor, until)
        kept = feed.kept.get((kind, of))
        if kept is None or since < kept.since:
            kept = feed.kept[kind, of] = _Kept(since)
            found = store.read(Observation, monitor=monitor, kind=kind, end__ge=since, end__le=feed.last)
            kept.seen.extend((each.end, of(each)) for each in _in_order(found))
        kept.since = since
        while kept.seen and kept.seen[0][0] < since:
            kept.seen.popleft()
        return list(kept.seen)


def lately(
    store: Store, monitor: str, looks: int, of: Callable[[Observation], T], *, until: datetime
) -> list[tuple[datetime, str, T]]:
    """The last looks, oldest first: the end of the window, the kind, and what `of` makes of it; kept as by `past`."""
    with _READING:
        feed = _read_on(store, monitor, until)
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
            late.extend((each.end, each.kind, of(each)) for each in _in_order(found))
        ends = sorted({end for end, *_ in late})[-looks:]
        while late and late[0][0] < ends[0]:
            late.popleft()
        return list(late)


def newest(store: Store, monitor: str, **about: Any) -> Observation | None:
    """What a monitor saw last, by the order in which looks were made: no clock that ran ahead has a say in it."""
    return next(iter(store.read(Observation, monitor=monitor, **about, order="id", descending=True, limit=1)), None)


def _in_order(found: Iterable[Observation], made: int = 0) -> Iterator[Observation]:
    """Looks by their end, without those that were made before one that ended earlier: a clock that was put back made the
    latter, and before that ran ahead. `made`: the last id that was read before."""
    for each in sorted(found, key=lambda each: (each.end, each.id or 0)):
        if (each.id or 0) > made:
            made = each.id or 0
            yield each


def _read_on(store: Store, monitor: str, until: datetime) -> _Feed:
    """What is kept of a monitor's looks up to a time, with those that came since it was asked for."""
    mine = _FEEDS.setdefault(store, {})
    if monitor not in mine or mine[monitor].last > until:
        last = store.read(Observation, monitor=monitor, end__le=until, order=("end", "id"), descending=True, limit=1)
        mine[monitor] = _Feed(last[0].end, last[0].id or 0) if last else _Feed(_NEVER, 0)
        return mine[monitor]
    feed = mine[monitor]
    for each in _in_order(store.read(Observation, monitor=monitor, end__gt=feed.last, end__le=until), feed.made):
        feed.last, feed.made = each.end, each.id or 0
        for (kind, of), kept in feed.kept.items():
            if kind == each.kind and each.end >= kept.since:
                kept.seen.append((each.end, of(each)))
        for of, late in feed.late.items():
            late.append((each.end, each.kind, of(each)))
    return feed
