"""Decay forecasts on 16 to 39 weeks: lines with autocorrelated noise, flat and seasonal series."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from table import Line

from modelyard.stats.forecast import crossing

TITLE = "10 decay forecast"
GOAL = "80% interval covers ≥ 75%; flat or seasonal never falls within 12 weeks"
RUNS = 600


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """No peer forecasts."""
    found = measured(10)
    text = (
        f"covers {found.covered / found.spoken:.0%} of {found.spoken} dates (speaks on {found.spoken / RUNS:.0%} of falling "
        f"series, on {found.bent_spoken / RUNS:.0%} of those that were flat before, and covers {found.bent_covered / found.bent_spoken:.0%} "
        f"of these); flat {found.flat}, seasonal {found.season} of {RUNS} false"
    )
    yield Line(TITLE, "modelyard", text, found.covered >= 0.75 * found.spoken and not found.flat and not found.season)


@dataclass(frozen=True)
class Measured:
    """Of `RUNS` series of each sort: falling ones that it spoke of and whose date its interval held, from the first week on
    and since a bend; flat and seasonal ones that it said would fall within 12 weeks."""

    spoken: int
    covered: int
    flat: int
    season: int
    bent_spoken: int
    bent_covered: int


def measured(seed: int) -> Measured:
    """One run of the experiment."""
    rng = np.random.default_rng(seed)
    spoken = covered = flat = season = 0
    for _ in range(RUNS):
        n, noise = int(rng.integers(16, 40)), _noise(rng)
        slope, ahead = -rng.uniform(0.002, 0.006), rng.uniform(2, 20)
        level = 0.8 + slope * np.arange(n)
        found = crossing(level + noise[:n], float(level[-1] + slope * ahead))
        spoken += found is not None
        covered += found is not None and found.low <= ahead <= found.high
        still = crossing(0.8 + _noise(rng)[:n], 0.75)
        flat += still is not None and still.steps <= 12
        wave = np.sin(2 * np.pi * np.arange(n) / rng.choice([8, 13, 26, 52]) + rng.uniform(0, 2 * np.pi))
        swing = crossing(0.8 + rng.uniform(0.02, 0.05) * wave + _noise(rng)[:n], 0.72)
        season += swing is not None and swing.steps <= 12
    return Measured(spoken, covered, flat, season, *_bent(np.random.default_rng([seed, 1])))


def _bent(rng: np.random.Generator) -> tuple[int, int]:
    """Series that are flat for 6 to 19 weeks and fade for 8 to 19."""
    spoken = covered = 0
    for _ in range(RUNS):
        flat, fading = int(rng.integers(6, 20)), int(rng.integers(8, 20))
        slope, ahead = -rng.uniform(0.003, 0.012), rng.uniform(2, 14)
        level = 0.8 + slope * np.maximum(np.arange(flat + fading) - flat, 0)
        found = crossing(level + _noise(rng)[: flat + fading], float(level[-1] + slope * ahead))
        spoken += found is not None
        covered += found is not None and found.low <= ahead <= found.high
    return spoken, covered


def _noise(rng: np.random.Generator) -> np.ndarray:
    """40 weeks of autocorrelated noise."""
    rho, spread = rng.choice([0.0, 0.3, 0.6]), rng.choice([0.004, 0.008, 0.012])
    steps = rng.normal(0, spread * np.sqrt(1 - rho**2), 40)
    noise = np.empty(40)
    noise[0] = rng.normal(0, spread)
    for week in range(1, 40):
        noise[week] = rho * noise[week - 1] + steps[week]
    return noise
