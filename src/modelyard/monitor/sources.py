"""Judge how new the sources are that a deployment's model is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from modelyard.monitor.seen import Seen, unknown
from modelyard.records import Version
from modelyard.spec.types import Monitor, Spec
from modelyard.store import Store

Newest = Mapping[str, datetime | None]


def look(
    store: Store, spec: Spec, monitor: Monitor, now: datetime, source_times: Newest | Callable[[], Newest] | None
) -> list[Seen]:
    """Stale sources: the newest row is older than the declared freshness. Empty when no source declares one."""
    declared = {name: source.freshness for name, source in spec.sources.items() if source.freshness is not None}
    if not monitor.upstream.freshness or not declared:
        return []
    given = source_times() if callable(source_times) else source_times
    times = given if given is not None else recorded(store)
    return [judge(declared, times, now)]


def judge(declared: Mapping[str, timedelta], times: Newest, now: datetime) -> Seen:
    """Page when a source is stale; insufficient data when the time of one is not known and none is stale."""
    ages = {name: now - time for name in declared if (time := times.get(name)) is not None}
    stale = {name: age for name, age in ages.items() if age > declared[name]}
    detail = {
        name: {
            "newest": newest.isoformat() if (newest := times.get(name)) else None,
            "freshness_seconds": declared[name].total_seconds(),
        }
        for name in declared
    }
    if stale:
        told = [
            f"{name}: its newest row is {_told(age)} old, {_told(declared[name])} is allowed"
            for name, age in stale.items()
        ]
        return Seen("stale", "page", "; ".join(told), {"sources": detail, "stale": sorted(stale)})
    lost = [name for name in declared if name not in ages]
    if lost:
        return unknown("stale", f"the newest row of {', '.join(lost)} is not known", sources=detail)
    return Seen("stale", "ok", f"all {len(declared)} sources are fresh", {"sources": detail})


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
