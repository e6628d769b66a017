"""What a business figure says of the arms of a test: the same periods of each, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from modelyard.records import Declaration, KpiValue
from modelyard.release.contrast import Contrast
from modelyard.release.state import Rollout
from modelyard.release.strategies.routing import named
from modelyard.spec.kpis import Kpi
from modelyard.stats import few, periods
from modelyard.stats.offpolicy import chances as likely
from modelyard.store import Store

FEWEST = 7
"""So many periods at least: before, chance alone decides who is likely to be the best."""


def contrasts(
    store: Store, name: str, rollout: Rollout, shares: Sequence[float] | None, alpha: float, now: datetime
) -> dict[str, dict[str, Any]]:
    """Per challenger the `contrast` with the champion by the declared figure `name`, and the `chances` of all arms.

    `shares`: of the traffic, champion first, where they are fixed: a sum is then taken per unit of traffic. Each
    challenger's bounds hold at `alpha`.
    """
    kpi = _declared(store, name)
    if kpi is None:
        return {}
    arms = ["champion", *(named(rollout, each) for each in rollout.challengers)]
    series = [_series(store, name, kpi, arm, rollout.started, now) for arm in arms]
    if kpi.gather == "sum" and shares is not None:
        series = [{at: value / share for at, value in each.items()} for each, share in zip(series, shares, strict=True)]
    sign = 1.0 if kpi.direction == "up" else -1.0
    chances = _chances(series, sign)
    return {
        release: {"contrast": compare(name, series[place], series[0], sign, alpha), "chances": chances}
        for place, release in enumerate(rollout.challengers, start=1)
    }


def compare(
    name: str, challenger: Mapping[int, float], champion: Mapping[int, float], sign: float, alpha: float
) -> Contrast | None:
    """One arm's figure against the champion's over the periods that both have; None while they have none in common."""
    both = sorted(challenger.keys() & champion.keys())
    if not both:
        return None
    a, b = (np.array([each[at] for at in both]) for each in (challenger, champion))
    gain = sign * (a - b)
    lower, upper = few.bounds(gain, alpha)
    result = "better" if lower > 0 else "worse" if upper < 0 else "open"
    proven = {"better": "proven better", "worse": "proven worse"}.get(result, "no difference is proven yet")
    says = f"{name} {a.mean():.4g} against {b.mean():.4g} ({len(both)} periods of both): {proven}"
    return Contrast(result, says, len(both), float(gain.mean()), lower, upper)  # type: ignore[arg-type]


def _chances(series: Sequence[Mapping[int, float]], sign: float) -> tuple[float, ...]:
    """The chance of each arm to be the best; () before all have `FEWEST` periods in common."""
    both = sorted(set.intersection(*(set(each) for each in series)))
    if len(both) < FEWEST:
        return ()
    values = sign * np.array([[each[at] for at in both] for each in series])
    # What moves all arms of a period alike says nothing about which is the best.
    own = values - values.mean(axis=0)
    spread = [float(each.var(ddof=1)) * few.together(each) / len(both) for each in own]
    return likely(own.mean(axis=1).tolist(), spread)


def _declared(store: Store, name: str) -> Kpi | None:
    """The figure as it was applied last."""
    last = next(iter(store.read(Declaration, order="id", descending=True, limit=1)), None)
    found = last.spec.get("kpis", {}).get(name) if last is not None else None
    return None if found is None else Kpi.model_validate(found)


def _series(store: Store, name: str, kpi: Kpi, arm: str, start: datetime, now: datetime) -> dict[int, float]:
    """One value for each whole period of an arm, of those that began with the test or later; corrections count."""
    latest: dict[datetime, float] = {}
    for each in store.read(KpiValue, kpi=name, arm=arm, time__ge=start, time__lt=now, order=("time", "sequence")):
        latest[each.time] = each.value
    values = periods.gathered(latest.items(), kpi.every, kpi.gather)
    current = periods.number(now, kpi.every)
    return {
        period: value
        for period, value in values.items()
        if start <= periods.begin(period, kpi.every) and period < current
    }
