"""Let a monitor look when it is due, and record what it saw; an alarm is told once, when it rises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from modelyard.errors import NotFound
from modelyard.monitor import concept, decay, estimate, inputs, quality, software, sources
from modelyard.monitor.seen import Seen
from modelyard.monitor.sources import Newest
from modelyard.records import Observation
from modelyard.spec.types import Monitor, Spec
from modelyard.stats import severity
from modelyard.store import Held, Store

KINDS = len(inputs.KINDS) + 16
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
    force: bool = False,
    simulated: bool = False,
) -> list[Observation]:
    """Look at the window [now - window, now) and record one observation per kind; nothing when it is not yet due.

    `source_times`: the newest row's time per source, or how to find it (asked only when due); else as last built.
    `force` looks whether due or not, but never twice at the same `now`. In a simulation latencies are not judged.
    """
    monitor = _declared(spec, name)
    latest = store.read(Observation, monitor=name, order="end", descending=True, limit=1)
    if latest and (now <= latest[0].end or (not force and now - latest[0].end < monitor.every)):
        return []
    judged = quality.look(store, spec, monitor, now)
    seen = [
        *inputs.look(store, monitor, now),
        *judged,
        *decay.look(store, name, monitor, now, judged[0] if judged else None),
        *concept.look(store, spec, name, monitor, now),
        *estimate.look(store, monitor, now),
        *software.look(store, monitor, now, simulated=simulated),
        *sources.look(store, spec, monitor, now, source_times),
    ]
    return _record(store, spec, name, monitor, seen, now=now, actor=actor, fence=fence)


def _declared(spec: Spec, name: str) -> Monitor:
    if name not in spec.monitors:
        raise NotFound(f"there is no monitor {name!r}.", hint=f"Declared are: {', '.join(spec.monitors) or 'none'}.")
    return spec.monitors[name]


def _record(
    store: Store,
    spec: Spec,
    name: str,
    monitor: Monitor,
    seen: list[Seen],
    *,
    now: datetime,
    actor: str,
    fence: Held | None,
) -> list[Observation]:
    """All kinds in one transaction, so that a look is recorded whole or not at all."""
    if not seen:
        return []
    before = _before(store, name)
    risen = [each for each in seen if severity(each.level) > max(1, before.get(each.kind, 0))]
    told = {
        "kind": "+".join(each.kind for each in risen),
        "level": max((each.level for each in risen), key=severity, default="ok"),
        "why": " ".join(f"{each.kind}: {each.says.removesuffix('.')}." for each in risen),
    }
    detail = {"levels": {each.kind: each.level for each in seen}, "deployment": monitor.deployment}
    with store.transaction(
        actor=actor,
        action="monitor.alarmed" if risen else "monitor.observed",
        subject=f"monitor.{name}",
        detail=detail | told if risen else detail,
        fence=fence,
    ) as transaction:
        return [
            transaction.add(
                Observation(
                    monitor=name,
                    deployment=monitor.deployment,
                    model=spec.deployments[monitor.deployment].model,
                    kind=each.kind,
                    start=now - monitor.window,
                    end=now,
                    level=each.level,
                    says=each.says,
                    detail=each.detail | {"risen": each in risen},
                    at=now,
                )
            )
            for each in seen
        ]


def _before(store: Store, name: str) -> dict[str, int]:
    """The worst severity of each kind in the last looks."""
    last = store.read(Observation, monitor=name, order="end", descending=True, limit=LATCH * KINDS)
    looks = sorted({each.end for each in last})[-LATCH:]
    worst: dict[str, int] = {}
    for each in last:
        if each.end in looks:
            worst[each.kind] = max(worst.get(each.kind, 0), severity(each.level))
    return worst
