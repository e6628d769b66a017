"""Service levels: what is left of each objective's budget, and how fast it goes, from what gateways counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from modelyard.monitor.past import newest
from modelyard.records import Level, Observation
from modelyard.spec.levels import Objective, Slo, watcher
from modelyard.spec.types import Spec
from modelyard.spec.values import show_duration
from modelyard.stats import severity
from modelyard.stats.burn import Burn, burn
from modelyard.store import Held, Store, minutes
from modelyard.store.minutes import Minute

AT_LEAST = timedelta(hours=1)
"""A look that says nothing new is recorded once an hour."""
MOVED = 0.01
"""What moves the budget by so much is news."""
_looked: WeakKeyDictionary[Store, int] = WeakKeyDictionary()


def watch(
    store: Store, spec: Spec, *, now: datetime, actor: str, fence: Held | None = None, force: bool = False
) -> list[Observation]:
    """Look at every deployment that declares service levels, once a minute; record what is news, and once an hour."""
    declared = {name: each.slo for name, each in spec.deployments.items() if each.slo is not None}
    minute = int(now.timestamp()) // 60
    if not declared or (_looked.get(store) == minute and not force):
        return []
    _looked[store] = minute
    longest = max(slo.window for slo in declared.values())
    counted: dict[str, list[Minute]] = {name: [] for name in declared}
    for each in minutes.read(store, now - longest, now):
        if each.deployment in counted:
            counted[each.deployment].append(each)
    made = []
    for name, slo in declared.items():
        seen = _observation(name, spec.deployments[name].model, slo, look(slo, counted[name], minute), now)
        if _news(store, seen):
            with store.transaction(
                actor=actor,
                action="monitor.observed",
                subject=f"monitor.{seen.monitor}",
                detail={"levels": {"slo": seen.level}, "deployment": name},
                fence=fence,
            ) as transaction:
                made.append(transaction.add(seen))
    return made


def standing(store: Store, deployment: str) -> list[dict[str, Any]]:
    """How a deployment's objectives stood when they were looked at last; empty where none are declared, or nobody looked."""
    last = newest(store, watcher(deployment))
    return list(last.detail["objectives"]) if last else []


def look(slo: Slo, counted: Iterable[Minute], minute: int) -> list[tuple[Objective, Burn | None]]:
    """How each objective stands at a minute; None where nobody asked."""
    counted = list(counted)
    window = int(slo.window.total_seconds()) // 60
    return [
        (each, burn(_minutes(each, counted), budget=each.budget, window=window, now=minute))
        for each in slo.objectives()
    ]


def _minutes(objective: Objective, counted: Iterable[Minute]) -> dict[int, tuple[int, int]]:
    """Requests and bad ones by minute, of all processes: for latency, of those that were answered."""
    found: dict[int, tuple[int, int]] = {}
    for each in counted:
        answered = objective.seconds is not None
        n, bad = (each.n - each.failed, each.slow.get(objective.name, 0)) if answered else (each.n, each.failed)
        before = found.get(each.minute, (0, 0))
        found[each.minute] = before[0] + n, before[1] + bad
    return found


def _observation(
    name: str, model: str, slo: Slo, stands: list[tuple[Objective, Burn | None]], now: datetime
) -> Observation:
    known = [(objective, each) for objective, each in stands if each is not None]
    level: Level = max((each.level for _, each in known), key=severity, default="insufficient_data")
    told = [_says(objective, each, slo) for objective, each in known if each.level == level]
    says = "; ".join(told) or "insufficient data: no request in the window"
    return Observation(
        monitor=watcher(name),
        deployment=name,
        model=model,
        kind="slo",
        start=now - slo.window,
        end=now,
        level=level,
        says=says,
        detail={"objectives": list(map(_detail, *zip(*stands, strict=True)))},
        at=now,
    )


def _says(objective: Objective, each: Burn, slo: Slo) -> str:
    kept = 1 - each.bad / each.requests
    promise = (
        "answered" if objective.seconds is None else f"within {show_duration(timedelta(seconds=objective.seconds))}"
    )
    says = f"{objective.name}: {kept:.3%} of {each.requests:,} requests {promise} (goal {100 * (1 - objective.budget):.6g}%), "
    says += f"{each.left:.0%} of the budget of {show_duration(slo.window)} is left" if each.left > 0 else (
        f"the budget of {show_duration(slo.window)} is spent"
    )  # fmt: skip
    if each.rule is not None:
        long, short = (show_duration(timedelta(minutes=span)) for span in (each.rule.long, each.rule.short))
        says += f"; it burns {each.rates[each.rule.long]:.3g} times as fast as it lasts in {long}, "
        says += f"{each.rates[each.rule.short]:.3g} times in {short}"
    return says


def _detail(objective: Objective, each: Burn | None) -> dict[str, Any]:
    about = {"objective": objective.name, "budget": objective.budget, "seconds": objective.seconds}
    if each is None:
        return {**about, "requests": 0, "bad": 0, "left": None, "rates": {}, "level": "insufficient_data"}
    rates = {show_duration(timedelta(minutes=span)): round(rate, 4) for span, rate in each.rates.items()}
    figures = {"requests": each.requests, "bad": each.bad, "left": round(each.left, 6), "rates": rates}
    return {**about, **figures, "level": each.level}


def _news(store: Store, seen: Observation) -> bool:
    last = newest(store, seen.monitor)
    if last is None or last.level != seen.level or abs(seen.end - last.end) >= AT_LEAST:
        return last is None or seen.end != last.end
    return any(abs(a - b) >= MOVED for a, b in zip(_left(last), _left(seen), strict=False))


def _left(seen: Observation) -> Iterator[float]:
    return (each["left"] or 0.0 for each in seen.detail.get("objectives", ()))
