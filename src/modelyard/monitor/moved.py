"""What each release moved: its introduction as an interruption of a business figure's series, and its arm beside the
champion's where there were arms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from modelyard.monitor import served
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
CHAMPION, CHALLENGER = "champion", "challenger"
FEWEST = 7
HOUR = timedelta(hours=1)


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


@dataclass(frozen=True)
class Trial:
    """A release that was tried as the arm `challenger`, from `began` until `ended` (None: it still is). `traffic`: per hour
    the rows that it answered, and all."""

    release: str
    began: datetime
    ended: datetime | None = None
    digest: str = ""
    traffic: Mapping[datetime, tuple[float, float]] = field(default_factory=dict)

    def share(self, period: int, every: timedelta) -> float | None:
        """Its part of the traffic of a period; None where there was none, or it had all."""
        begin = periods.begin(period, every)
        first = begin.replace(minute=0, second=0, microsecond=0)
        hours = [rows for hour, rows in self.traffic.items() if first <= hour < begin + every]
        mine, whole = sum(rows for rows, _ in hours), sum(rows for _, rows in hours)
        return mine / whole if 0 < mine < whole else None

    def holds(self, period: int, every: timedelta) -> bool:
        """Whether the whole of a period lies in it."""
        begin = periods.begin(period, every)
        return self.began <= begin and (self.ended is None or begin + every <= self.ended)


def trials(entries: Iterable[Audit]) -> list[Trial]:
    """Which release was tried when, from a deployment's entries in their order."""
    found: list[Trial] = []
    for entry in entries:
        if entry.action == "rollout.settled":
            continue
        if found and found[-1].ended is None:
            found[-1] = replace(found[-1], ended=entry.at)
        if entry.action == "rollout.started":
            found.append(Trial(str(entry.detail.get("release", "")), entry.at, digest=entry.detail.get("digest", "")))
    return found


def taken_over(store: Store, deployment: str) -> list[Introduction]:
    """When which release took over at a deployment."""
    return introductions(_entries(store, deployment))


def of_deployment(store: Store, deployment: str) -> tuple[list[Introduction], list[Trial]]:
    """When which release took over at a deployment, and which was tried when."""
    entries = _entries(store, deployment)
    tried = []
    for trial in trials(entries):
        traffic: dict[datetime, tuple[float, float]] = {}
        for hour in served.window(store, deployment, trial.began, trial.ended or datetime.max.replace(tzinfo=UTC)):
            mine, whole = traffic.get(hour.start, (0.0, 0.0))
            traffic[hour.start] = mine + hour.asked * (hour.release == trial.digest), whole + hour.asked
        tried.append(replace(trial, traffic=traffic))
    return introductions(entries), tried


def _entries(store: Store, deployment: str) -> list[Audit]:
    return store.read(Audit, action=ACTIONS, subject=f"deployment.{deployment}", order="id")


def effects(series: Mapping[int, float], kpi: Kpi, intros: list[Introduction]) -> list[Moved]:
    """What each introduction moved. `series`: a value per period."""
    steps = [each for each in intros if each.release]
    return [_moved(series, kpi, intros, steps, place) for place in range(len(steps))]


def _moved(
    series: Mapping[int, float], kpi: Kpi, intros: list[Introduction], steps: list[Introduction], place: int
) -> Moved:
    this, every = steps[place], kpi.every
    at = first_period(this.at, every)
    low, high = at - REACH // every, at + max(REACH // every, 1)
    if place + 1 < len(steps):
        high = min(high, periods.number(steps[place + 1].began, every))
    tried = [(periods.number(each.began, every), first_period(each.at, every)) for each in intros]
    kept = [p for p in sorted(series) if low <= p < high and not any(begin <= p < end for begin, end in tried)]
    others = [first_period(each.at, every) for each in steps[:place] if first_period(each.at, every) > low]
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
            why = f"insufficient data: {found} periods {what}, {least} are needed"
            return Moved(this.release, this.at, None, why, len(after))
    numbers = np.array(kept, dtype=np.int64)
    values = np.array([series[p] for p in kept])
    effect = interrupted.step(numbers, values, at, others=others, seasons=periods.seasons(numbers, every))
    if effect is None:
        why = "insufficient data: the series cannot tell it from trend and season"
        return Moved(this.release, this.at, None, why, len(after))
    return Moved(this.release, this.at, effect, sentence(effect, kpi), len(after))


