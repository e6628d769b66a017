"""Profiles of the prediction log: built once from each segment, per release and hour (or whatever all windows consist
of), and merged for every window after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from modelyard.monitor import logged, reference, served
from modelyard.monitor.logged import GRAIN, Part
from modelyard.monitor.profiled import profiled
from modelyard.records import Release, Segment
from modelyard.stats import Profile
from modelyard.store import Blobs, Held, Store

FORMAT = 2
_encode = msgspec.json.Encoder(enc_hook=lambda value: value.item()).encode


@dataclass(frozen=True)
class Stretch:
    """What one release answered in the hours from `start` to `end`."""

    start: datetime
    end: datetime
    profile: Profile


def profile_segments(
    store: Store, name: str, *, grain: timedelta = GRAIN, fence: Held | None = None, actor: str = "system"
) -> int:
    """Profile every segment of deployment `name` that is not yet; returns how many there were.

    `grain`: there is a profile for so much time, counted back from now where it is more than an hour. A crash in between costs nothing: profiles are content-addressed, and the records that name them come last.
    """
    new = store.read(Segment, deployment=name, profile="", order="id")
    if not new:
        return 0
    profiles = {segment.name: store.blobs.put(_encode(_profile(store, segment, grain))) for segment in new}
    with store.transaction(
        actor=actor,
        action="monitor.profiled",
        subject=f"deployment.{name}",
        detail={"segments": len(new), "rows": sum(segment.rows for segment in new)},
        fence=fence,
    ) as transaction:
        for segment, digest in profiles.items():
            transaction.change(Segment, {"deployment": name, "name": segment}, profile=digest)
    return len(new)


def stretches(store: Store, deployment: str, release: Release, start: datetime, end: datetime) -> list[Stretch]:
    """What `release` answered in the hours that begin in [start, end), from stored profiles alone."""
    digest = release.body.get("reference")
    if not digest:
        return []
    found: list[Stretch] = []
    for segment in profiled(store, deployment, start, end):
        whole = _whole(store.blobs, segment.profile, release.digest, digest)
        if whole is not None and start <= whole.start and whole.end <= end:
            found.append(whole)
        elif whole is not None:
            hours = hours_of(store.blobs, segment.profile, release.digest, digest)
            found += [hour for hour in hours if start <= hour.start < end]
    return found


@lru_cache(maxsize=256)
def hours_of(blobs: Blobs, digest: str, release: str, against: str) -> tuple[Stretch, ...]:
    """The hours of one release in a segment's profile, laid out by the reference `against`."""
    known = reference.read(blobs, against)
    return tuple(
        Stretch(start, start + timedelta(hours=group.get("hours", 1)), Profile.from_json(group["profile"], known))
        for group in served.content(blobs, digest)["groups"]
        if group["release"] == release and (start := datetime.fromisoformat(group["hour"]))
    )


@lru_cache(maxsize=1024)
def _whole(blobs: Blobs, digest: str, release: str, against: str) -> Stretch | None:
    """All hours of a segment as one, so that a window that holds them all need not add them up again."""
    hours = hours_of(blobs, digest, release, against)
    if not hours:
        return None
    ends = [hour.end for hour in hours]
    return Stretch(min(hour.start for hour in hours), max(ends), Profile.merge([hour.profile for hour in hours]))


def _profile(store: Store, segment: Segment, grain: timedelta) -> dict[str, Any]:
    parts: list[Part] = []
    counts: list[dict[str, Any]] = []
    with logged.opened(store, segment) as rows:
        told, *inputs = rows.columns()
        read = rows.read([*told, *inputs[0]] if inputs else told)
        for digest, own in logged.answers(read):
            mine = read.select(told) if own is None else read.select(told).filter(own)
            release = reference.by_digest(store, digest)
            known = reference.profile(store, release)
            counts += served.count(mine, digest, reference.performance(store, release))
            if release is not None and known is not None:
                classes = reference.classes(store, release)
                parts.append(Part(digest, own, mine, known, classes, (grain, store.clock.now())))
        for number, names in enumerate(inputs):
            read = rows.read(names) if number else read
            for part in parts:
                for name in names:
                    part.add(name.removeprefix(logged.INPUT), read[name])
    groups = [group for part in parts for group in part.groups()]
    return {"format": FORMAT, "segment": segment.name, "groups": groups, "served": counts}
