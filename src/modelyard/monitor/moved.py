"""What each release moved: its introduction as an interruption of a business figure's series, and its arm beside the
champion's where there were arms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from modelyard.records import Audit
from modelyard.spec.kpis import Kpi
from modelyard.stats import interrupted, periods
from modelyard.stats.interrupted import Effect
from modelyard.store import Store

ACTIONS = (
    "rollout.started",
    "rollout.promoted",
    "rollout.replaced",
    "rollout.rolled_back",
    "rollout.settled",
)
REACH = timedelta(days=182)
"""A series is looked at so far before and after an introduction: farther away a straight trend is no model of it."""
CHAMPION = "champion"


@dataclass(frozen=True)
class Introduction:
    """A release that took over `at`, after it had been tried since `began`; with `release` "" what was tried was taken back."""

    release: str
    began: datetime
    at: datetime


@dataclass(frozen=True)
class Moved:
    """What an introduction, or an arm, moved; `effect` is None when there is too little data, and `says` why."""

    release: str
    at: datetime | None
    effect: Effect | None
    says: str
    periods: int = 0


def introductions(entries: Iterable[Audit]) -> list[Introduction]:
    """When which release took over, from a deployment's entries in their order."""
    found, began = [], None
    for entry in entries:
        if entry.action == "rollout.started":
            began = began or entry.at
            continue
        if entry.detail.get("swapped"):
            found.append(Introduction(str(entry.detail.get("champion", "")), began or entry.at, entry.at))
        elif began is not None and entry.action != "rollout.settled":
            found.append(Introduction("", began, entry.at))
        began = None
    return found


def of_deployment(store: Store, deployment: str) -> list[Introduction]:
    """When which release took over at a deployment."""
    subject = f"deployment.{deployment}"
    return introductions(store.read(Audit, action=ACTIONS, subject=subject, order="sequence"))


def effects(series: Mapping[int, float], kpi: Kpi, intros: list[Introduction]) -> list[Moved]:
    """What each introduction moved. `series`: a value per period."""
    steps = [each for each in intros if each.release]
    return [_moved(series, kpi, intros, steps, place) for place in range(len(steps))]


def _moved(
    series: Mapping[int, float], kpi: Kpi, intros: list[Introduction], steps: list[Introduction], place: int
) -> Moved:
    this, every = steps[place], kpi.every
    at = _first(this.at, every)
    low, high = at - REACH // every, at + max(REACH // every, 1)
    if place + 1 < len(steps):
        high = min(high, periods.number(steps[place + 1].began, every))
    tried = [(periods.number(each.began, every), _first(each.at, every)) for each in intros]
    kept = [p for p in sorted(series) if low <= p < high and not any(begin <= p < end for begin, end in tried)]
    others = [_first(each.at, every) for each in steps[:place] if _first(each.at, every) > low]
    before, after = [p for p in kept if p < at], [p for p in kept if p >= at]
    own = [p for p in before if p >= max(others, default=low)]
    cycle = round(periods.WEEK / every) if periods.DAY <= every < periods.WEEK else 7
    wanted = {
        "before it": (len(before), 2 * cycle),
        "of its predecessor": (len(own), cycle),
        "since": (len(after), cycle),
    }
    for what, (found, least) in wanted.items():
        if found < least:
            return Moved(this.release, this.at, None, f"insufficient data: {found} periods {what}, {least} are needed")
    numbers = np.array(kept, dtype=np.int64)
    values = np.array([series[p] for p in kept])
    effect = interrupted.step(numbers, values, at, others=others, seasons=periods.seasons(numbers, every))
    if effect is None:
        why = "insufficient data: the series cannot tell it from trend and season"
        return Moved(this.release, this.at, None, why, len(after))
    return Moved(this.release, this.at, effect, sentence(effect, kpi), len(after))


def _first(time: datetime, every: timedelta) -> int:
    """The first period that begins at or after a time."""
    period = periods.number(time, every)
    return period if periods.begin(period, every) == time else period + 1


def against_champion(arms: Mapping[str, Mapping[int, float]], kpi: Kpi) -> list[Moved]:
    """Each arm beside the champion's, over the periods that both have."""
    champion = arms.get(CHAMPION)
    found = []
    for arm, series in arms.items():
        if arm in ("", CHAMPION):
            continue
        both = sorted(set(series) & set(champion or {}))
        if champion is None or len(both) < 7:
            why = f"insufficient data: {len(both)} periods beside the champion, 7 are needed"
            found.append(Moved(arm, None, None, why, len(both)))
            continue
        difference = np.array([series[p] - champion[p] for p in both])
        effect = interrupted.mean(np.array(both, dtype=np.int64), difference)
        says = sentence(effect, kpi) if effect else "insufficient data"
        found.append(Moved(arm, None, effect, says, len(both)))
    return found


def sentence(effect: Effect, kpi: Kpi) -> str:
    """An effect as people read it."""
    unit = f" {kpi.unit}" if kpi.unit else ""
    told = f"{effect.estimate:+.4g}{unit} per period (95%: {effect.low:+.4g} to {effect.high:+.4g})"
    if not effect.shown:
        return f"no effect is shown: {told}"
    return f"{'better' if (effect.estimate > 0) == (kpi.direction == 'up') else 'worse'}: {told}"


def worth(each: Moved, kpi: Kpi) -> dict[str, Any] | None:
    """What a release's effect was worth while it served, in the currency of the costs; None when it is not known."""
    if each.effect is None or kpi.value_per_unit is None:
        return None
    sign = kpi.value_per_unit * each.periods * (1 if kpi.direction == "up" else -1)
    ends = sorted((sign * each.effect.low, sign * each.effect.high))
    return {"estimate": sign * each.effect.estimate, "low": ends[0], "high": ends[1]}
