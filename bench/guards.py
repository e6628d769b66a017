"""Guards and tests under simulation: how often identical releases are stopped, and how soon worse ones are.

    python bench/guards.py [--runs 10000]

Every rollout has four guards (errors, latency, outputs, a paired loss) that share alpha = 1%, and is looked at 25 times.
Goals: of identical releases at most alpha are stopped; .9% against .5% errors is caught in 95% within 25 looks of 500;
of A/B tests between equals at most 5% have a winner, and of bandits.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from modelyard.release.guards import _slower, _slower_pooled
from modelyard.release.tally import LATENCIES, latency_bin
from modelyard.spec.values import Margin
from modelyard.stats.clusters import Mean, difference_bounds
from modelyard.stats.offpolicy import advantage_bounds
from modelyard.stats.sequential import Moments, Rate, mean_bounds, worse_log_e
from modelyard.stats.uniform import distance_bounds

LOOKS, ALPHA, GUARDS = 25, 0.01, 4
MARGIN = Margin(0.2, True)
RNG = np.random.default_rng(11)


def latencies(scale: float = 1.0) -> np.ndarray:
    """The chance of each bin, of log-normal latencies (median 5 ms, p95 13 ms)."""
    drawn = latency_bin(5 * scale * np.random.default_rng(3).lognormal(0, 0.6, 400_000))
    return np.bincount(drawn, minlength=LATENCIES) / len(drawn)


def rollout(
    n: int,
    m: int,
    *,
    errors: tuple[float, float],
    slow: float = 1.0,
    shift: float = 0.0,
    loss: float = 0.0,
    guards: int = GUARDS,
) -> dict[str, int]:
    """The look at which each guard stopped a rollout that sees `n` challenger and `m` champion rows a look."""
    found: dict[str, int] = {}
    alpha = ALPHA / guards
    wait, outs = LATENCY[slow], (OUTPUT * (1 - shift), OUTPUT)
    outs[0][-1] += shift
    hits, seen, pairs = [0, 0], [np.zeros(LATENCIES, int), np.zeros(LATENCIES, int)], [0.0, 0.0]
    shapes = [np.zeros(len(OUTPUT), int), np.zeros(len(OUTPUT), int)]
    for look in range(1, LOOKS + 1):
        for arm, rows in ((0, n), (1, m)):
            hits[arm] += RNG.binomial(rows, errors[arm])
            seen[arm] += RNG.multinomial(rows, wait if arm == 0 else LATENCY[1.0])
            shapes[arm] += RNG.multinomial(rows, outs[arm])
        differences = RNG.normal(loss, 0.2, n + m)
        pairs = [pairs[0] + differences.sum(), pairs[1] + differences @ differences]
        count = look * (n + m)
        if "errors" not in found:
            strata = [(Rate(n * look, hits[0]), Rate(m * look, hits[1]))]
            if worse_log_e(strata) >= math.log(1 / alpha):
                found["errors"] = look
        if "latency" not in found:
            both = (_slower_pooled([(seen[0], seen[1])], MARGIN, alpha / 2), _slower(*seen, MARGIN, alpha / 4))
            if "fail" in both:
                found["latency"] = look
        if "outputs" not in found and distance_bounds(shapes[0], shapes[1], alpha)[1] > 0:
            found["outputs"] = look
        if "loss" not in found and mean_bounds(Moments(count, pairs[0], pairs[1]), alpha)[0] > 0:
            found["loss"] = look
    return found


def scene(name: str, runs: int, guard: str | None, **world: object) -> float:
    """Play one world and print how many rollouts were stopped, by `guard` or by any."""
    stopped: list[int] = []
    for _ in range(runs):
        found = rollout(**world)  # type: ignore[arg-type]
        looks = list(found.values()) if guard is None else [found[guard]] if guard in found else []
        if looks:
            stopped.append(min(looks))
    share = len(stopped) / runs
    at = f"median look {np.median(stopped):g}" if stopped else ""
    print(f"  {name:66} {share:8.2%}  {at}", flush=True)
    return share


def ab_tests(runs: int, gain: float) -> float:
    """The share of A/B tests (500 rows of each arm a look, 30% conversion) that had a winner."""
    won = 0
    for _ in range(runs):
        hits = np.cumsum([RNG.binomial(500, (0.3 + gain, 0.3)) for _ in range(LOOKS)], axis=0)
        for look in range(LOOKS):
            rows = 500 * (look + 1)
            means = []
            for arm in (0, 1):
                share = hits[look, arm] / rows
                means.append(Mean(rows, rows, share, (share * (1 - share) * rows + 4 * 0.3) / rows**2))
            low, high = difference_bounds(means[0], means[1], 0.025)
            if low > 0 or high < 0:
                won += 1
                break
    return won / runs


def bandits(runs: int, looks: int = 12) -> float:
    """The share of bandits between equals (60 rows a look, shares that wander) that had a winner."""
    won = 0
    for _ in range(runs):
        share, chosen, propensity, reward = 0.05, np.zeros(0, int), np.zeros(0), np.zeros(0)
        for _ in range(looks):
            arm = (RNG.random(150) < share).astype(int)
            chosen = np.concatenate([chosen, arm])
            propensity = np.concatenate([propensity, np.where(arm == 1, share, 1 - share)])
            reward = np.concatenate([reward, (RNG.random(150) < 0.3).astype(float)])
            groups = np.arange(len(chosen))
            low, high = advantage_bounds(1, chosen, propensity, reward, groups, 0.025, 0.5)
            if low > 0 or high < 0:
                won += 1
                break
            best = reward[chosen == 1].mean() > reward[chosen == 0].mean() if (chosen == 1).any() else False
            share = 0.8 if best else 0.05
    return won / runs


LATENCY = {scale: latencies(scale) for scale in (1.0, 2.0)}
OUTPUT = np.random.default_rng(5).dirichlet(np.ones(60))


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    few = max(runs // 20, 100)
    started, used = time.monotonic(), time.process_time()
    same = {"n": 50, "m": 450, "errors": (0.005, 0.005)}
    print(f"stopped of {runs:,} rollouts ({few:,} of worse ones), 25 looks, alpha {ALPHA:.0%} over {GUARDS} guards")
    scene("identical, 50 of 500 rows a look: any guard", runs, None, **same)
    scene(
        ".9% against .5% errors, 500 of 5,000, the only guard",
        few,
        "errors",
        n=500,
        m=4500,
        errors=(0.009, 0.005),
        guards=1,
    )
    scene("100% errors, 5 of 10, one of two guards", few, "errors", n=5, m=5, errors=(1.0, 0.005), guards=2)
    scene("20% errors, 5 of 10, one of two guards", few, "errors", n=5, m=5, errors=(0.2, 0.005), guards=2)
    scene("p95 doubled, 12 of 24, one of two guards", few, "latency", n=12, m=12, errors=(0.0, 0.0), slow=2.0, guards=2)
    scene("a fifth of the outputs lies elsewhere, 100 of 500", few, "outputs", n=100, m=400, errors=(0, 0), shift=0.2)
    scene("losses worse by a tenth of their scatter, 50 of 500", few, "loss", loss=0.02, **same)
    print(f"  {'A/B tests between equals that had a winner (significance 5%)':66} {ab_tests(runs, 0.0):8.2%}")
    print(f"  {'A/B tests of 33% against 30% that had one':66} {ab_tests(few, 0.03):8.2%}")
    print(f"  {'bandits between equals that had a winner (significance 5%)':66} {bandits(max(runs // 5, 100)):8.2%}")
    print(f"{time.monotonic() - started:.0f} s, {time.process_time() - used:.0f} s of the processor")


if __name__ == "__main__":
    main()
