"""Judge how new the sources are that a deployment's model is made from, and whether as much comes as usual."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from modelyard.monitor.past import past
from modelyard.monitor.seen import Seen, unknown
from modelyard.monitor.software import PAST, volume
from modelyard.records import Observation, Version
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.stats.hourly import Hourly
from modelyard.store import Store

Newest = Mapping[str, datetime | None]
Arrived = Mapping[str, Hourly]


CADENCES, LOOKS, UNSETTLED, FEW = 3, 8, 3, 20
"""Without a declared freshness: stale after three times the usual age at a look, learned from at least eight looks,
never from the last three."""
HISTORY = timedelta(days=90)


def look(
    store: Store,
    spec: Spec,
    name: str,
    monitor: Monitor,
    now: datetime,
    source_times: Newest | Callable[[], Newest] | None,
    arrived: Callable[[datetime], Arrived] | None = None,
) -> list[Seen]:
    """Stale or thin sources: the newest row is older than declared, or than is usual, or fewer rows come than usual.
    Empty when no source has a time."""
    allowed = {name: source.freshness for name, source in spec.sources.items() if source.time is not None}
    if not monitor.upstream.freshness or not allowed:
        return []
    given = source_times() if callable(source_times) else source_times
    times = given if given is not None else recorded(store)
    learned = usual(found for _, found in past(store, name, "stale", now - HISTORY, ages, until=now))
    thin = []
    if monitor.upstream.volume and arrived is not None:
        rows = arrived(now - monitor.window - timedelta(weeks=PAST))
        thin = [told for name in allowed if name in rows and (told := sparse(name, rows[name], monitor.window))]
    return [judge(allowed, times, now, learned, thin)]


def sparse(name: str, rows: Hourly, window: timedelta) -> str:
    """What is thin (or has swollen) about the rows of a source, by hour, in the window up to its newest one; "" when
    nothing is. How old that one is, is another question."""
    if not len(rows):
        return ""
    end = rows.end
    found = volume(rows.part(end=end - window), rows.part(end - window), end - window, end)
    return f"{name}: {found.says.removeprefix('traffic ')}" if found.level in ("warn", "page") else ""


def ages(seen: Observation) -> dict[str, float]:
    """Per source, how old in seconds its newest row was when an observation was made."""
    newest = {name: source.get("newest") for name, source in seen.detail.get("sources", {}).items()}
    return {name: (seen.end - datetime.fromisoformat(time)).total_seconds() for name, time in newest.items() if time}


def usual(looks: Iterable[Mapping[str, float]]) -> dict[str, timedelta]:
    """Per source the largest age of its newest row that looks usually found, once there are enough: of up to 20 looks
    the largest (a business is closed on Sundays), of more the 90th percentile. The last looks are left out: what is
    wrong now is not usual."""
    ages: dict[str, list[float]] = {}
    for each in looks:
        for name, age in each.items():
            ages.setdefault(name, []).append(age)
    settled = {name: sorted(seconds[:-UNSETTLED]) for name, seconds in ages.items()}
    return {
        name: timedelta(seconds=seconds[-1 if len(seconds) <= FEW else math.ceil(0.9 * (len(seconds) - 1))])
        for name, seconds in settled.items()
        if len(seconds) >= LOOKS
    }


def judge(
    allowed: Mapping[str, timedelta | None],
    times: Newest,
    now: datetime,
    learned: Mapping[str, timedelta] | None = None,
    thin: Sequence[str] = (),
) -> Seen:
    """Page when a source is older than declared, warn when it is older than three times what is usual or is `thin`;
    insufficient data when the time of one that declares it is not known and none is stale, or when nothing is known that
    any could be held against."""
    learned = learned or {}
    ages = {name: now - time for name in allowed if (time := times.get(name)) is not None}
    told, stale, late = [], [], []
    for name, age in ages.items():
        limit, known = allowed[name], learned.get(name)
        if limit is not None and age > limit:
            stale.append(name)
            told.append(f"{name}: its newest row is {_told(age)} old, {_told(limit)} is allowed")
        elif limit is None and known is not None and age > CADENCES * max(known, timedelta(hours=1)):
            late.append(name)
            told.append(f"{name}: its newest row is {_told(age)} old, up to {_told(known)} is usual")
    told += thin
    detail: dict[str, Any] = {
        "thin": list(thin),
        "sources": {name: _detail(allowed[name], times.get(name)) for name in allowed},
    }
    if told:
        return Seen("stale", "page" if stale else "warn", "; ".join(told), {**detail, "stale": sorted(stale + late)})
    lost = [name for name, limit in allowed.items() if limit is not None and name not in ages]
    if lost:
        return unknown("stale", f"the newest row of {', '.join(lost)} is not known", **detail)
    if not ages:
        return unknown("stale", "no source declares its freshness, and no row's time is known", **detail)
    young = {name: age for name, age in ages.items() if allowed[name] is None and name not in learned}
    newest = ", ".join(f"of {name} the newest row is {_told(age)} old" for name, age in young.items())
    why = f"what is usual is known after {LOOKS + UNSETTLED} looks, or is declared as `freshness`"
    if len(young) == len(ages):
        return unknown("stale", f"{newest}; {why}", **detail)
    fresh = f"{len(ages) - len(young)} of {len(allowed)} sources are fresh"
    return Seen("stale", "ok", f"{fresh}; {newest}: {why}" if young else fresh, detail)


def _detail(limit: timedelta | None, newest: datetime | None) -> dict[str, Any]:
    return {
        "newest": newest.isoformat() if newest else None,
        "freshness_seconds": limit.total_seconds() if limit else None,
    }


def recorded(store: Store) -> dict[str, datetime | None]:
    """Per source the newest row's time, as the latest builds of datasets and views found it."""
    found: dict[str, datetime | None] = {}
    latest = {version.entity: version for version in store.read(Version, order="number")}
    for version in latest.values():
        for name, source in (version.body.get("sources") or {}).items():
            time = source.get("time_max")
            moment = datetime.fromisoformat(time) if time else None
            known = found.get(name)
            found[name] = max(filter(None, (known, moment)), default=None)
    return found


def _told(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
