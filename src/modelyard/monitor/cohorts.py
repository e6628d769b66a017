"""Answers whose labels had the time to come, each taken in once: the sums that everything said about labels is made of.

Rows are taken by the time of their prediction, in the order of maturity. The sums of each look are kept in its
observation of kind "labels", with the state of the sequential test, so that a look costs the rows that became mature
since the last one, and a window of any length is added up without touching rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.monitor import reference
from modelyard.monitor.past import past
from modelyard.monitor.quality import delay
from modelyard.records import Observation, Release
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.stats import metrics
from modelyard.stats.calibration import Bins
from modelyard.stats.performance import Performance, by_slice, reduced
from modelyard.stats.seasonal import hour_of_week
from modelyard.store import Store, predictions

KIND = "labels"
ENOUGH = 0.5
"""A cohort waits until so many of its rows have a label, at most one window longer."""
_COLUMNS = ("at", "release", "error", "prediction", "predictions")
DAY = 86_400


@dataclass(frozen=True)
class Sums:
    """`rows` answers, `labelled` of them with a label; over these the sums of loss, excess, its squares, and what was
    expected; bins of calibration, slices (rows, loss, excess), days (rows, loss, excess), and hours of the week (rows,
    excess, its squares)."""

    rows: int = 0
    labelled: int = 0
    loss: float = 0.0
    excess: float = 0.0
    squares: float = 0.0
    bins: Bins = field(default_factory=lambda: Bins.from_json(None))
    slices: dict[str, np.ndarray] = field(default_factory=dict)
    days: dict[str, np.ndarray] = field(default_factory=dict)
    hours: dict[str, np.ndarray] = field(default_factory=dict)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.rows + other.rows,
            self.labelled + other.labelled,
            self.loss + other.loss,
            self.excess + other.excess,
            self.squares + other.squares,
            self.bins + other.bins,
            _added(self.slices, other.slices),
            _added(self.days, other.days),
            _added(self.hours, other.hours),
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "rows": self.rows,
            "labelled": self.labelled,
            "loss": round(self.loss, 5),
            "excess": round(self.excess, 5),
            "squares": round(self.squares, 5),
            "bins": self.bins.to_json(),
            "slices": {name: np.round(each, 4).tolist() for name, each in self.slices.items()},
            "days": {day: np.round(each, 5).tolist() for day, each in self.days.items()},
            "hours": {hour: np.round(each, 5).tolist() for hour, each in self.hours.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Sums:
        """Read what `to_json` wrote."""
        return cls(
            data["rows"],
            data["labelled"],
            data["loss"],
            data["excess"],
            data["squares"],
            Bins.from_json(data["bins"]),
            {name: np.array(each) for name, each in data["slices"].items()},
            {day: np.array(each) for day, each in data["days"].items()},
            {hour: np.array(each) for hour, each in data["hours"].items()},
        )


@dataclass(frozen=True)
class Look:
    """What an earlier look left: the release that it was about, up to when rows were taken in, their sums, and the
    state of the sequential test."""

    release: str
    until: datetime
    sums: Sums
    detector: dict[str, Any]

    @classmethod
    def of(cls, seen: Observation) -> Look | None:
        """Of a recorded observation; None of one that was made before there was anything to take in."""
        detail = seen.detail
        if "sums" not in detail:
            return None
        until = datetime.fromisoformat(detail["until"])
        return cls(detail.get("release", ""), until, Sums.from_json(detail["sums"]), detail["detector"])


@dataclass(frozen=True)
class Cohort:
    """The rows that became mature with this look: their `sums`, and row by row in order of time when they were
    predicted (seconds since 1970) and their excess. `whole`: the window's sums, these included. `waiting` says why the
    cohort is not taken in yet."""

    since: datetime
    until: datetime
    sums: Sums
    seconds: np.ndarray
    excess: np.ndarray
    whole: Sums
    previous: Look | None
    waiting: str = ""


def take(
    store: Store, spec: Spec, name: str, monitor: Monitor, release: Release, known: Performance, now: datetime
) -> Cohort:
    """What became mature since the last look, of the release that serves."""
    end = now - delay(spec, release)
    before = past(store, name, KIND, now - 2 * monitor.window - delay(spec, release), Look.of, until=now)
    looks = [each for _, each in before if each is not None and each.release == release.digest]
    previous = looks[-1] if looks else None
    since = previous.until if previous else end - monitor.window
    since = min(max(since, end - 2 * monitor.window), end)
    columns = (*_COLUMNS, *(f"in.{column}" for column in sliced(monitor, known)))
    rows = predictions.window(
        store, monitor.deployment, start=since, end=end, columns=columns, role="answer", known_by=now
    )
    rows = rows.filter(pc.and_(pc.equal(rows["release"], release.digest), pc.equal(rows["error"], "")))
    sums, seconds, excess = summed(known, rows, sliced(monitor, known), _classes(known, store, release))
    waiting = ""
    if sums.labelled < ENOUGH * sums.rows and end - since < monitor.window:
        waiting = f"{sums.labelled} of the {sums.rows} answers from {since:%Y-%m-%d %H:%M} have their label"
        empty = np.array([])
        sums, seconds, excess, end = Sums(), empty, empty, since
    window = [each.sums for each in looks if each.until > end - monitor.window]
    whole = sum(window, Sums()) + sums
    return Cohort(since, end, sums, seconds, excess, whole, previous, waiting)


def sliced(monitor: Monitor, known: Performance) -> tuple[str, ...]:
    """The columns by which answers are sliced: the declared ones, else those the model leans on most."""
    if not monitor.slices.enabled:
        return ()
    wanted = monitor.slices.by or tuple(known.importance)[:MOST] or tuple(known.cuts)[:MOST]
    return tuple(column for column in wanted if column in known.cuts)


MOST = 8


def summed(
    known: Performance, rows: pa.Table, columns: Sequence[str], classes: Sequence[str]
) -> tuple[Sums, np.ndarray, np.ndarray]:
    """The sums of logged rows in order of time, and of the labelled ones time and excess."""
    labelled = rows.filter(pc.is_valid(rows["label"]))
    if not labelled.num_rows:
        return Sums(rows=rows.num_rows), np.array([]), np.array([])
    if known.task == "multiclass_classification":
        names = set(classes)
        inside = [str(label) in names for label in labelled["label"].to_pylist()]
        labelled = labelled.filter(pa.array(inside))
        y: Any = np.array(labelled["label"].to_pylist(), dtype=object)
        p = np.array(labelled["predictions"].to_pylist(), dtype=np.float64).reshape(labelled.num_rows, len(classes))
    else:
        y = labelled["label"].cast(pa.float64()).to_numpy()
        p = labelled["prediction"].to_numpy()
        told = np.isfinite(y) & np.isfinite(p)
        labelled, y, p = labelled.filter(pa.array(told)), y[told], p[told]
    happened, score = reduced(known.task, *metrics.encoded(known.task, y, p, classes))
    loss, expected = known.losses(happened, score)
    excess = loss - expected
    seconds = labelled["at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
    bins = Bins.from_json(None)
    if known.task != "regression" and len(loss):
        bins = Bins.of(known.curve.at(score), happened)
    slices = {
        column: np.array(by_slice(known.cuts[column], labelled[f"in.{column}"].combine_chunks(), loss, excess))
        for column in columns
        if f"in.{column}" in labelled.column_names
    }
    sums = Sums(
        rows.num_rows,
        len(loss),
        float(loss.sum()),
        float(excess.sum()),
        float(excess @ excess),
        bins,
        slices,
        _by(np.floor(seconds / DAY).astype("int64").astype("datetime64[D]"), loss, excess),
        _by(hour_of_week(seconds), excess, excess**2),
    )
    return sums, seconds, excess


def _by(names: np.ndarray, first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    """Rows and two sums by name."""
    keys, place = np.unique(names, return_inverse=True)
    rows, one, other = (np.bincount(place, weights=part) for part in (np.ones(len(first)), first, second))
    return {str(key): np.array(each) for key, *each in zip(keys, rows, one, other, strict=True)}


def _added(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    both = dict(first)
    for name, each in second.items():
        both[name] = both[name] + each if name in both and both[name].shape == each.shape else each
    return both


def _classes(known: Performance, store: Store, release: Release) -> tuple[str, ...]:
    return reference.classes(store, release) if known.task == "multiclass_classification" else ()
