"""Sequential guards under simulation: false alarms of identical releases, and how soon a worse one is found.

    python bench/canary.py [--runs 10000]

Each rollout is looked at 25 times. The promises: identical releases are stopped more rarely than alpha; of 10,000 canaries
of 100 requests at 1% errors at most 4 are; .9% against .5% errors is caught in 95% of runs; outright failure at once.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np

from modelyard.stats.sequential import Rate, Stratum, rate_log_e, share_log_e, worse_log_e

LOOKS = 25
Test = Callable[[list[Stratum]], float]


def z_test(strata: list[Stratum]) -> float:
    """A one-sided z-test at every look, as the log of 1/p."""
    ((worse, base),) = strata
    pooled = (worse.hits + base.hits) / (worse.n + base.n)
    v = pooled * (1 - pooled) * (1 / worse.n + 1 / base.n)
    if v == 0:
        return 0.0
    return -math.log(0.5 * math.erfc((worse.rate - base.rate) / math.sqrt(2 * v)) or 1e-300)


TESTS: dict[str, Test] = {
    "z-test at every look": z_test,
    "mSPRT, pooled": lambda strata: rate_log_e(strata, forgive=0),
    "mSPRT, pooled, one forgiven": rate_log_e,
    "share of hits, exact": share_log_e,
    "guard: mean of the last two": worse_log_e,
}


def play(
    test: Test, p: float, q: float, n: int, m: int, alpha: float, runs: int, looks: int = LOOKS
) -> tuple[float, float]:
    """The share of rollouts stopped, and the median look at which they were."""
    rng = np.random.default_rng(20)
    hits = rng.binomial(n, p, (runs, looks)).cumsum(axis=1)
    base = rng.binomial(m, q, (runs, looks)).cumsum(axis=1)
    wanted, stopped = math.log(1 / alpha), []
    for run in range(runs):
        for look in range(1, looks + 1):
            strata = [(Rate(n * look, int(hits[run, look - 1])), Rate(m * look, int(base[run, look - 1])))]
            if test(strata) >= wanted:
                stopped.append(look)
                break
    return len(stopped) / runs, float(np.median(stopped)) if stopped else math.nan


SCENES = (
    ("identical, 5% errors, 50 of 500 a look, alpha .05", 0.05, 0.05, 50, 450, 0.05, LOOKS),
    ("identical, .5% errors, 500 of 5,000 a look, alpha .05", 0.005, 0.005, 500, 4500, 0.05, LOOKS),
    ("identical, 1% errors, 5 of 100 a look up to 100, alpha .01", 0.01, 0.01, 5, 95, 0.01, 20),
    (".9% against .5%, 500 of 5,000 a look, alpha .05", 0.009, 0.005, 500, 4500, 0.05, LOOKS),
    ("20% against 1%, 5 of 100 a look, alpha .01", 0.2, 0.01, 5, 95, 0.01, LOOKS),
    ("100% against 1%, 5 of 100 a look, alpha .01", 1.0, 0.01, 5, 95, 0.01, LOOKS),
)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    started = time.monotonic()
    for scene, *numbers, alpha, looks in SCENES:
        p, q, n, m = numbers
        print(f"\n{scene}")
        for name, test in TESTS.items():
            share, median = play(test, p, q, int(n), int(m), alpha, runs, looks)
            at = "" if math.isnan(median) else f"median look {median:g}"
            print(f"  {name:30} stopped {share:8.2%}  {at}")
    print(f"\n{runs:,} rollouts each, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
