"""How often the 95% interval of a release's effect covers the truth, and how wide it is: python bench/kpi_effects.py [SERIES]."""

from __future__ import annotations

import sys
import time

import numpy as np

from modelyard.stats import interrupted

WEEK = np.array([0, 1, 2, 0, -1, 3, 3])
PLANS = ((42, 28), (90, 60), (180, 90))
RHOS = (0.0, 0.3, 0.6, 0.8)


def series(rng: np.random.Generator, days: int, rho: float) -> np.ndarray:
    """Trend, a week, and AR(1) errors of innovation variance 1."""
    errors = rng.normal(size=days)
    errors[0] /= np.sqrt(1 - rho**2)
    for day in range(1, days):
        errors[day] += rho * errors[day - 1]
    return 10 + 0.02 * np.arange(days) + WEEK[np.arange(days) % 7] + errors


def main() -> None:
    """One row per plan: coverage, and the interval's mean width in standard deviations of the innovations."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    began, runs = time.process_time(), 0
    print("| days, step at |" + "".join(f" ρ = {rho:g} |" for rho in RHOS))
    print("|---" * (len(RHOS) + 1) + "|")
    for days, at in PLANS:
        cells = []
        for rho in RHOS:
            rng, covered, width = np.random.default_rng([days, round(rho * 10)]), 0, 0.0
            for _ in range(count):
                numbers = np.arange(days)
                y = series(rng, days, rho) + 2 * (numbers >= at)
                found = interrupted.step(numbers, y, at, seasons=[numbers % 7])
                assert found is not None
                covered += found.low <= 2 <= found.high
                width += found.high - found.low
                runs += 1
            cells.append(f"{covered / count:.1%} (±{width / count / 2:.1f})")
        print(f"| {days}, {at} | " + " | ".join(cells) + " |")
    print(f"{1000 * (time.process_time() - began) / runs:.1f} ms of one core per series, {count} series a cell")


if __name__ == "__main__":
    main()
