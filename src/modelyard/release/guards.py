"""Guards: what must not get worse while a release is tried, judged from evidence that may be looked at at any time.

Each guard is `pass`, `fail`, `not yet` or `not judged`:

- A rate (error_rate, fallback_rate, warning_rate) fails as soon as the challenger's is higher at all, proven by the
  pooled sequential test, and by at least a tenth of a point (or the margin, if smaller); it passes when the difference
  is proven to be below the margin. So the margin says what a promotion must rule out, not what is tolerated when seen.
- A metric of labels (log_loss, mae, ...) is compared on rows that both releases answered: it fails when its degradation
  is proven to exceed the margin, and passes when it is proven not to.
- latency_p95: a confidence sequence bounds the champion's 95th percentile, and an exact test asks whether more than 5%
  of the challenger's requests take longer than that with the margin; beside it a pooled test compares how many of both
  do, by the percentile as estimated, which needs fewer rows. Both step by step, because load changes with time. It is
  judged on answers only, and not at all in a simulation.
- output_shift: the largest difference of the distribution functions of both releases' predictions, by confidence
  sequences of both; it fails when that is proven to exceed the margin, and passes when it is proven not to.

The declared `alpha` is divided over the guards; each of the two proofs of one guard may err with that probability over
the whole rollout, however often it is looked at. No data never passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import numpy as np

from modelyard.release.agreement import Agreement
from modelyard.release.contrast import Contrast
from modelyard.release.losses import LOSSES
from modelyard.release.pairs import Pairs, compare
from modelyard.release.ranking import Rank
from modelyard.spec.strategies import Guarded
from modelyard.spec.values import Margin
from modelyard.stats.bernoulli import quantile_bounds, share_above, share_below
from modelyard.stats.sequential import (
    Rate,
    Stratum,
    p_value,
    rate_bounds,
    rate_log_e_below,
    worse_log_e,
)
from modelyard.stats.uniform import distance_bounds

RATES = ("error_rate", "fallback_rate", "warning_rate")
LATENCY = "latency_p95"
OUTPUT = "output_shift"
PER_E = 50
"""Bins of latency per factor e: 2% each, from 1 µs."""
FLOOR = 0.001
"""A rate that is higher by less than a tenth of a point is no reason to roll back by itself."""

Verdict = Literal["pass", "fail", "not yet", "not judged"]


Histograms = tuple[np.ndarray, np.ndarray]
"""Challenger and champion over the same stretch of time, counted in the same bins."""


@dataclass(frozen=True)
class Evidence:
    """What is known about one challenger now; all of it adds up or is recomputed from the prediction log.

    `rows`: its rows in the present step. `rates`: per guard, (challenger, champion) per step. `latencies` and `outputs`:
    histograms per step. `pairs`: per guard, losses of both on the same rows, in consecutive stretches of time. `running`:
    whether every gateway runs the present routes, since `switched` seconds after they were made. `since`: the first row
    that both answered. What strategies ask beyond the guards: `agreement` of answers in shadow, `contrast` of outcomes,
    `rank` by labels, `chances` of being the best (champion's first).
    """

    rows: int = 0
    rates: dict[str, tuple[Stratum, ...]] = field(default_factory=dict)
    pairs: dict[str, tuple[Pairs, ...]] = field(default_factory=dict)
    simulated: bool = False
    running: bool = True
    latencies: tuple[Histograms, ...] = ()
    outputs: tuple[Histograms, ...] = ()
    switched: float | None = None
    since: datetime | None = None
    agreement: Agreement | None = None
    contrast: Contrast | None = None
    rank: Rank | None = None
    chances: tuple[float, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What one guard found: `says` is the sentence for people; bounds are those of the degradation."""

    guard: str
    verdict: Verdict
    says: str
    rows: int = 0
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: str = ""
    alpha: float | None = None

    def as_json(self) -> dict[str, object]:
        """The finding for audit entries and status; what is unknown is left out."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value
            for name, value in values.items()
            if value is not None and not (isinstance(value, float) and not math.isfinite(value))
        }


def judge(declared: Guarded, evidence: Evidence) -> tuple[Finding, ...]:
    """Judge every declared guard on the evidence so far."""
    alpha = declared.alpha / max(1, len(declared.guard))
    return tuple(
        replace(_judge(name, guard.margin, evidence, alpha), margin=str(guard.margin), alpha=alpha)
        for name, guard in declared.guard.items()
    )


def _judge(name: str, margin: Margin, evidence: Evidence, alpha: float) -> Finding:
    if name == LATENCY:
        return _latency(margin, evidence, alpha)
    if name == OUTPUT:
        return _shift(margin, evidence.outputs, alpha)
    if name in RATES:
        return _rate(name, margin, evidence.rates.get(name, ()), alpha)
    if name in LOSSES:
        return _paired(name, margin, evidence.pairs.get(name, ()), alpha)
    return Finding(name, "not yet", f"{name} is no mean over rows, so it can never pass")


def _totals(strata: Sequence[Stratum]) -> tuple[Rate, Rate]:
    return sum((worse for worse, _ in strata), Rate()), sum((base for _, base in strata), Rate())


def _rate(name: str, margin: Margin, strata: Sequence[Stratum], alpha: float) -> Finding:
    worse, base = _totals(strata)
    if not worse.n or not base.n:
        return Finding(name, "not yet", f"{name}: no rows of {'the challenger' if base.n else 'both releases'} yet")
    smoothed = (base.hits + 1) / (base.n + 2)
    allowed = margin.absolute(smoothed)
    evidence = worse_log_e(strata)
    lower, upper = rate_bounds(strata, alpha)
    seen = worse.rate - base.rate
    wanted = math.log(1 / alpha)
    says = f"{name} {worse.rate:.2%} of {worse.n:,} against {base.rate:.2%} of {base.n:,}"
    proven_worse = evidence >= wanted and seen >= min(FLOOR, max(allowed, 0.0))
    if proven_worse or lower > allowed:
        verdict: Verdict = "fail"
        says += f": higher (always-valid p = {p_value(evidence):.1g})"
    elif rate_log_e_below(strata, below=allowed) >= wanted:
        verdict = "pass"
        says += f": at most {_points(max(upper, 0))} higher, {_points(allowed)} allowed"
    else:
        verdict = "not yet"
        says += f": may be {_points(upper)} higher, {_points(allowed)} allowed"
    return Finding(name, verdict, says, worse.n, seen, lower, upper)


def _points(share: float) -> str:
    """A share in percentage points: `0.15pp`, `98pp`."""
    points = share * 100
    return f"{points:.0f}pp" if abs(points) >= 10 else f"{points:.2g}pp"


def _latency(margin: Margin, evidence: Evidence, alpha: float) -> Finding:
    if evidence.simulated:
        return Finding(LATENCY, "not judged", f"{LATENCY} is not judged here: a simulation has no latency of its own")
    rows = sum(int(worse.sum()) for worse, _ in evidence.latencies)
    others = sum(int(base.sum()) for _, base in evidence.latencies)
    if not rows or not others:
        who = "the champion" if rows else "the challenger"
        return Finding(LATENCY, "not yet", f"{LATENCY}: {who} has not answered requests yet")
    verdict: Verdict = "not yet"
    a, b = (_p95(sum((pair[which] for pair in evidence.latencies), start=np.zeros(1, int))) for which in (0, 1))
    says = f"{LATENCY} {a:.3g} ms of {rows:,} requests against {b:.3g} ms of {others:,}, {margin} more allowed"
    # Half of alpha for the pooled test over all steps, half for the exact one, of which step s has 1/(s+1)(s+2).
    verdict = _slower_pooled(evidence.latencies, margin, alpha / 2)
    for step, (worse, base) in enumerate(evidence.latencies):
        if verdict == "not yet":
            verdict = _slower(worse, base, margin, alpha / (2 * (step + 1) * (step + 2)))
    told = {"fail": ": more is proven", "pass": ": no more is proven"}.get(verdict, ": not proven either way yet")
    return Finding(LATENCY, verdict, says + told, rows, a - b)


def _slower_pooled(histograms: Sequence[Histograms], margin: Margin, alpha: float) -> Verdict:
    """Whether more of the challenger's latencies lie above the champion's p95 with the margin than of its own above it.

    The percentile is estimated from the very rows that are counted. To first order that changes nothing (Bahadur 1966):
    how far off it is moves both shares alike. Found out by simulation in bench/guards.py.
    """
    strata = []
    for worse, base in histograms:
        if worse.sum() and base.sum():
            place = int(np.searchsorted(np.cumsum(base), 0.95 * base.sum()))
            allowed = _edge(place + 1) + margin.absolute(_edge(place + 1))
            slow = int(worse[_first(allowed) :].sum()), int(base[place + 1 :].sum())
            strata.append((Rate(int(worse.sum()), slow[0]), Rate(int(base.sum()), slow[1])))
    wanted = math.log(1 / alpha)
    if worse_log_e(strata) >= wanted:
        return "fail"
    return "pass" if rate_log_e_below(strata, below=0.0) >= wanted else "not yet"


def _slower(worse: np.ndarray, base: np.ndarray, margin: Margin, alpha: float) -> Verdict:
    """Whether more than 5% of the challenger's latencies are proven to lie above the champion's p95 with the margin.

    While the true percentile lies within its bounds, counting above the upper one counts too few, above the lower one
    too many: so both proofs hold whatever the percentile is. Half of alpha for the bounds, half for the test.
    """
    lower, upper = quantile_bounds(base, 0.95, alpha / 2)
    n, wanted = int(worse.sum()), math.log(2 / alpha)
    if upper < len(base):
        limit = _edge(upper + 1)
        hits = int(worse[_first(limit + margin.absolute(limit)) :].sum())
        if share_above(n, hits, 0.05) >= wanted:
            return "fail"
    limit = _edge(lower)
    hits = n - int(worse[: _first(limit + margin.absolute(limit))].sum())
    return "pass" if lower and share_below(n, hits, 0.05) >= wanted else "not yet"


def _edge(place: int) -> float:
    """The smallest latency (ms) of a bin."""
    return math.exp(place / PER_E) / 1e3


def _first(limit: float) -> int:
    """The first bin all of whose latencies reach a limit (ms)."""
    return max(0, math.ceil(math.log(max(limit, 1e-3) * 1e3) * PER_E - 1e-9))


def _p95(counts: np.ndarray) -> float:
    return _edge(int(np.searchsorted(np.cumsum(counts), 0.95 * counts.sum())))


def _shift(margin: Margin, histograms: Sequence[Histograms], alpha: float) -> Finding:
    worse, base = (sum((pair[which] for pair in histograms), start=np.zeros(1, int)) for which in (0, 1))
    n, m = int(worse.sum()), int(base.sum())
    if not n or not m:
        return Finding(OUTPUT, "not yet", f"{OUTPUT}: no predictions of {'the challenger' if m else 'both'} yet")
    estimate, lower, upper = distance_bounds(worse, base, alpha)
    allowed = margin.absolute(1.0)
    says = (
        f"{OUTPUT}: {estimate:.1%} of the predictions lie elsewhere ({n:,} against {m:,} rows), {allowed:.1%} allowed"
    )
    verdict: Verdict = "fail" if lower > allowed else "pass" if upper < allowed else "not yet"
    told = {"fail": ": more is proven", "pass": ": no more is proven"}.get(verdict, f": it may be {upper:.1%}")
    return Finding(OUTPUT, verdict, says + told, n, estimate, lower, upper)


def _paired(name: str, margin: Margin, blocks: Sequence[Pairs], alpha: float) -> Finding:
    compared = compare(name, margin, blocks, alpha)
    if compared is None:
        return Finding(name, "not yet", f"{name}: no row that both releases answered has its label yet")
    verdict: Verdict = "not yet"
    says = compared.says
    if compared.lower > 0:
        verdict = "fail"
        says += f", worse by more than the {margin} allowed"
    elif compared.upper < 0:
        verdict = "pass"
        says += f", worse by less than the {margin} allowed"
    else:
        says += f", too few to tell whether it is worse by {margin}"
    return Finding(name, verdict, says, compared.rows, compared.excess, compared.lower, compared.upper)
