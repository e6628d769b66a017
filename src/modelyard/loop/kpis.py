"""Compute the business figures that are declared by SQL, once for each period that has ended."""

from __future__ import annotations

from modelyard import data, monitor
from modelyard.errors import LeaseLost, YardError
from modelyard.loop.yard import Yard
from modelyard.records import Mark
from modelyard.stats import periods
from modelyard.store import Held


def measure(yard: Yard, held: Held) -> None:
    """Bring every figure up to date; one whose SQL fails is told and tried again, and keeps no other from its turn."""
    for name, kpi in yard.project.spec.kpis.items():
        if kpi.sql is None:
            continue
        period = periods.number(yard.now, kpi.every)
        mark = yard.store.one(Mark, name=f"kpi.{name}")
        if mark is not None and mark.value["period"] >= period:
            continue
        try:
            _measure(yard, held, name, period, new=mark is None)
        except LeaseLost:
            raise
        except YardError as error:
            yard.progress(f"kpi.{name}: {error}")


def _measure(yard: Yard, held: Held, name: str, period: int, *, new: bool) -> None:
    """Recorded are whole periods: what the SQL says of one that goes on would be corrected at every look."""
    kpi = yard.project.spec.kpis[name]
    end = periods.begin(period, kpi.every)
    arms: dict[str, list[tuple]] = {}
    for each in data.figures(yard.store, yard.project, name, as_of=yard.now):
        if each.time < end:
            arms.setdefault(each.arm, []).append((each.time, each.value))
    if "" not in arms:
        arms[""] = sorted(value for values in arms.values() for value in values)  # all arms together are the whole
    given = [
        (periods.begin(number, kpi.every), value, arm)
        for arm, values in arms.items()
        for number, value in periods.gathered(values, kpi.every, kpi.gather).items()
    ]
    monitor.take(yard.store, name, given, source="sql", now=yard.now, actor=yard.actor, fence=held)
    value = {"period": period}
    with yard.store.transaction(actor=yard.actor, action="kpi.measured", subject=f"kpi.{name}", fence=held) as tx:
        if new:
            tx.add(Mark(name=f"kpi.{name}", value=value, at=yard.now))
        else:
            tx.change(Mark, {"name": f"kpi.{name}"}, value=value, at=yard.now)
