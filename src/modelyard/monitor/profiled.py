"""The profiled pieces of a deployment's log, each read once: neither a piece nor its profile ever changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from weakref import WeakKeyDictionary

from modelyard.records import Segment
from modelyard.store import Store

MOST = 10_000
"""More pieces are not kept, but read whenever they are asked for."""


@dataclass
class _Kept:
    """The pieces up to record `last`, but for those that ended longer than `width` before the `newest`."""

    newest: datetime
    width: timedelta = timedelta(0)
    last: int = 0
    pieces: Sequence[Segment] = field(default_factory=list)


_KEPT: WeakKeyDictionary[Store, dict[str, _Kept]] = WeakKeyDictionary()
_READING = threading.Lock()


def profiled(store: Store, deployment: str, start: datetime, end: datetime) -> list[Segment]:
    """The pieces that have a profile and may hold rows of [start, end), in the order of their ids."""
    with _READING:
        mine = _KEPT.setdefault(store, {})
        kept = mine.get(deployment) or _Kept(start)
        if kept.newest - start > kept.width:
            kept = _Kept(kept.newest, 1.25 * (kept.newest - start))  # the next one may begin a little earlier
        since = kept.newest - kept.width
        young = store.read(Segment, deployment=deployment, id__gt=kept.last, end__ge=since)
        # A piece that waits for its profile is read again, and so are those behind it.
        done = list(takewhile(lambda each: each.profile, young))
        if done:
            kept.last = done[-1].id or 0
            kept.newest = max(kept.newest, *(each.end for each in done))
            kept.pieces = [*(each for each in kept.pieces if each.end >= since), *done]
        mine[deployment] = kept if len(kept.pieces) <= MOST else _Kept(start)
    found = [*kept.pieces, *(each for each in young[len(done) :] if each.profile)]
    return [each for each in found if each.end >= start and each.start < end]
