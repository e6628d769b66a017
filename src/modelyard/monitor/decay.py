"""When will the metric leave its bounds? Refitted with each look on the values of past windows that do not overlap."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from modelyard.monitor.bounds import bounds
from modelyard.monitor.past import past
from modelyard.monitor.seen import Seen, unknown
from modelyard.records import Level, Observation, Release
from modelyard.spec.monitors import Monitor
from modelyard.stats import forecast, metrics
from modelyard.store import Store

KIND = "decay"
SOON = 4
"""Warn when the bound is less than so many windows away."""
FAR = 520
"""Nothing is said of what is more windows away."""


def look(
    store: Store, name: str, monitor: Monitor, release: Release | None, now: datetime, quality: Seen | None
) -> list[Seen]:
    """The forecast, from the recorded values of the release that serves and this look's; empty where no bounds are."""
    if not monitor.decay.enabled or monitor.quality is None or quality is None:
        return []
    if release is None:
        return [unknown(KIND, "no release serves yet")]
    metric = monitor.quality.metric
    falling = metrics.better(metric) == "higher"
    limits = bounds(monitor.quality, release, metric)
    floor = limits[0] if falling else limits[1]
    if floor is None:
        return []
    looks = past(store, name, "quality", now - monitor.window * forecast.HISTORY, _value, until=now)
    seen = [(end, detail) for end, detail in looks if detail.get("release", release.digest) == release.digest]
    values = apart([*seen, (now, quality.detail)], monitor.window)
    return [judge(metric, floor, falling, values, monitor.window, now, release.digest)]


def _value(seen: Observation) -> dict[str, Any]:
    """What of a look at quality the forecast needs."""
    return {name: seen.detail[name] for name in ("release", "value") if name in seen.detail}


def apart(seen: list[tuple[datetime, dict[str, Any]]], window: timedelta) -> list[float]:
    """The values of windows that do not overlap, counted back from the last, oldest first; up to the first gap."""
    values: list[float] = []
    wanted = None
    for end, detail in reversed(seen):
        if wanted is not None and end > wanted:
            continue
        value = detail.get("value")
        if value is None or (wanted is not None and wanted - end >= window):
            break
        values.append(float(value))
        wanted = end - window
    return values[::-1]


def judge(
    metric: str, floor: float, falling: bool, values: list[float], window: timedelta, now: datetime, release: str
) -> Seen:
    """Silent ("ok") unless a trend towards the bound is beyond doubt."""
    detail: dict[str, Any] = {"release": release, "metric": metric, "floor": floor, "windows": len(values)}
    if len(values) < forecast.FEWEST:
        why = f"{len(values)} windows of this release have a value, {forecast.FEWEST} are needed for a trend"
        return unknown(KIND, why, **detail)
    found = forecast.crossing(np.array(values), floor, falling=falling)
    if found is None or found.steps > FAR:
        return Seen(KIND, "ok", f"{metric} shows no trend towards {floor:g}", detail)
    date = {name: _date(now, window, steps) for name, steps in _steps(found).items()}
    per_week = found.slope * (timedelta(weeks=1) / window)
    detail |= {name: value.isoformat() if value else None for name, value in date.items()} | {
        "per_week": round(per_week, 6),
        "probability": round(found.probability, 4),
    }
    level: Level = "warn" if found.steps <= SOON else "info"
    latest = f"{date['latest']:%Y-%m-%d}" if date["latest"] else "later than can be said"
    says = (
        f"{metric} moves by {per_week:+.2g} a week and reaches {floor:g} about {date['crosses']:%Y-%m-%d} "
        f"(80%: {date['earliest']:%Y-%m-%d} to {latest})"
    )
    return Seen(KIND, level, says, detail)


def _steps(found: forecast.Crossing) -> dict[str, float]:
    return {"crosses": found.steps, "earliest": found.low, "latest": found.high}


def _date(now: datetime, window: timedelta, steps: float) -> datetime | None:
    """The time so many windows after the middle of the last one; None for never, or too far to have a date."""
    if not np.isfinite(steps) or steps > FAR:
        return None
    return now - window / 2 + window * steps
