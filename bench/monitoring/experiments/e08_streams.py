"""Stable, seasonal and turning streams: how often is an alarm false?"""

from collections.abc import Iterator, Mapping
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
CHANGE = 12_500


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """Ten runs of 20,000 rows each, and one of SEA."""
    rng = np.random.default_rng(8)
    stable = rng.random((10, 20_000)) < 0.2
    seconds = np.arange(28 * 1008) * 600.0
    chance = 0.2 + 0.05 * np.sin(2 * np.pi * seconds / WEEK)
    seasonal = rng.random((10, len(seconds))) < chance
    past = 8 * 1008
    turning = _sea(rng)
    quiet = [EDetector.above(0.2).update(row.astype(float)).alarmed for row in stable]
    waves = []
    for row in seasonal:
        rhythm = Rhythm.of(seconds[:past], row[:past].astype(float))
        shift = rhythm.at(seconds[past:])
        # The baseline is known from 8 weeks; the monitor takes it 1.64 of its standard errors higher, and so does this.
        base = float(row[:past].mean() + 1.64 * row[:past].std() / np.sqrt(past))
        waves.append(EDetector.above(base).update(row[past:].astype(float), shift=shift).alarmed)
    base, losses = turning
    first = EDetector.above(base).update(losses).alarmed
    alarms, risen = sum(each is not None for each in quiet), sum(each is not None for each in waves)
    told = f"p=.20: {alarms} of 10 runs; season ±.05 after 8 weeks: {risen} of 10; SEA: first at {first}"
    reached = alarms <= 1 and not risen and first is not None and CHANGE < first <= CHANGE + 1000
    yield Line(TITLE, "modelyard", told, reached)
    if "river" in peers:
        one = streams.river(peers["river"], losses[None] > 0)
        season = streams.river(peers["river"], seasonal[:, past:])
        for name, found in streams.river(peers["river"], stable).items():
            alarmed, wave = sum(bool(each) for each in found), sum(bool(each) for each in season[name])
            sea = one[name][0][0] if one[name][0] else None
            yield Line(TITLE, f"river {name}", f"p=.20: {alarmed} of 10; season: {wave} of 10; SEA: first at {sea}")


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
