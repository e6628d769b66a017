"""Business figures of the last window against what their own trend and season make usual; the worse way alarms.

The window's mean is held against what the periods before it foretell (stats.interrupted): a straight trend, the day of the
week (and the hour of the day), and errors that hang together. History begins with the newest release that leaves enough of
it. It moves along: what has lasted for weeks has become usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from modelyard.monitor import figures, moved
from modelyard.monitor.inputs import alpha
from modelyard.monitor.seen import Seen, unknown
from modelyard.records import Level
from modelyard.spec.kpis import Kpi
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.spec.values import show_duration
from modelyard.stats import interrupted, periods, severity
from modelyard.store import Store

KIND = "kpis"
REACH, REACH_BELOW_A_DAY = timedelta(days=182), timedelta(days=56)
"""So much history is looked at, of periods of a day and more, and of shorter ones: the cost grows with their number."""
CYCLES, FEWEST = 4, 12
"""So many weeks of periods up to a day are needed before the window; of longer periods so many."""
FAR = 100
"""Beyond a hundredth of the chance nobody waits until another window shows it."""


def look(store: Store, spec: Spec, monitor: Monitor, now: datetime) -> list[Seen]:
    """One observation of all figures that the monitor names; nothing where it names none."""
    if not monitor.kpis:
        return []
    sure = alpha(monitor, len(monitor.kpis))
    told = []
    for name in monitor.kpis:
        kpi = spec.kpis[name]
        series = figures.by_period(store, name, kpi, now=now).get("", {})
        told.append(judge(name, kpi, series, _steps(store, spec, kpi), monitor.window, now, sure))
    return [gathered(told)]


def _steps(store: Store, spec: Spec, kpi: Kpi) -> list[int]:
    """The periods with which releases began to serve."""
    deployment = kpi.deployment or next(iter(spec.deployments), None)
    found = moved.taken_over(store, deployment) if deployment else []
    return [moved.first_period(each.at, kpi.every) for each in found if each.release]


def judge(
    name: str,
    kpi: Kpi,
    series: Mapping[int, float],
    steps: Sequence[int],
    window: timedelta,
    now: datetime,
    chance: float,
) -> dict[str, Any]:
    """One figure: `level` "page" when its last window lies on the worse side with probability 1 − chance, "info" when it lies
    on the better one. `series`: a value per period that is over; `steps`: the periods with which releases began."""
    every, newest = kpi.every, periods.number(now, kpi.every) - 1
    at = newest + 1 - max(window // every, 1)
    least = CYCLES * round(periods.WEEK / every) if every < periods.WEEK else FEWEST
    reach = REACH if every >= periods.DAY else REACH_BELOW_A_DAY
    oldest = at - max(reach // every, CYCLES * least)
    first = max((step for step in steps if oldest < step <= at - least), default=oldest)
    kept = [p for p in sorted(series) if first <= p <= newest]
    before, after = [p for p in kept if p < at], [p for p in kept if p >= at]
    about = {"name": name, "unit": kpi.unit, "direction": kpi.direction}
    if lacks := _lacks(len(before), least, len(after), newest + 1 - at):
        return {**about, "level": "insufficient_data", "says": f"{name}: {lacks}"}
    numbers = np.array(kept, dtype=np.int64)
    values = np.array([series[p] for p in kept])
    seasons = periods.seasons(numbers, every)
    effect, far = (
        interrupted.step(numbers, values, at, seasons=seasons, level=1 - 2 * each, forecast=True)
        for each in (chance, chance / FAR)
    )
    if effect is None:
        return {**about, "level": "insufficient_data", "says": f"{name}: it cannot be told from trend and season"}
    value = float(np.mean([series[p] for p in after]))
    level: Level = "ok"
    if effect.shown:
        level = "info" if (effect.estimate > 0) == (kpi.direction == "up") else "page"
    return {
        **about,
        "level": level,
        "far": level == "page" and far is not None and far.shown,
        "value": value,
        "expected": value - effect.estimate,
        "low": value - effect.high,
        "high": value - effect.low,
        "says": _says(name, kpi, value, effect, len(after), level),
    }


def _lacks(before: int, least: int, after: int, wanted: int) -> str:
    """What is missing to say anything; "" when nothing is."""
    if before < least:
        return f"{before} periods before the window have a value, {least} are needed"
    if 2 * after < wanted or not after:
        return f"{after} of the {wanted} periods of the window have a value"
    return ""


def _says(name: str, kpi: Kpi, value: float, effect: interrupted.Effect, after: int, level: Level) -> str:
    unit = f" {kpi.unit}" if kpi.unit else ""
    span = f"in the last {after} periods of {show_duration(kpi.every)}" if after > 1 else "in the last period"
    usual = f"usual by its own trend and season are {value - effect.estimate:.4g}"
    told = f"{name}: {value:.4g}{unit} {span}, {usual} ({value - effect.high:.4g} to {value - effect.low:.4g})"
    return f"{told}: {'worse' if level == 'page' else 'better'}" if effect.shown else told


def gathered(told: Sequence[dict[str, Any]]) -> Seen:
    """One observation of several figures: as bad as the worst; what is not known of one is said beside what is of others.

    It varies: a week that is bad by chance is in the looks of seven days, so that another window must show it, unless one
    is far off.
    """
    level = max((each["level"] for each in told), key=lambda each: (severity(each), each == "insufficient_data"))
    detail = {"figures": [dict(each) for each in told]}
    told_first = [each["says"] for each in told if each["level"] == level]
    unknown_too = [each["says"] for each in told if each["level"] == "insufficient_data" != level]
    says = "; ".join([*told_first, *unknown_too])
    if level == "insufficient_data":
        return unknown(KIND, says, **detail)
    severe = any(each.get("far") for each in told)
    return Seen(KIND, level, says, detail, severe, varies=True)
