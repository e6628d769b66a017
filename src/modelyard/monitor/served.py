"""How a deployment served: rows, errors, fallbacks, latencies and scores by release and hour, counted once per segment.

Kept in the segment's profile, so that a window is added up without touching rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.monitor.profiled import profiled
from modelyard.stats import Groups, arrow, vector
from modelyard.stats.performance import Performance, confidence
from modelyard.store import Blobs, Store

HOUR = 3_600_000_000
DAY, WEEK = timedelta(days=1), timedelta(days=7)
LATENCIES = np.geomspace(0.05, 60_000, 85)
"""Edges of the bins of latency in milliseconds: each 18% above the one before."""


@dataclass(frozen=True, eq=False)
class Served:
    """What one release answered in the hour from `start`: rows, of them without an answer and by the fallback; requests
    by bin of latency; scores by cell of the release's grid: cells, rows, sums of scores; `weight`: for how many each row
    stands in the mean, where only a sample was logged."""

    start: datetime
    release: str
    rows: int
    errors: int
    fallbacks: int
    latency: Mapping[int, int] = field(default_factory=dict)
    scores: np.ndarray = field(default_factory=lambda: np.zeros((3, 0)))
    weight: float = 1.0

    @property
    def asked(self) -> float:
        """How many rows were asked, where only a sample of them was logged."""
        return self.rows * self.weight

    @property
    def end(self) -> datetime:
        """When the hour is over."""
        return self.start + timedelta(hours=1)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "hour": self.start.isoformat(),
            "release": self.release,
            "rows": self.rows,
            "errors": self.errors,
            "fallbacks": self.fallbacks,
            "latency": [[place, n] for place, n in self.latency.items()],
            "scores": [[int(place), int(n), round(total, 6)] for place, n, total in self.scores.T.tolist()],
        } | ({"weight": self.weight} if self.weight != 1 else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Served:
        """Read what `to_json` wrote."""
        return cls(
            datetime.fromisoformat(data["hour"]),
            data["release"],
            data["rows"],
            data["errors"],
            data["fallbacks"],
            dict(data["latency"]),
            np.array(data["scores"], dtype=np.float64).reshape(-1, 3).T,
            data.get("weight", 1.0),
        )


def count(answers: pa.Table, release: str, known: Performance | None) -> Iterator[dict[str, Any]]:
    """The hours of one release's answers in a segment."""
    failed = arrow.where(answers["error"], lambda told: pc.not_equal(told, ""))
    fallback = pc.fill_null(answers["fallback"], False).to_numpy(zero_copy_only=False).astype(bool)
    score, first, latency = _scores(answers, known), *_latencies(answers)
    hours, of = Groups.by(micros(answers["at"]) // HOUR)
    rows, errors, fallbacks = of.sizes(len(answers)), of.where(failed), of.where(fallback)
    weights = of.total(_weights(answers)) / rows
    timed = _by_cell(of.take(first), np.searchsorted(LATENCIES, latency[first]))
    good = np.isfinite(score) & ~fallback if known is not None else np.zeros(len(score), dtype=bool)
    cells = np.searchsorted(np.array(known.grid if known is not None else ()), score[good], side="right")
    scored = _by_cell(of.take(good), cells, score[good])
    for number, hour in enumerate(hours.tolist()):
        _, cell, n, _ = timed[:, timed[0] == number]
        yield Served(
            datetime.fromtimestamp(hour * 3600, UTC),
            release,
            int(rows[number]),
            int(errors[number]),
            int(fallbacks[number]),
            dict(zip(cell.astype(int).tolist(), n.astype(int).tolist(), strict=True)),
            scored[1:, scored[0] == number],
            float(weights[number]),
        ).to_json()


def micros(times: pa.ChunkedArray) -> np.ndarray:
    """Times as microseconds since 1970."""
    return times.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()


def _by_cell(hours: Groups, cell: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
    """Columns of hour, cell, rows and sum of values, for each pair that there is."""
    wide = int(cell.max(initial=0)) + 1
    place = hours.each(len(cell)) * wide + cell
    rows = np.bincount(place)
    pairs = np.flatnonzero(rows)
    return np.array([pairs // wide, pairs % wide, rows[pairs], np.bincount(place, weights=values)[pairs]])


def _weights(answers: pa.Table) -> np.ndarray:
    """How many rows each stands for; one, where the log is older than samples are."""
    if "weight" not in answers.column_names:
        return np.ones(len(answers))
    return np.asarray(pc.fill_null(answers["weight"], 1.0).to_numpy())


def window(store: Store, deployment: str, start: datetime, end: datetime) -> list[Served]:
    """The hours that begin in [start, end), of every release, from stored profiles alone."""
    found: list[Served] = []
    for segment in profiled(store, deployment, start, end):
        found += within(_hours(store.blobs, segment.profile), start, end)
    return found


def within(hours: Iterable[Served], start: datetime, end: datetime) -> list[Served]:
    """Those of some hours that begin in [start, end)."""
    return [hour for hour in hours if start <= hour.start < end]


def partial(hours: Iterable[Served], release: str, whole: timedelta, until: datetime) -> str:
    """Why a release's answers in the hours before `until` are no whole week yet (or window, where that is shorter); "" if
    they are.

    Days of the week differ: a weekend alone looks like another world.
    """
    span = min(whole, WEEK)
    mine = (hour.start for hour in within(hours, until - 2 * WEEK, until) if hour.release == release)
    first = min(mine, default=until)
    if first <= until - span + DAY:
        return ""
    days = max((until - first) / DAY, 0)
    return f"the release has answered for {days:.3g} days of {span / DAY:.3g}, and days of the week differ"


@lru_cache(maxsize=1024)
def _hours(blobs: Blobs, digest: str) -> tuple[Served, ...]:
    return tuple(Served.from_json(each) for each in content(blobs, digest).get("served", ()))


@lru_cache(maxsize=8)
def content(blobs: Blobs, digest: str) -> dict[str, Any]:
    """What is stored of a segment: `groups` of profiles, and the hours `served`. Several ask for it one after the other."""
    return dict(msgspec.json.decode(blobs.get(digest)))


def latency(hours: list[Served], quantile: float) -> float | None:
    """A quantile of the latencies in milliseconds, to the upper edge of its bin; None when nothing was timed."""
    rows = np.zeros(len(LATENCIES) + 1)
    for hour in hours:
        for place, n in hour.latency.items():
            rows[place] += n
    if not rows.sum():
        return None
    place = int(np.searchsorted(np.cumsum(rows), quantile * rows.sum()))
    return float(LATENCIES[min(place, len(LATENCIES) - 1)])


def scores(hours: list[Served]) -> tuple[np.ndarray, np.ndarray]:
    """The mean score of each cell that has rows, and how many it has."""
    place, rows, totals = np.concatenate([np.zeros((3, 0)), *(hour.scores for hour in hours)], axis=1)
    cells, which = np.unique(place, return_inverse=True)
    count = np.bincount(which, weights=rows, minlength=len(cells))
    return np.bincount(which, weights=totals, minlength=len(cells)) / np.maximum(count, 1), count


def _scores(answers: pa.Table, known: Performance | None) -> np.ndarray:
    if known is not None and known.task == "multiclass_classification":
        given = arrow.plain(answers["predictions"]) if "predictions" in answers.column_names else pa.nulls(len(answers))
        size = pc.max(pc.list_value_length(given)).as_py() if arrow.is_list(given.type) else None
        return confidence(known.task, vector.matrix(given, size)[0]) if size else np.full(len(answers), np.nan)
    return pc.fill_null(answers["prediction"], float("nan")).to_numpy()


def _latencies(answers: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Which rows stand for a request, and how long it took (ms); without times none does."""
    if "latency_ms" not in answers.column_names:
        return np.zeros(answers.num_rows, dtype=bool), np.zeros(answers.num_rows)
    waited = pc.fill_null(answers["latency_ms"], float("nan")).to_numpy()
    return (answers["row"].to_numpy() == 0) & np.isfinite(waited), waited
