"""Let a monitor look when it is due, and record what it saw; an alarm is told once, when it rises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelyard.errors import NotFound
from modelyard.monitor import (
    concept,
    cost,
    decay,
    estimate,
    inputs,
    joint,
    kpis,
    message,
    quality,
    reference,
    refused,
    served,
    software,
    sources,
)
from modelyard.monitor.grouping import OF, Earlier, group, persistent, remaining, shared, waits
from modelyard.monitor.past import lately, newest, past
from modelyard.monitor.seen import Seen
from modelyard.monitor.sources import Arrived, Newest
from modelyard.records import Level, Observation, Release
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.stats import severity
from modelyard.store import Held, Store

LATCH = 3
"""An alarm is not told again while one of the last three looks was as bad."""


def observe(
    store: Store,
    spec: Spec,
    name: str,
    *,
    now: datetime,
    actor: str,
    fence: Held | None = None,
    source_times: Newest | Callable[[], Newest] | None = None,
    arrived: Callable[[datetime], Arrived] | None = None,
    memory: Callable[[], Sequence[int]] | None = None,
    force: bool = False,
    simulated: bool = False,
) -> list[Observation]:
    """Look at the window [now - window, now) and record one observation per kind; nothing when it is not yet due.

    `source_times`: the newest row's time per source, or how to find it (asked only when due); else as last built.
    `arrived`: how to find each source's rows by hour since a time; `memory`: the bytes that each gateway process holds.
    `force` looks whether due or not, but never twice at the same `now`. Looks of a clock that ran ahead by more than `every`
    do not count, so that after it was put right the monitor is not blind until then. In a simulation latencies are not judged.
    """
    monitor = _declared(spec, name)
    last = lately(store, name, LATCH, Past.of, until=now)
    if last and (now <= last[-1][0] or (not force and now - last[-1][0] < monitor.every)):
        return []
    ahead = newest(store, name)
    if ahead is not None and now < ahead.end <= now + monitor.every:
        return []  # the clock was put back a little
    monitor = shared(spec, monitor)
    with store.asking_once():  # what parts of a look ask alike, of one state
        release = reference.champion(store, monitor.deployment)
        judged = quality.look(store, spec, monitor, release, now)
        hours = served.window(store, monitor.deployment, now - monitor.window - timedelta(weeks=software.PAST), now)
        found = inputs.look(store, name, monitor, release, now, hours)
        if not simulated:
            found = refused.beside(store, monitor, now, hours, found)
        drift = next((each for each in found if each.kind == "drift"), None)
        seen = [
            *found,
            *joint.look(store, name, monitor, release, now, drift, hours),
            *judged,
            *decay.look(store, name, monitor, release, now, judged[0] if judged else None),
            *concept.look(store, spec, name, monitor, release, now),
            *estimate.look(store, monitor, release, now, hours),
            *software.look(store, name, monitor, now, hours, simulated=simulated, memory=memory() if memory else ()),
            *cost.look(store, spec, monitor, now, simulated=simulated),
            *kpis.look(store, spec, monitor, now),
            *sources.look(store, spec, name, monitor, now, source_times, arrived),
        ]
        before: dict[str, list[Past]] = {}
        for _, kind, stood in last:
            before.setdefault(kind, []).append(stood)
        raw = {kind: [each.raw for each in levels] for kind, levels in before.items()}
        seen = group(persistent(seen, raw, _windows(store, name, monitor, seen, now)))
        seen = remaining(seen, _earlier(store, name, monitor, seen, now))
    return _record(store, spec, name, monitor, release, seen, before, now=now, actor=actor, fence=fence)


def _declared(spec: Spec, name: str) -> Monitor:
    if name not in spec.monitors:
        raise NotFound(f"there is no monitor {name!r}.", hint=f"Declared are: {', '.join(spec.monitors) or 'none'}.")
    return spec.monitors[name]


@dataclass(frozen=True)
class Past:
    """How one kind stood in one of the last looks: as it was told, and before it had to persist."""

    level: Level
    raw: Level

    @classmethod
    def of(cls, seen: Observation) -> Past:
        """Of a recorded observation."""
        return cls(seen.level, seen.detail.get("raw", seen.level))


def _record(
    store: Store,
    spec: Spec,
    name: str,
    monitor: Monitor,
    release: Release | None,
    seen: list[Seen],
    before: dict[str, list[Past]],
    *,
    now: datetime,
    actor: str,
    fence: Held | None,
) -> list[Observation]:
    """All kinds in one transaction, so that a look is recorded whole or not at all."""
    if not seen:
        return []
    risen = {each.kind for each in seen if severity(each.level) > max(1, _worst(before.get(each.kind, [])))}
    over = sorted(each.kind for each in seen if _over(each, before.get(each.kind, [])))
    told = message.tell(store, spec, name, monitor, release, seen, risen, now)
    detail = {"levels": {each.kind: each.level for each in seen}, "deployment": monitor.deployment}
    if over:
        detail |= {"resolved": over}
    action = "monitor.alarmed" if told else "monitor.resolved" if over else "monitor.observed"
    if told:
        detail |= told.audit
    elif over:
        detail |= {"why": f"{', '.join(over)}: over, the last {LATCH} looks show no more of it"}
    made = [
        Observation(
            monitor=name,
            deployment=monitor.deployment,
            model=spec.deployments[monitor.deployment].model,
            kind=each.kind,
            start=now - monitor.window,
            end=now,
            level=each.level,
            says=each.says,
            detail=each.detail | {"risen": each.kind in risen} | (told.details.get(each.kind, {}) if told else {}),
            at=now,
        )
        for each in seen
    ]
    with store.transaction(
        actor=actor, action=action, subject=f"monitor.{name}", detail=detail, fence=fence
    ) as transaction:
        transaction.add_all(made)
    return made


def _windows(store: Store, name: str, monitor: Monitor, seen: list[Seen], now: datetime) -> set[str]:
    """Of the kinds that must show in another window: those that were as bad in one of the two before this one."""
    since, until = now - (OF - 1) * monitor.window, now - monitor.window
    return {
        each.kind
        for each in seen
        if waits(each) and each.varies
        for before in store.read(Observation, monitor=name, kind=each.kind, end__ge=since, end__le=until)
        if severity(before.detail.get("raw", before.level)) >= severity(each.level)
    }


def _earlier(store: Store, name: str, monitor: Monitor, seen: list[Seen], now: datetime) -> dict[str, list[Earlier]]:
    """The looks within the window, of each kind; asked only when something alarms."""
    if not any(severity(each.level) >= 2 for each in seen):
        return {}
    since = now - monitor.window
    return {each.kind: [one for _, one in past(store, name, each.kind, since, Earlier.of, until=now)] for each in seen}


def _worst(before: list[Past]) -> int:
    return max((severity(each.level) for each in before), default=0)


def _over(seen: Seen, before: list[Past]) -> bool:
    """Whether an alarm that was told ends with this look: it and the ones before are calm, the one before these was not."""
    if severity(seen.level) >= 2 or seen.level == "insufficient_data" or len(before) < LATCH:
        return False
    calm = [severity(each.level) < 2 for each in before[-LATCH:]]
    return not calm[0] and all(calm[1:])