def first_period(time: datetime, every: timedelta) -> int:
    """The first period that begins at or after a time."""
    period = periods.number(time, every)
    return period if periods.begin(period, every) == time else period + 1


def against_champion(arms: Mapping[str, Mapping[int, float]], kpi: Kpi, tried: Sequence[Trial] = ()) -> list[Moved]:
    """Each arm beside the champion's, over the periods that both have; the challenger's apart for each release that was tried.

    A sum is taken per unit of traffic: an arm with a twentieth of it sells a twentieth, and is no worse for that.
    """
    champion = arms.get(CHAMPION, {})
    found = []
    for arm, series in arms.items():
        if arm == CHALLENGER and tried:
            found += [
                _beside(trial.release, trial.began, *_during(trial, series, champion, kpi), kpi) for trial in tried
            ]
        elif arm not in ("", CHAMPION):
            found.append(_beside(arm, None, series, champion, kpi))
    return found


def _during(
    trial: Trial, series: Mapping[int, float], champion: Mapping[int, float], kpi: Kpi
) -> tuple[dict[int, float], dict[int, float]]:
    """Both series over the whole periods of a trial."""
    mine = {p: value for p, value in series.items() if p in champion and trial.holds(p, kpi.every)}
    others = {p: champion[p] for p in mine}
    if kpi.gather != "sum":
        return mine, others
    shares = {p: share for p in mine if (share := trial.share(p, kpi.every)) is not None}
    return {p: mine[p] / share for p, share in shares.items()}, {p: others[p] / (1 - shares[p]) for p in shares}


def _beside(
    name: str, since: datetime | None, series: Mapping[int, float], champion: Mapping[int, float], kpi: Kpi
) -> Moved:
    both = sorted(series.keys() & champion.keys())
    if len(both) < FEWEST:
        why = f"insufficient data: {len(both)} periods beside the champion, {FEWEST} are needed"
        return Moved(name, since, None, why, len(both))
    difference = np.array([series[p] - champion[p] for p in both])
    effect = interrupted.mean(np.array(both, dtype=np.int64), difference)
    return Moved(name, since, effect, sentence(effect, kpi) if effect else "insufficient data", len(both))


def sentence(effect: Effect, kpi: Kpi) -> str:
    """An effect as people read it."""
    unit = f" {kpi.unit}" if kpi.unit else ""
    told = f"{effect.estimate:+.4g}{unit} per period (95%: {effect.low:+.4g} to {effect.high:+.4g})"
    if not effect.shown:
        return f"no effect is shown: {told}"
    return f"{'better' if (effect.estimate > 0) == (kpi.direction == 'up') else 'worse'}: {told}"


def worth(each: Moved, kpi: Kpi, arms: Sequence[Moved] = ()) -> dict[str, Any] | None:
    """What a release's effect was worth while it served, in the currency of the costs; None when it is not known.

    Where it was an arm beside the champion before, that is its effect: arms share the day, a step in a series may be of
    something else.
    """
    proven = next((arm.effect for arm in arms if arm.release == each.release and arm.effect is not None), None)
    effect = proven or each.effect
    if effect is None or kpi.value_per_unit is None:
        return None
    sign = kpi.value_per_unit * each.periods * (1 if kpi.direction == "up" else -1)
    ends = sorted((sign * effect.low, sign * effect.high))
    return {
        "estimate": sign * effect.estimate,
        "low": ends[0],
        "high": ends[1],
        "by": "arms" if proven else "series",
    }
