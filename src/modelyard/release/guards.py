"""Guards: what must not get worse while a release is tried, judged from evidence that may be looked at at any time.

Each guard is `pass`, `fail`, `not yet` or `not judged`:

- A rate (error_rate, fallback_rate, warning_rate) fails as soon as the challenger's is higher at all, proven by the
  pooled sequential test, and by at least a tenth of a point (or the margin, if smaller); it passes when the difference
  is proven to be below the margin. So the margin says what a promotion must rule out, not what is tolerated when seen.
- A metric of labels (log_loss, mae, ...) is compared on rows that both releases answered: it fails when its degradation
  is proven to exceed the margin, and passes when it is proven not to.
- latency_p95 asks whether more than 5% of the challenger's requests take longer than the champion's 95th percentile
  with the margin; it is judged on answers only, and not at all in a simulation.

The declared `alpha` is divided over the guards; each of the two proofs of one guard may err with that probability over
the whole rollout, however often it is looked at. No data never passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from modelyard.release.losses import LOSSES
from modelyard.spec.types import Canary
from modelyard.spec.values import Margin
from modelyard.stats.sequential import (
    Moments,
    Rate,
    Stratum,
    design_effect,
    mean_bounds,
    p_value,
    rate_bounds,
    rate_log_e_below,
    worse_log_e,
)

RATES = ("error_rate", "fallback_rate", "warning_rate")
LATENCY = "latency_p95"
FLOOR = 0.001
"""A rate that is higher by less than a tenth of a point is no reason to roll back by itself."""

MIN_BLOCKS = 8
"""Fewer stretches of time than this say nothing about how much rows resemble their neighbours."""

Verdict = Literal["pass", "fail", "not yet", "not judged"]


@dataclass(frozen=True)
class Pairs:
    """Sufficient statistics of two losses per row, `a` the challenger's and `b` the champion's."""

    n: int = 0
    a: float = 0.0
    b: float = 0.0
    aa: float = 0.0
    bb: float = 0.0
    ab: float = 0.0

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def excess(self, scale: float, shift: float) -> Moments:
        """The moments of `a - scale*b - shift`.

        >>> Pairs(2, a=3.0, b=2.0, aa=5.0, bb=2.0, ab=3.0).excess(1.0, 0.0)    # a = 1, 2; b = 1, 1
        Moments(n=2, total=1.0, squares=1.0)
        """
        total = self.a - scale * self.b - shift * self.n
        squares = self.aa + scale * scale * self.bb - 2 * scale * self.ab
        squares += shift * shift * self.n - 2 * shift * (self.a - scale * self.b)
        return Moments(self.n, total, max(squares, 0.0))


@dataclass(frozen=True)
class Evidence:
    """What is known about a rollout now; all of it adds up or is recomputed from the prediction log.

    `rows`: challenger rows seen in the present step. `rates`: per guard, (challenger, champion) per step.
    `pairs`: per guard, losses of both on the same rows, in consecutive stretches of time. `running`: whether every
    gateway runs the present routes.
    """

    rows: int = 0
    rates: dict[str, tuple[Stratum, ...]] = field(default_factory=dict)
    pairs: dict[str, tuple[Pairs, ...]] = field(default_factory=dict)
    simulated: bool = False
    running: bool = True


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

    def as_json(self) -> dict[str, object]:
        """The finding for audit entries and status; what is unknown is left out."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value
            for name, value in values.items()
            if value is not None and not (isinstance(value, float) and not math.isfinite(value))
        }


def judge(canary: Canary, evidence: Evidence) -> tuple[Finding, ...]:
    """Judge every declared guard on the evidence so far."""
    alpha = canary.alpha / max(1, len(canary.guard))
    return tuple(_judge(name, guard.margin, evidence, alpha) for name, guard in canary.guard.items())


def _judge(name: str, margin: Margin, evidence: Evidence, alpha: float) -> Finding:
    if name == LATENCY:
        return _latency(margin, evidence, alpha)
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
        says += f": at most {max(upper, 0) * 100:.2g}pp higher, {allowed * 100:.2g}pp allowed"
    else:
        verdict = "not yet"
        says += f": may be {upper * 100:.2g}pp higher, {allowed * 100:.2g}pp allowed"
    return Finding(name, verdict, says, worse.n, seen, lower, upper)


def _latency(margin: Margin, evidence: Evidence, alpha: float) -> Finding:
    if evidence.simulated:
        return Finding(LATENCY, "not judged", f"{LATENCY} is not judged here: a simulation has no latency of its own")
    strata = evidence.rates.get(LATENCY, ())
    worse, base = _totals(strata)
    if not worse.n or not base.n:
        return Finding(LATENCY, "not yet", f"{LATENCY}: the challenger has not answered requests yet")
    lower, upper = rate_bounds(strata, alpha)
    says = f"{LATENCY}: {worse.rate:.1%} of {worse.n:,} requests were slower than the champion's p95 + {margin}"
    wanted = math.log(1 / alpha)
    verdict: Verdict = "not yet"
    if worse_log_e(strata) >= wanted:
        verdict = "fail"
    elif rate_log_e_below(strata, below=0.0) >= wanted:
        verdict = "pass"
    return Finding(LATENCY, verdict, says, worse.n, worse.rate - base.rate, lower, upper)


def _paired(name: str, margin: Margin, blocks: Sequence[Pairs], alpha: float) -> Finding:
    whole = sum(blocks, Pairs())
    if not whole.n:
        return Finding(name, "not yet", f"{name}: no row that both releases answered has its label yet")
    loss = LOSSES[name]
    scale, shift = loss.allowed(margin, whole.b / whole.n)
    moments = [block.excess(scale, shift) for block in blocks]
    effect = design_effect(moments, least=MIN_BLOCKS)
    size = loss.size if loss.size is not None else math.sqrt((whole.aa + whole.bb) / (2 * whole.n))
    filled = sum(1 for block in blocks if block.n) >= MIN_BLOCKS
    excess = sum(moments, Moments()).smoothed(size)
    lower, upper = mean_bounds(excess, alpha, effect=effect) if filled else (-math.inf, math.inf)
    a, b = whole.a / whole.n, whole.b / whole.n
    says = f"{name}: {_shown(name, a)} against {_shown(name, b)} on {whole.n:,} labelled rows of both"
    verdict: Verdict = "not yet"
    if lower > 0:
        verdict = "fail"
        says += f", worse by more than the {margin} allowed"
    elif upper < 0:
        verdict = "pass"
        says += f", worse by less than the {margin} allowed"
    else:
        says += f", too few to tell whether it is worse by {margin}"
    return Finding(name, verdict, says, whole.n, excess.mean, lower, upper)


def _shown(name: str, loss: float) -> str:
    """The metric that a mean loss stands for, as text."""
    value = {"rmse": math.sqrt(max(loss, 0.0)), "accuracy": 1 - loss}.get(name, loss)
    return f"{value:.4g}"
