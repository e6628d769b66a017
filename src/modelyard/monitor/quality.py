"""Judge the quality of answers by their labels, once these have had the time to come.

Rows are taken by the time of their prediction, and only when they are older than labels usually need: labels that
come early are no fair sample. What the metric is on younger rows is unknown, and said to be.

A window is a sample, and so were the rows that the release was judged on: of few rows the metric is out of bounds by
chance alone every other week. So a breach warns only where it is more than chance makes of the release's own figure.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.monitor import reference
from modelyard.monitor.bounds import bounds
from modelyard.monitor.seen import Seen, unknown
from modelyard.records import Level, Release
from modelyard.spec.monitors import Monitor, Quality
from modelyard.spec.types import Spec
from modelyard.stats.metrics import T95, Estimate, estimate
from modelyard.store import Store, predictions

Own = tuple[float, float | None]
"""A release's figure on rows that it had not seen, and its standard error."""

T99 = 2.86
"""One-sided 99.5% of Student's t with 19 degrees of freedom."""

_COLUMNS = ("at", "release", "error", "prediction", "predictions")


def look(store: Store, spec: Spec, monitor: Monitor, release: Release | None, now: datetime) -> list[Seen]:
    """The declared metric on the latest `window` of rows whose labels are mature; empty when none is declared."""
    if monitor.quality is None:
        return []
    if release is None:
        return [unknown("quality", "no release serves yet")]
    end = now - delay(spec, release)
    low, high = bounds(monitor.quality, release, monitor.quality.metric)
    known = reference.performance(store, release)
    own = known.metrics.get(monitor.quality.metric) if known else None
    rows = cohort(store, monitor.deployment, release, end - monitor.window, end, now)
    return [
        judge(
            monitor.quality.model_copy(update={"min": low, "max": high}),
            spec.models[release.model].task,
            rows,
            reference.classes(store, release),
            monitor.min_rows,
            end,
            own,
        )
    ]


def delay(spec: Spec, release: Release) -> timedelta:
    """How old a row must be: declared as the split's `mature`, else the 95th percentile of the delay seen in
    training."""
    declared = spec.models[release.model].split.mature
    if declared is not None:
        return declared
    learned = release.body.get("label_delay_seconds") or {}
    return timedelta(seconds=float(learned.get("p95") or 0.0))


def cohort(store: Store, deployment: str, release: Release, start: datetime, end: datetime, now: datetime) -> pa.Table:
    """The rows that `release` answered in [start, end), with labels where they are known by `now`, in order of time."""
    rows = predictions.window(store, deployment, start=start, end=end, columns=_COLUMNS, role="answer", known_by=now)
    return rows.filter(pc.and_(pc.equal(rows["release"], release.digest), pc.equal(rows["error"], "")))


def judge(
    quality: Quality,
    task: str,
    rows: pa.Table,
    classes: tuple[str, ...],
    min_rows: int,
    end: datetime,
    own: Own | None = None,
) -> Seen:
    """The metric on labelled rows against the bounds of `quality`; `own`: the release's figure on unseen rows."""
    labelled = rows.filter(pc.is_valid(rows["label"]))
    detail: dict[str, Any] = {
        "metric": quality.metric,
        "rows": rows.num_rows,
        "labelled": labelled.num_rows,
        "mature_until": end.isoformat(),
    }
    if labelled.num_rows < min_rows:
        why = f"{labelled.num_rows} of {rows.num_rows} mature answers have a label, {min_rows} are needed"
        return unknown("quality", why, **detail)
    y, p = _arrays(labelled, task)
    found = estimate(task, quality.metric, y, p, classes)
    if found.value is None or not np.isfinite(found.value):
        return unknown("quality", found.why or f"{quality.metric} is not a number here", **detail)
    interval = found.interval
    detail |= {"value": found.value, "interval": list(interval) if interval else None}
    judged = level(quality, found, own)
    says = _says(quality, found, own, judged)
    # Two looks a day apart judge nearly the same rows: what they share is no confirmation.
    return Seen("quality", judged, says, detail, _severe(quality, found), varies=True)


def _arrays(rows: pa.Table, task: str) -> tuple[Any, np.ndarray]:
    if task == "multiclass_classification":
        return rows["label"].to_pylist(), np.array(rows["predictions"].to_pylist(), dtype=np.float64)
    return rows["label"].cast(pa.float64()).to_numpy(), rows["prediction"].to_numpy()


def level(quality: Quality, found: Estimate, own: Own | None) -> Level:
    """Page when the bound lies beyond the metric's 95% interval. Else a breach warns, or is for information where
    chance explains it.

    A bound that the release's own figure sets (`tolerance`) is as uncertain as that figure. What the release itself
    does not keep, or what is not known of it, explains nothing.
    """
    breach = _beyond(quality, found.value)
    if breach <= 0:
        return "ok"
    if found.error is None or own is None:
        return "page" if found.error is not None and breach > T95 * found.error else "warn"
    value, error = own[0], own[1] or 0.0
    if breach > T95 * math.hypot(found.error, error if quality.tolerance is not None else 0.0):
        return "page"
    assert found.value is not None, "what breaches is known"
    chance = abs(found.value - value) < T99 * math.hypot(found.error, error)
    return "info" if chance and _beyond(quality, value) <= 0 else "warn"


def _beyond(quality: Quality, value: float | None) -> float:
    """How far a metric lies outside its bounds; not above zero within them."""
    assert value is not None, "only known values are judged"
    below = quality.min - value if quality.min is not None else -math.inf
    above = value - quality.max if quality.max is not None else -math.inf
    return max(below, above)


def _severe(quality: Quality, found: Estimate) -> bool:
    """Out of bounds by twice what the interval reaches."""
    if found.value is None or found.interval is None:
        return False
    reach = 2 * (found.interval[1] - found.value)
    low = quality.min is not None and found.value < quality.min - reach
    return low or (quality.max is not None and found.value > quality.max + reach)


def _says(quality: Quality, found: Estimate, own: Own | None, judged: Level) -> str:
    interval = found.interval
    between = f" (95%: {interval[0]:.4g} to {interval[1]:.4g})" if interval else ""
    bounds = [f"at least {quality.min:g}"] if quality.min is not None else []
    bounds += [f"at most {quality.max:g}"] if quality.max is not None else []
    wanted = f", {' and '.join(bounds)} is wanted" if bounds else ""
    chance = ""
    if judged == "info" and own is not None:
        chance = f"; it was {own[0]:.4g} at release, which so few rows do not contradict"
    return f"{quality.metric} is {found.value:.4g}{between} on {found.rows} labelled answers{wanted}{chance}"
