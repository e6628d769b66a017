"""The declared checks of a model, each turned into a verdict: pass, fail, or insufficient data, which never passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from modelyard.evaluate.scored import Scored
from modelyard.records import State, Verdict
from modelyard.spec.models import BetterThan, MetricCheck, Model, ModelCheck, SlicesCheck
from modelyard.stats import metrics

LEAST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Versus:
    """The candidate and its rival on the very same rows; `says` which rows, and which form of the rival."""

    candidate: Scored
    rival: Scored
    says: str = ""


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the checks look at: the candidate on the test rows, the baseline there, the champion where there is one.

    Without `champion`, `absent` says what becomes of a comparison with it, and why. `slices` gives, for each column that a check names, the slice of
    each test row.
    """

    candidate: Scored
    baseline: Scored
    champion: Versus | None = None
    absent: tuple[State, str] = ("pass", "there is no champion yet to compare with")
    slices: Mapping[str, np.ndarray] = field(default_factory=dict)


def judge(model: Model, evidence: Evidence, *, entity: str, subject: str, at: datetime) -> list[Verdict]:
    """One verdict per declared check, in their order. `subject` is the digest of the version judged."""
    verdicts = []
    for check in model.checks:
        name, state, says, detail = _judge_one(check, model, evidence)
        verdicts.append(
            Verdict(
                entity=entity,
                subject=subject,
                check=name,
                severity=check.severity,
                state=state,
                says=says,
                detail=detail,
                at=at,
            )
        )
    return verdicts


_Judgement = tuple[str, State, str, dict[str, Any]]


def _judge_one(check: ModelCheck, model: Model, evidence: Evidence) -> _Judgement:
    if check.metric is not None:
        return _metric(check.metric, evidence)
    if check.better_than is not None:
        return _better_than(check.better_than, model, evidence)
    assert check.slices is not None, "a check has exactly one of its keys"
    return _slices(check.slices, model, evidence)


def _metric(check: MetricCheck, evidence: Evidence) -> _Judgement:
    name = f"metric {check.name} {_bounds(check.min, check.max)}"
    value, missing = _measure(evidence.candidate, check.name, LEAST_ROWS)
    if value is None:
        return name, "insufficient_data", missing, {"metric": check.name, "rows": evidence.candidate.rows}
    within = _within(value, check.min, check.max)
    detail = {"metric": check.name, "value": value, "min": check.min, "max": check.max, "rows": evidence.candidate.rows}
    says = f"{check.name} {value:.4g} on {evidence.candidate.rows:,} test rows"
    return name, "pass" if within else "fail", f"{says}; wanted {_bounds(check.min, check.max)}", detail


def _better_than(check: BetterThan, model: Model, evidence: Evidence) -> _Judgement:
    metric = check.metric or metrics.default(model.task)
    name = f"better_than {check.release} {metric} by {check.by}"
    versus = evidence.champion
    if check.release == "baseline":
        versus = Versus(evidence.candidate, evidence.baseline, f"on {evidence.candidate.rows:,} test rows")
    if versus is None:
        state, says = evidence.absent
        return name, state, says, {"metric": metric, "rows": 0}
    own, missing = _measure(versus.candidate, metric, LEAST_ROWS)
    other, also_missing = _measure(versus.rival, metric, LEAST_ROWS)
    if own is None or other is None:
        says = missing or also_missing
        return name, "insufficient_data", says, {"metric": metric, "rows": versus.candidate.rows}
    limit, passed = _limit(metric, own, other, check)
    detail = {
        "metric": metric, "value": own, "other": other, "limit": limit, "rows": versus.candidate.rows,
        "compared": versus.says,
    }  # fmt: skip
    wanted = "at least" if metrics.better(metric) == "higher" else "at most"
    says = f"{metric} {own:.4g} against {other:.4g} of the {check.release} {versus.says}; wanted {wanted} {limit:.4g}"
    return name, "pass" if passed else "fail", says, detail


def _limit(metric: str, own: float, other: float, check: BetterThan) -> tuple[float, bool]:
    """The value that must be reached, and whether it is; equal is not better unless `by` allows to be worse."""
    if metric == "bias":
        own, other = abs(own), abs(other)
    margin = check.by.absolute(other)
    if metrics.better(metric) == "higher":
        return other + margin, own >= other + margin and (own > other or margin < 0)
    return other - margin, own <= other - margin and (own < other or margin < 0)


def _slices(check: SlicesCheck, model: Model, evidence: Evidence) -> _Judgement:
    metric = check.metric or metrics.default(model.task)
    name = f"slices {', '.join(check.by)} {metric} {_bounds(check.min, check.max)}"
    found = [
        _slice(column, value, evidence, metric, check)
        for column in check.by
        for value in sorted(set(evidence.slices[column].tolist()))
    ]
    wrong = [each for each in found if each["state"] == "fail"]
    judged = [each for each in found if each["state"] != "insufficient_data"]
    detail = {"metric": metric, "min": check.min, "max": check.max, "slices": found}
    if not judged:
        says = f"no slice has {check.rows} test rows on which {metric} is defined"
        return name, "insufficient_data", says, detail
    if wrong:
        shown = ", ".join(f"{each['by']} {each['value']}: {each['score']:.4g}" for each in wrong[:5])
        says = f"{len(wrong)} of {len(judged)} slices are outside {_bounds(check.min, check.max)}: {shown}"
        return name, "fail", says, detail
    scores = [each["score"] for each in judged]
    says = f"{metric} from {min(scores):.4g} to {max(scores):.4g} over {len(judged)} slices"
    return name, "pass", f"{says}; wanted {_bounds(check.min, check.max)}", detail


def _slice(column: str, value: str, evidence: Evidence, metric: str, check: SlicesCheck) -> dict[str, Any]:
    rows = evidence.candidate.where(evidence.slices[column] == value)
    score, _ = _measure(rows, metric, check.rows)
    state: State = "insufficient_data"
    if score is not None:
        state = "pass" if _within(score, check.min, check.max) else "fail"
    return {"by": column, "value": value, "rows": rows.rows, "score": score, "state": state}


def _measure(scored: Scored, metric: str, least: int) -> tuple[float | None, str]:
    """The metric, or why there is none."""
    missing = scored.short_of(least)
    if missing:
        return None, f"{metric} cannot be told: {missing}"
    value = scored.metric(metric)
    return value, "" if value is not None else f"{metric} is undefined on the {scored.rows:,} test rows"


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"≥ {low:g}"
    return f"≤ {high:g}" if high is not None else "any"
