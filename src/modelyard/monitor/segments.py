"""Profiles of the prediction log: built once from each segment, per release and hour (or whatever all windows consist
of), and merged for every window after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelyard.monitor import reference, served
from modelyard.monitor.profiled import profiled
from modelyard.records import Release, Segment
from modelyard.stats import Groups, Profile
from modelyard.store import Blobs, Held, Store

FORMAT = 2
HOUR = 3_600_000_000
PREDICTION = "prediction"
_encode = msgspec.json.Encoder(enc_hook=lambda value: value.item()).encode
GRAIN = timedelta(hours=1)
_EPOCH, _MICRO = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_BACK = 20


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
    table = _rows(store, segment)
    answered, releases = pc.equal(table["role"], "answer"), table["release"]
    table = table.drop_columns(["role", "release"])
    groups: list[dict[str, Any]] = []
    counts: list[dict[str, Any]] = []
    for digest in sorted(pc.unique(releases.filter(answered)).to_pylist()):
        # Once for each release: of rows by the hundred thousand each copy takes as long as counting some columns.
        mine = table.filter(pc.and_(answered, pc.equal(releases, digest)))
        release = reference.by_digest(store, digest)
        known = reference.profile(store, release)
        counts += served.count(mine, digest, reference.performance(store, release))
        if release is not None and known is not None:
            watched = inputs(mine, reference.classes(store, release))
            groups += _groups(mine["at"], watched, digest, known, grain, store.clock.now())
    return {"format": FORMAT, "segment": segment.name, "groups": groups, "served": counts}


def _groups(
    times: pa.ChunkedArray, rows: pa.Table, release: str, known: Profile, grain: timedelta, now: datetime
) -> Iterator[dict[str, Any]]:
    """The profiles of one release's rows, one for each `grain` of time: from which hour on, and over how many."""
    at = times.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    hours = at // HOUR
    pieces = hours if grain == GRAIN else (at - (now - _EPOCH) // _MICRO) // (grain // _MICRO)
    _, first, place = np.unique(pieces, return_index=True, return_inverse=True)
    low, high = hours[first], hours[first]
    np.minimum.at(low, place, hours)
    np.maximum.at(high, place, hours)
    watched = rows.select([name for name in rows.column_names if name != PREDICTION or name in known.columns])
    profiles = Profile.of_groups(watched, Groups(len(first), place), known)
    for start, end, profile in zip(low.tolist(), high.tolist(), profiles, strict=True):
        span = {"hour": datetime.fromtimestamp(start * 3600, UTC).isoformat(), "hours": end - start + 1}
        yield {"release": release, **span, "profile": profile.to_json(layouts=False)}


def inputs(rows: pa.Table, classes: tuple[str, ...]) -> pa.Table:
    """The inputs of logged rows by their own names, and the prediction beside them (of multiclass models the
    likeliest class).

    What the input policy filled in counts as missing, as it came.
    """
    names = [name for name in rows.column_names if name.startswith("in.")]
    arrays = {name.removeprefix("in."): rows[name] for name in names}
    for name, filled in _filled(rows).items():
        if name in arrays:
            arrays[name] = pc.if_else(pa.array(filled), pa.scalar(None, arrays[name].type), arrays[name])
    return pa.table({**arrays, PREDICTION: prediction(rows, classes)})


def prediction(rows: pa.Table, classes: tuple[str, ...]) -> pa.Array | pa.ChunkedArray:
    """What the model answered, null where the fallback did."""
    if classes and "predictions" in rows.column_names:
        chosen = [classes[int(np.argmax(each))] if each else None for each in rows["predictions"].to_pylist()]
        values: pa.Array | pa.ChunkedArray = pa.array(chosen, pa.string())
        if values.null_count == len(values):
            values = rows[PREDICTION]
    else:
        values = rows[PREDICTION]
    return pc.if_else(rows["fallback"], pa.scalar(None, values.type), values)


def _filled(rows: pa.Table) -> dict[str, np.ndarray]:
    """Per input, in which rows the policy filled in a missing value, from the rows' warnings."""
    filled: dict[str, np.ndarray] = {}
    told = rows["warnings"]
    missing = pc.fill_null(pc.match_substring(told, '"missing"'), False).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(missing):
        for warning in json.loads(told[int(row)].as_py()):
            if warning["code"] == "missing":
                name = warning.get("input") or warning["pointer"].rpartition("/")[2]
                filled.setdefault(name, np.zeros(len(rows), dtype=bool))[row] = True
    return filled


def _rows(store: Store, segment: Segment) -> pa.Table:
    """The rows of one segment: those of the files that its version of the table added.

    The version is checked by the number of rows and their times, for a mover that crashed between table and record
    may have written down a later one.
    """
    table = store.table(f"predictions/{segment.deployment}")
    for version in range(segment.table_version, max(segment.table_version - _BACK, -1), -1):
        added = _added(table.directory, version)
        with ExitStack() as opened:
            files = [opened.enter_context(pq.ParquetFile(path)) for path in added]
            if not files or sum(file.metadata.num_rows for file in files) != segment.rows:
                continue
            read = (file.read([name for name in file.schema_arrow.names if _counts(name)]) for file in files)
            found = pa.concat_tables(read, promote_options="permissive")
            span = pc.min_max(found["at"]).as_py()
            if (span["min"], span["max"]) == (segment.start, segment.end):
                return found
    found = pa.concat_tables([pq.read_table(path) for path in table.files()], promote_options="permissive")
    inside = pc.and_(
        pc.greater_equal(found["at"], pa.scalar(segment.start, found["at"].type)),
        pc.less_equal(found["at"], pa.scalar(segment.end, found["at"].type)),
    )
    return found.filter(inside)


def _counts(name: str) -> bool:
    """Whether a column of the log is looked at: not what tells one request from all others, which is costly to read."""
    return name not in ("request_id", "key", "routing", "arm", "time", "propensity")


def _added(directory: Path, version: int) -> list[Path]:
    """The files that one version of a Delta table added, read from its log, which names them in a line each."""
    log = directory / "_delta_log" / f"{version:020d}.json"
    # As bytes: its statistics hold texts of requests, in which other signs than \n may end a line.
    actions = [json.loads(line) for line in log.read_bytes().splitlines()]
    return [directory / unquote(action["add"]["path"]) for action in actions if "add" in action]
