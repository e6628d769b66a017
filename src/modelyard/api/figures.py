"""Operations on business figures: push values, show what releases moved and what models returned."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from modelyard import monitor
from modelyard.api.context import Context, parse_time
from modelyard.errors import InputError, NotFound, Refused
from modelyard.monitor import Moved
from modelyard.records import Run, Segment
from modelyard.spec.kpis import Kpi
from modelyard.spec.types import Spec
from modelyard.stats import periods
from modelyard.store import Store

Json = dict[str, Any]
SHOWN = 60
MOST = 100_000


def kpi_push(
    context: Context,
    name: str,
    *,
    time: str | None = None,
    value: float | None = None,
    arm: str = "",
    values: list[Json] | None = None,
) -> Json:
    """Record one value of a pushed KPI, or many (`values`: objects with time, value and perhaps arm).

    The same again changes nothing; another value for the same time is a correction, the former is kept.
    """
    project, store = context.known()
    kpi = _declared(project.spec, name)
    if kpi.sql is not None:
        raise Refused(f"the KPI {name} is computed by SQL", hint="Remove its `sql` to push values.")
    if (time is None) == (values is None):
        raise InputError("give either `time` and `value`, or `values`")
    items = [{"time": time, "value": value, "arm": arm}] if values is None else values
    if not isinstance(items, list) or len(items) > MOST:
        raise InputError(f"`values` is a list of at most {MOST:,} objects")
    given = [_given(item, number) for number, item in enumerate(items)]
    taken = monitor.take(store, name, given, source="push", now=context.clock.now(), actor=context.actor)
    return {"kpi": name, **vars(taken)}


def _given(item: Any, number: int) -> tuple[datetime, float, str]:
    where = f"values[{number}]"
    if not isinstance(item, dict) or set(item) - {"time", "value", "arm"}:
        raise InputError("expected an object with time, value and perhaps arm", where=where)
    moment = parse_time(item.get("time"))
    value, arm = item.get("value"), item.get("arm") or ""
    if (
        moment is None
        or isinstance(value, bool)
        or not isinstance(value, int | float)
        or not abs(value) <= sys.float_info.max
        or not isinstance(arm, str)
    ):
        raise InputError("expected a time, a number, and perhaps a text for the arm", where=where)
    return moment, float(value), arm


def kpi_show(context: Context, name: str | None = None) -> Json:
    """Each KPI with its latest values and what each release moved, and the return on each model."""
    project, store = context.known()
    spec, now = project.spec, context.clock.now()
    if name is not None:
        _declared(spec, name)
    figures, worths = [], []
    for each, kpi in spec.kpis.items():
        series = monitor.by_period(store, each, kpi, now=now)
        deployment = kpi.deployment or next(iter(spec.deployments), None)
        intros, tried = monitor.of_deployment(store, deployment) if deployment else ([], [])
        moved = monitor.effects(series.get("", {}), kpi, intros)
        arms = monitor.against_champion(series, kpi, tried)
        worths += [(spec.deployments[deployment].model, monitor.worth(item, kpi, arms)) for item in moved if deployment]
        if name in (None, each):
            figures.append(_told(each, kpi, series, moved, arms))
    return {"kpis": figures, "returns": _returns(store, spec, worths)}


def _declared(spec: Spec, name: str) -> Kpi:
    if name not in spec.kpis:
        known = ", ".join(spec.kpis) or "none"
        raise NotFound(f"no KPI is called {name!r}", hint=f"Declared are: {known}.")
    return spec.kpis[name]


def _told(name: str, kpi: Kpi, series: dict[str, dict[int, float]], moved: list[Moved], arms: list[Moved]) -> Json:
    whole = series.get("", {})
    return {
        "name": name,
        "unit": kpi.unit,
        "direction": kpi.direction,
        "every": kpi.every.total_seconds(),
        "periods": len(whole),
        "values": [
            {"time": periods.begin(period, kpi.every).isoformat(), "value": value}
            for period, value in list(whole.items())[-SHOWN:]
        ],
        "releases": [{**_effect(each), "worth": monitor.worth(each, kpi, arms)} for each in moved],
        "arms": [_effect(each) for each in arms],
    }


def _effect(each: Moved) -> Json:
    effect = each.effect
    return {
        "release": each.release,
        "at": each.at.isoformat() if each.at else None,
        "periods": each.periods,
        "effect": {"estimate": effect.estimate, "low": effect.low, "high": effect.high} if effect else None,
        "shown": effect.shown if effect else None,
        "says": each.says,
    }


def _returns(store: Store, spec: Spec, worths: Iterable[tuple[str, Json | None]]) -> list[Json]:
    """Per model: the value that its releases moved, what training and serving cost, and what is left."""
    known = [(model, worth) for model, worth in worths if worth is not None]
    table = []
    for model in spec.models:
        runs = store.read(Run, model=model)
        hours = sum(float(run.body.get("cpu_seconds", 0.0)) for run in runs) / 3600
        served = [name for name, item in spec.deployments.items() if item.model == model]
        rows = sum(each.rows for each in store.read(Segment, deployment=served)) if served else 0
        training, serving = hours * spec.costs.cpu_hour, rows / 1000 * spec.costs.thousand_predictions
        mine = [worth for owner, worth in known if owner == model]
        value = {end: sum(worth[end] for worth in mine) for end in ("estimate", "low", "high")} if mine else None
        table.append(
            {
                "model": model,
                "currency": spec.costs.currency,
                "value": value,
                "training": {"runs": len(runs), "cpu_hours": hours, "cost": training},
                "serving": {"predictions": rows, "cost": serving},
                "net": value["estimate"] - training - serving if value else None,
            }
        )
    return table
