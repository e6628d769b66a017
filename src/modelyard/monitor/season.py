"""The reference of the same hours of the week: what the hours of a window usually hold, not what all hours do.

History is what the release learnt (its training rows by their time) and its own first calm weeks, up to eight. It does not
move along with the present: a reference that followed a slow drift would never see it. A week in which the inputs
alarmed is not taken for usual. Which weeks were calm is kept in the observations of drift, so that each is judged once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from modelyard.monitor import reference, sample, segments, served
from modelyard.monitor.past import newest
from modelyard.monitor.profiled import profiled
from modelyard.monitor.segments import Stretch
from modelyard.monitor.served import Served
from modelyard.records import Observation, Release
from modelyard.spec.monitors import Monitor
from modelyard.stats import Groups, Profile, Seasonal, seasonal, severity
from modelyard.stats.seasonal import HOURS, hour_at
from modelyard.store import Blobs, Store

WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
LEARNT, FEWEST = 8, 4
"""So many calm weeks of its own are learnt; with fewer than four weeks of history the training rows stand as they are."""
COVERED = 0.9
ALARMS = ("drift", "units", "missing", "schema", "duplicates")


@dataclass(frozen=True)
class Weeks:
    """The calm weeks by when they began, and up to when weeks have been judged."""

    begun: tuple[datetime, ...]
    upto: datetime

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"begun": [each.isoformat() for each in self.begun], "upto": self.upto.isoformat()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Weeks:
        """Read what `to_json` wrote."""
        return cls(tuple(map(datetime.fromisoformat, data["begun"])), datetime.fromisoformat(data["upto"]))


def learnt(store: Store, name: str, monitor: Monitor, release: Release, now: datetime) -> Weeks:
    """The release's calm weeks that were over when the window began."""
    last = newest(store, name, kind="drift")
    weeks = Weeks((), release.created - timedelta(0, release.created.timestamp() % 3600))
    if last and last.detail.get("release") == release.digest and "weeks" in last.detail:
        weeks = Weeks.from_json(last.detail["weeks"])
    while len(weeks.begun) < LEARNT and weeks.upto + WEEK <= now - monitor.window:
        start, end = weeks.upto, weeks.upto + WEEK
        calm = _calm(store, name, monitor, start, end) and bool(profiled(store, monitor.deployment, start, end))
        weeks = Weeks((*weeks.begun, start) if calm else weeks.begun, end)
    return weeks


def _calm(store: Store, name: str, monitor: Monitor, start: datetime, end: datetime) -> bool:
    """Whether no look that took in some of these hours found an alarm of the inputs."""
    looks = store.read(Observation, monitor=name, end__gt=start, end__lt=end + monitor.window)
    return not any(each.kind in ALARMS and severity(each.level) >= 2 for each in looks)


def matched(
    store: Store,
    monitor: Monitor,
    release: Release,
    known: Profile,
    weeks: Weeks,
    found: Sequence[Stretch],
    answered: Sequence[Served],
) -> Profile | None:
    """The reference for the window of these stretches, with the hours answered in it; None as long as history does not
    hold them."""
    if not found:
        return None
    start, end = min(each.start for each in found), max(each.end for each in found)
    rows: Counter[int] = Counter()
    for hour in served.within(answered, start, end):
        if hour.release == release.digest:
            rows[hour_at(hour.start)] += hour.rows
    own = _weeks(store, monitor.deployment, release, weeks.begun)
    history = _history(store.blobs, release.body.get("sample") or "", release.body["reference"], tuple(own))
    best = history.matched(rows, known)
    if best is None or best.covered < COVERED or best.weeks < FEWEST:
        return None
    hours = frozenset(rows) if len(rows) < COVERED * HOURS else frozenset(range(HOURS))
    same = [_in_hours(week, hours) for week in own if week.hours]
    return seasonal.usual(best.profile, same, (end - start).total_seconds())


@dataclass(frozen=True, eq=False)
class Week:
    """What a release answered in one week, by the hour."""

    hours: tuple[Stretch, ...]


def _weeks(store: Store, deployment: str, release: Release, begun: Sequence[datetime]) -> list[Week]:
    if not begun:
        return []
    found = profiled(store, deployment, begun[0], begun[-1] + WEEK)
    return [
        _of_week(
            store.blobs,
            tuple(each.profile for each in found if each.end >= start and each.start < start + WEEK),
            release.digest,
            release.body["reference"],
            start,
        )
        for start in begun
    ]


@lru_cache(maxsize=4 * LEARNT)
def _of_week(blobs: Blobs, digests: tuple[str, ...], release: str, against: str, begun: datetime) -> Week:
    found = [hour for digest in digests for hour in segments.hours_of(blobs, digest, release, against)]
    return Week(tuple(hour for hour in found if begun <= hour.start < begun + WEEK))


@lru_cache(maxsize=4 * LEARNT)
def _in_hours(week: Week, hours: frozenset[int]) -> Profile:
    """A week's rows of these hours of the week."""
    return Profile.merge([hour.profile for hour in week.hours if hour_at(hour.start) in hours])


@lru_cache(maxsize=4)
def _history(blobs: Blobs, trained: str, against: str, own: tuple[Week, ...]) -> Seasonal:
    """Training rows and own weeks together."""
    mine = Seasonal.of((hour.start, hour.profile) for week in own for hour in week.hours)
    return mine.and_(_trained(blobs, trained, against)) if trained else mine


@lru_cache(maxsize=4)
def _trained(blobs: Blobs, trained: str, against: str) -> Seasonal:
    """The hours of the kept training rows; those of one hour of the calendar are one profile."""
    kept = sample.read(blobs, trained)
    if kept.seconds is None or not kept.rows.num_rows:
        return Seasonal({}, {})
    known = np.isfinite(kept.seconds)
    hours = seasonal.hour_of_week(kept.seconds[known])
    calendar = np.floor(kept.seconds[known] / 3600).astype(np.int64)
    there, place = np.unique(hours, return_inverse=True)
    rows = kept.rows if known.all() else kept.rows.filter(known)
    profiles = Profile.of_groups(rows, Groups(len(there), place), reference.read(blobs, against))
    weeks = {int(hour): len(np.unique(calendar[place == number])) for number, hour in enumerate(there)}
    return Seasonal(dict(zip(map(int, there), profiles, strict=True)), weeks)
