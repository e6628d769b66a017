"""The metric before labels come: estimated from the answers alone, with an interval, and blind to concept change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from modelyard.monitor import reference, served
from modelyard.monitor.bounds import bounds
from modelyard.monitor.seen import Seen, unknown
from modelyard.monitor.served import Served
from modelyard.records import Level, Release
from modelyard.spec.monitors import Monitor
from modelyard.stats import cbpe, metrics
from modelyard.stats.performance import Performance
from modelyard.store import Store

NOTE = "estimated from the answers alone: it sees other inputs, and is blind to a world that changed behind them"
ROWS = 5_000
USUAL = 3.0
"""Without bounds: worse than at release by so many standard errors of a window (and 2% of it) is told."""


def look(store: Store, monitor: Monitor, release: Release | None, now: datetime, hours: Sequence[Served]) -> list[Seen]:
    """The declared metric, or the task's own, over the window that ends now, from what was answered in `hours` (at least
    two weeks); labels are not asked."""
    if not monitor.estimate.enabled:
        return []
    known = reference.performance(store, release)
    if release is None or known is None:
        why = "no release serves yet" if release is None else "the release has no record of its quality on unseen rows"
        return [unknown("estimate", why)]
    window = served.within(hours, now - monitor.window, now)
    means, rows = served.scores([hour for hour in window if hour.release == release.digest])
    metric = monitor.quality.metric if monitor.quality else USUAL_METRIC[known.task]
    if rows.sum() < monitor.min_rows:
        why = f"{int(rows.sum())} answers in the window, {monitor.min_rows} are needed"
        return [unknown("estimate", why, release=release.digest, metric=metric, rows=int(rows.sum()))]
    young = served.partial(hours, release.digest, monitor.window, now)
    if young:
        return [unknown("estimate", young, release=release.digest, metric=metric, rows=int(rows.sum()))]
    return [judge(monitor, release, known, metric, means, rows)]


USUAL_METRIC = {"binary_classification": "roc_auc", "multiclass_classification": "accuracy", "regression": "mae"}


def judge(
    monitor: Monitor, release: Release, known: Performance, metric: str, means: np.ndarray, rows: np.ndarray
) -> Seen:
    """Warn where the estimate lies out of bounds, with its whole interval where there are none. It never pages: a page
    needs labels."""
    detail: dict[str, Any] = {"release": release.digest, "metric": metric, "rows": int(rows.sum()), "note": NOTE}
    found = estimate(known, metric, means, rows)
    if found is None:
        return unknown("estimate", f"{metric} cannot be estimated without labels", **detail)
    value, (low, high) = found
    usual, error = known.metrics.get(metric, (None, None))
    detail |= {"value": value, "interval": [low, high], "release_value": usual}
    level: Level = "ok"
    limits = bounds(monitor.quality, release, metric)
    if limits != (None, None):
        below = limits[0] is not None and value < limits[0]
        above = limits[1] is not None and value > limits[1]
        level = "warn" if below or above else "ok"
    elif usual is not None and error is not None:
        worse = usual - value if metrics.better(metric) == "higher" else value - usual
        # The error at release is that of its own rows; of so many, which err together, it is larger.
        error *= float(np.sqrt(max(known.rows * known.effect / rows.sum(), 1.0)))
        level = "warn" if worse > max(USUAL * error, 0.02 * abs(usual)) else "ok"
    says = f"{metric} is about {value:.4g} (95%: {low:.4g} to {high:.4g}) on {int(rows.sum())} answers without labels"
    told = f"; at release it was {usual:.4g}" if usual is not None else ""
    return Seen("estimate", level, f"{says}{told}; {NOTE}", detail)


def estimate(
    known: Performance, metric: str, means: np.ndarray, rows: np.ndarray
) -> tuple[float, tuple[float, float]] | None:
    """The metric of rows whose scores were counted by cells; None where it cannot be told."""
    error = known.metrics.get(metric, (None, None))[1] or 0.0
    scores = np.repeat(means, _thinned(rows))
    if known.task == "regression":
        return known.bins.estimate(metric, scores, error=error) if known.bins else None
    if known.task == "multiclass_classification":
        if metric != "accuracy":
            return None
        right = known.curve.at(scores)
        value, reach = (
            float(right.mean()),
            1.96 * float(np.hypot(np.sqrt((right * (1 - right)).mean() / rows.sum()), error)),
        )
        return value, (value - reach, value + reach)
    if metric not in metrics.METRICS[known.task]:
        return None
    return cbpe.estimate(metric, partial(metrics.of_labels, known.task, metric), scores, known.curve, error=error)


def _thinned(rows: np.ndarray) -> np.ndarray:
    """How many rows stand for each cell: all of them, or some 5,000 in their proportions."""
    whole = rows.sum()
    if whole <= ROWS:
        return rows.astype(np.int64)
    ends = np.round(np.cumsum(rows) * (ROWS / whole)).astype(np.int64)
    return np.diff(np.append(0, ends))
