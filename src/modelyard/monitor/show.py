"""What a monitor saw, for people and programs: from observations and stored profiles, without touching rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from modelyard.errors import InputError
from modelyard.monitor import course, inputs, reference, season, segments, served
from modelyard.records import Observation
from modelyard.spec.monitors import Monitor
from modelyard.stats import Profile, severity
from modelyard.stats.picture import picture
from modelyard.store import Store

LIMIT = 200
PICTURES = 6
LOOKS = 400
COURSE = 120
"""So many looks at what alarms are drawn."""
CALM, ALARMING = ("ok", "info", "insufficient_data"), ("warn", "page")
_INNER = ("sums", "detector")
"""What an observation keeps for the next look, and tells nobody."""

Json = dict[str, Any]


def between(store: Store, name: str, monitor: Monitor, start: datetime, end: datetime) -> Json:
    """What was answered from `start` to `end`, judged now from stored profiles alone: `{"start", "end", "rows", "errors",
    "latency_p95", "releases": [{"release", "rows", "levels", "says", "columns"}]}`, the release with most rows first."""
    if end <= start:
        raise InputError("the time ends before it begins", hint="Write --from before --to.")
    hours = served.window(store, monitor.deployment, start, end)
    rows = Counter[str]()
    for hour in hours:
        rows[hour.release] += hour.rows
    asked = monitor.model_copy(update={"window": end - start})
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "rows": rows.total(),
        "errors": sum(hour.errors for hour in hours),
        "latency_p95": served.latency(hours, 0.95),
        "releases": [_of_release(store, name, asked, digest, n, end, hours) for digest, n in rows.most_common()],
    }


def _of_release(
    store: Store, name: str, monitor: Monitor, digest: str, rows: int, end: datetime, hours: Sequence[served.Served]
) -> Json:
    release = reference.by_digest(store, digest)
    seen = inputs.look(store, name, monitor, release, end, hours, exactly=True) if release is not None else []
    return {
        "release": f"{release.model}@{release.number}" if release else digest,
        "rows": rows,
        "levels": {each.kind: each.level for each in seen},
        "says": {each.kind: each.says for each in seen},
        "columns": list({c["column"]: c for each in seen for c in each.detail.get("columns", ())}.values()),
    }


def show(store: Store, name: str, monitor: Monitor | None = None, *, limit: int = LIMIT) -> Json:
    """`{"monitor", "levels": {kind: level now}, "alarms", "pictures", "series", "observations": [newest first]}`; empty
    when it has not looked yet.

    `alarms`: what warns or pages now, with the message that was told when it rose. `pictures`: reference against now of
    the columns that alarm; the reference of the same hours of the week, where `monitor` declares it. `series`: the figures of each kind over time (`course`).
    """
    found = store.read(Observation, monitor=name, order="id", descending=True, limit=max(limit, LOOKS))
    last = {each.kind: each for each in found if each.end == found[0].end}
    levels: dict[str, str] = {}
    for each in found:
        levels.setdefault(each.kind, each.level)
    alarming = sorted(
        (each for each in last.values() if severity(each.level) >= 2),
        key=lambda each: ("part_of" in each.detail, -severity(each.level)),
    )
    rest = [each for each in found if each.kind not in {alarm.kind for alarm in alarming}]
    return {
        "monitor": name,
        "levels": levels,
        "alarms": [_alarm(store, each) for each in alarming],
        "pictures": list(_pictures(store, name, monitor, alarming)),
        "series": course.of([*_longer(store, alarming), *rest], alarming),
        "observations": [_told(each) for each in found[:limit]],
    }


def _told(each: Observation) -> Json:
    return {
        "kind": each.kind,
        "level": each.level,
        "says": each.says,
        "start": each.start.isoformat(),
        "end": each.end.isoformat(),
        "deployment": each.deployment,
        "model": each.model,
        "detail": {name: value for name, value in each.detail.items() if name not in _INNER},
    }


def _alarm(store: Store, alarm: Observation) -> Json:
    """The alarm now, since when it has been one without a break, however long that is, what was told of it when it rose, and
    how it stands `now`, where that is something else."""
    about: dict[str, Any] = {"monitor": alarm.monitor, "kind": alarm.kind}
    calm = store.read(Observation, **about, level=CALM, order="id", descending=True, limit=1)
    after: dict[str, Any] = {"id__gt": calm[0].id} if calm else {}
    mine = store.read(Observation, **about, **after, level=ALARMING, order="id")
    message = next((told for each in reversed(mine) if (told := each.detail.get("message"))), "")
    return {
        "kind": alarm.kind,
        "level": alarm.level,
        "says": alarm.says,
        "since": mine[0].end.isoformat(),
        "message": message,
        "now": "" if not message or alarm.says.removesuffix(".") in message else alarm.says,
        "part_of": alarm.detail.get("part_of"),
    }


def _longer(store: Store, alarming: Sequence[Observation]) -> list[Observation]:
    """The looks at what alarms, newest first: of these more are drawn than of what is calm."""
    return [
        each
        for alarm in alarming
        for each in store.read(
            Observation,
            monitor=alarm.monitor,
            kind=alarm.kind,
            order="id",
            descending=True,
            limit=COURSE,
        )
    ]


def _pictures(store: Store, name: str, monitor: Monitor | None, alarming: Sequence[Observation]) -> Iterator[Json]:
    """Reference against now, of the columns that alarm, from stored profiles."""
    shown: set[str] = set()
    for alarm in alarming:
        columns = alarm.detail.get("columns")
        release = reference.by_digest(store, alarm.detail.get("release", ""))
        known = reference.profile(store, release)
        if not isinstance(columns, list) or release is None or known is None:
            continue
        found = segments.stretches(store, alarm.deployment, release, alarm.start, alarm.end)
        window = Profile.merge([each.profile for each in found])
        if monitor is not None and monitor.reference == "seasonal":
            weeks = season.learnt(store, name, monitor, release, alarm.end)
            hours = served.window(store, alarm.deployment, alarm.start, alarm.end)
            known = season.matched(store, monitor, release, known, weeks, found, hours) or known
        for each in columns:
            column = each["column"]
            fits = column in known.columns and column in window.columns and column not in shown
            drawn = picture(known.columns[column], window.columns[column].tally) if fits else None
            if drawn is not None and len(shown) < PICTURES and each.get("level") in ("warn", "page"):
                shown.add(column)
                drawing = asdict(drawn)
                drawing["form"] = drawing.pop("kind")
                yield {"kind": alarm.kind, "column": column, "says": each.get("says", ""), **drawing}
