"""The values of business figures: recorded once, corrected with their history kept, gathered by period."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from modelyard.errors import InputError
from modelyard.records import KpiValue
from modelyard.spec.kpis import Kpi
from modelyard.stats import periods
from modelyard.store import Held, Store

Given = tuple[datetime, float, str]
"""A time, a value, and the arm that it was seen in ("" for all)."""


@dataclass(frozen=True)
class Taken:
    """How many values were new, corrected what was known, or were known already."""

    recorded: int = 0
    corrected: int = 0
    unchanged: int = 0


def take(
    store: Store,
    name: str,
    given: Iterable[Given],
    *,
    source: Literal["sql", "push"],
    now: datetime,
    actor: str,
    fence: Held | None = None,
) -> Taken:
    """Record values. The same value for the same time and arm again changes nothing; another one is a correction, the
    former kept. InputError for a time after now."""
    wanted = {(time, arm): value for time, value, arm in given}
    if any(time > now for time, _ in wanted):
        raise InputError("a value is of a time that has not come yet", where=f"kpi {name}")
    known = latest(store.read(KpiValue, kpi=name, order=("time", "sequence")))
    news = {place: value for place, value in wanted.items() if place not in known or known[place].value != value}
    if not news:
        return Taken(unchanged=len(wanted))
    with store.transaction(actor=actor, action="kpi.recorded", subject=f"kpi.{name}", fence=fence) as tx:
        known = latest(tx.read(KpiValue, kpi=name, order=("time", "sequence")))
        rows = []
        for (time, arm), value in sorted(news.items()):
            before = known.get((time, arm))
            if before is not None and before.value == value:
                continue
            sequence = before.sequence + 1 if before is not None else 0
            rows.append(
                KpiValue(
                    kpi=name, time=time, arm=arm, sequence=sequence, value=value, source=source, received=now, by=actor
                )
            )
        tx.add_all(rows)
        corrected = sum(1 for row in rows if row.sequence)
        taken = Taken(len(rows) - corrected, corrected, len(wanted) - len(rows))
        tx.detail.update(vars(taken))
    return taken


def latest(values: Iterable[KpiValue]) -> dict[tuple[datetime, str], KpiValue]:
    """The last word about each time and arm, by time; `values` in the order of their sequence."""
    found: dict[tuple[datetime, str], KpiValue] = {}
    for each in values:
        found[each.time, each.arm] = each
    return dict(sorted(found.items()))


def by_period(store: Store, name: str, kpi: Kpi, *, now: datetime) -> dict[str, dict[int, float]]:
    """Per arm, one value for each period that is over; values without an arm stand under ""; where there are none, all arms together."""
    known = latest(store.read(KpiValue, kpi=name, order=("time", "sequence"), time__lt=now))
    arms: dict[str, list[tuple[datetime, float]]] = {}
    for (time, arm), each in known.items():
        arms.setdefault(arm, []).append((time, each.value))
    if "" not in arms and arms:
        arms[""] = sorted(value for values in arms.values() for value in values)
    current = periods.number(now, kpi.every)
    return {
        arm: {
            period: value
            for period, value in periods.gathered(values, kpi.every, kpi.gather).items()
            if period < current
        }
        for arm, values in sorted(arms.items())
    }
