"""The streams of experiment 8 as a deployment's, through the monitor itself: release, log, labels a day late, looks, persistence.

`.venv/bin/python bench/monitoring/through.py FIRST COUNT` plays three streams per seed, at default declarations (but what has nothing to do
with labels is off): rows every ten minutes of which a fifth is positive; the same with a season of ±.05 in the week; and SEA,
250 rows a day, whose border moves after 12,500 rows. The release learns from eight weeks, of SEA from 5,000 rows (trees, as in
the experiment). Told is the row at which an alarm came first: of rows whose labels had come.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

sys.path.insert(0, str(Path(__file__).parent))
import played as playing
import streams
from played import DAY, START, Played

OFF = {
    "drift": {"enabled": False},
    "estimate": {"enabled": False},
    "upstream": dict.fromkeys(("units", "missing", "schema", "duplicates", "volume"), False),
}
PAST, ROWS, CHANGE = 8 * 1008, 20_160, 12_500
A_DAY = 250


@dataclass(frozen=True)
class Through:
    """Alarms of `concept` and of `calibration` in 20 stable and 20 seasonal weeks; the row of SEA's first of either after the
    change at 12,500 (None: none), and how many came before."""

    stable: int
    stable_calibration: int
    season: int
    season_calibration: int
    sea_concept: int | None
    sea_calibration: int | None
    sea_early: int


def measured(seed: int) -> Through:
    """One seed."""
    rng = np.random.default_rng(seed)
    stable = weekly(rng, 0.0)
    season = weekly(rng, 0.05)
    turning = sea(rng)
    # A look takes in what became mature since the day before: as many rows as had come until then.
    rows = {
        kind: [int((each.at - DAY - START) / DAY * A_DAY) for each in alarms(turning, kind)]
        for kind in ("concept", "calibration")
    }
    first = {kind: next((row for row in found if row > CHANGE), None) for kind, found in rows.items()}
    return Through(
        len(alarms(stable, "concept")),
        len(alarms(stable, "calibration")),
        len(alarms(season, "concept")),
        len(alarms(season, "calibration")),
        first["concept"],
        first["calibration"],
        sum(row <= CHANGE for found in rows.values() for row in found),
    )


def alarms(found: Played, kind: str) -> list[playing.Told]:
    """What was told of one kind."""
    return [each for each in found.told if kind in each.kind.replace("+", " ").split()]


def weekly(rng: np.random.Generator, height: float) -> Played:
    """Rows every ten minutes with a wave in the week; the input tells nothing."""
    seconds = np.arange(PAST + ROWS) * 600
    chance = 0.2 + height * np.sin(2 * np.pi * seconds / 604_800)
    made = {"x": rng.normal(size=len(seconds)), "y": (rng.random(len(seconds)) < chance).astype(int)}
    return play(made, seconds, PAST, every="7d")


def sea(rng: np.random.Generator) -> Played:
    """The border moves to another place and stays there until 25,000 rows."""
    parts = [streams.sea(rng, rows, theta) for rows, theta in ((5_000, 8.0), (CHANGE, 8.0), (CHANGE, 9.0))]
    x, y = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    made = {**{f"x{place}": x[:, place] for place in range(3)}, "y": y}
    return play(made, np.arange(len(y)) * 86_400 // A_DAY, 5_000, every="1d", learner=trees)


def trees() -> HistGradientBoostingClassifier:
    """The model of the experiment."""
    return HistGradientBoostingClassifier(max_iter=50, random_state=8)


def play(made: dict[str, np.ndarray], seconds: np.ndarray, past: int, *, every: str, **more: Any) -> Played:
    """The first rows are learnt from, the others watched from a Monday on."""
    begin = int(START.timestamp())
    times = pa.array((seconds - seconds[past] + begin) * 1_000_000, pa.timestamp("us", "UTC"))
    table = pa.table({"time": times, **made})
    return playing.play(table.slice(0, past), table.slice(past), every=timedelta(days=int(every[:-1])), **more, **OFF)


def main() -> None:
    """Play, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    said = parser.parse_args()
    runs = []
    for seed in range(said.first, said.first + said.count):
        runs.append(measured(seed))
        print(seed, runs[-1], flush=True)
    for field in fields(Through):
        values = [getattr(each, field.name) for each in runs]
        print(f"{field.name}: {sum(values) if field.type == 'int' else values}")


if __name__ == "__main__":
    main()
