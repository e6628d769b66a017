"""Stable, seasonal and turning streams: how often is an alarm false?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streams
from sklearn.ensemble import HistGradientBoostingClassifier
from table import Line

from modelyard.stats.edetector import EDetector
from modelyard.stats.rhythm import Rhythm

TITLE = "8 stable and seasonal"
GOAL = "p=.20: ≤ 1 of 10; season: none; SEA: first in 12,500-13,500"
WEEK = 604_800
CHANGE, PAST = 12_500, 8 * 1008


@dataclass(frozen=True)
class Measured:
    """Of ten runs each how many alarmed, and the row of SEA's first alarm."""

    stable: int
    season: int
    sea: int | None


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """Ten runs of 20,000 rows each, and one of SEA."""
    made = drawn(8)
    found = judged(made)
    told = (
        f"p=.20: {found.stable} of 10 runs; season ±.05 after 8 weeks: {found.season} of 10; SEA: first at {found.sea}"
    )
    reached = found.stable <= 1 and not found.season and found.sea is not None and CHANGE < found.sea <= CHANGE + 1000
    yield Line(TITLE, "modelyard", told, reached)
    stable, seasonal, _, (_, losses) = made
    if "river" in peers:
        one = streams.river(peers["river"], losses[None] > 0)
        season = streams.river(peers["river"], seasonal[:, PAST:])
        for name, rows in streams.river(peers["river"], stable).items():
            alarmed, wave = sum(bool(each) for each in rows), sum(bool(each) for each in season[name])
            sea = one[name][0][0] if one[name][0] else None
            yield Line(TITLE, f"river {name}", f"p=.20: {alarmed} of 10; season: {wave} of 10; SEA: first at {sea}")


def measured(seed: int) -> Measured:
    """One run of the experiment."""
    return judged(drawn(seed))


Streams = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, np.ndarray]]


def drawn(seed: int) -> Streams:
    """Ten stable and ten seasonal streams with the times of the latter, and SEA's error before and its errors."""
    rng = np.random.default_rng(seed)
    stable = rng.random((10, 20_000)) < 0.2
    seconds = np.arange(28 * 1008) * 600.0
    chance = 0.2 + 0.05 * np.sin(2 * np.pi * seconds / WEEK)
    return stable, rng.random((10, len(seconds))) < chance, seconds, _sea(rng)


def judged(made: Streams) -> Measured:
    """What the detector says of them."""
    stable, seasonal, seconds, (base, losses) = made
    quiet = [EDetector.above(0.2).update(row.astype(float)).alarmed for row in stable]
    waves = []
    for row in seasonal:
        rhythm = Rhythm.of(seconds[:PAST], row[:PAST].astype(float))
        shift = rhythm.at(seconds[PAST:])
        # The baseline is known from 8 weeks; the monitor takes it 1.64 of its standard errors higher, and so does this.
        high = float(row[:PAST].mean() + 1.64 * row[:PAST].std() / np.sqrt(PAST))
        waves.append(EDetector.above(high).update(row[PAST:].astype(float), shift=shift).alarmed)
    return Measured(
        sum(each is not None for each in quiet),
        sum(each is not None for each in waves),
        EDetector.above(base).update(losses).alarmed,
    )


def _sea(rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """The frozen model's error before, and its errors on 50,000 rows whose border moves each 12,500."""
    model = HistGradientBoostingClassifier(max_iter=50, random_state=8).fit(*streams.sea(rng, 5_000, 8.0))
    x, y = streams.sea(rng, 5_000, 8.0)
    base = float((model.predict(x) != y).mean())
    parts = []
    for theta in (8.0, 9.0, 7.0, 9.5):
        x, y = streams.sea(rng, CHANGE, theta)
        parts.append(model.predict(x) != y)
    return base, np.concatenate(parts).astype(float)
