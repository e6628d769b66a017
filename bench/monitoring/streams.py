"""Streams of losses for experiments 7 and 8, and the peers' detectors on them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def river(interpreter: Path, streams: np.ndarray) -> dict[str, list[list[int]]]:
    """The rows at which each of river's detectors alarms, per stream."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "streams.npy"
        np.save(place, streams.astype(np.int8))
        command = [interpreter, "-W", "ignore", HERE / "peers" / "river_.py", place]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def first_after(alarms: list[int], row: int) -> int | None:
    """How many rows after `row` the first alarm comes; None when none does."""
    return next((alarm - row for alarm in alarms if alarm > row), None)


def sea(rng: np.random.Generator, rows: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of SEA (Street & Kim 2001): three numbers, of which two count, and 10% of labels turned."""
    x = rng.uniform(0, 10, (rows, 3))
    y = x[:, 0] + x[:, 1] <= theta
    return x, np.where(rng.random(rows) < 0.1, ~y, y).astype(int)
