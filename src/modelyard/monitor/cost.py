"""What the model costs to make and to ask: what takes ever longer is seen before it no longer fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from modelyard.monitor import served
from modelyard.monitor.seen import Seen, unknown
from modelyard.monitor.served import Served
from modelyard.records import Run
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.store import Store

KIND = "cost"
FEWEST = 5
WEEK, WEEKS, FEWEST_WEEKS, REQUESTS, SURE = timedelta(days=7), 12, 6, 100, 3.0
CREEP, LONG = 1.5, 0.8
"""Warn when a run takes so many times the median of those before, or so much of its declared limit."""


def look(store: Store, spec: Spec, monitor: Monitor, now: datetime, *, simulated: bool) -> list[Seen]:
    """Training times of the deployment's model, and what its requests take from week to week; none in a simulation, whose
    clock stands still meanwhile."""
    if not monitor.software.enabled or simulated:
        return []
    model = spec.deployments[monitor.deployment].model
    runs = store.read(Run, model=model, state="done", order="started")
    spans = [(run.ended - run.started).total_seconds() for run in runs if run.ended is not None]
    hours = served.window(store, monitor.deployment, now - WEEKS * WEEK, now)
    return [both(judge(spans, spec.models[model].limits.time.total_seconds()), creep(weekly(hours, now)))]


def weekly(hours: Sequence[Served], now: datetime) -> list[float]:
    """The median latency in milliseconds of the weeks that end now, oldest first, whatever releases answered; weeks with
    few requests are left out."""
    weeks: dict[int, list[Served]] = {}
    for hour in hours:
        weeks.setdefault((now - hour.start) // WEEK, []).append(hour)
    enough = [
        each
        for _, each in sorted(weeks.items(), reverse=True)
        if sum(sum(h.latency.values()) for h in each) >= REQUESTS
    ]
    return [value for each in enough if (value := served.latency(each, 0.5)) is not None]


def creep(weeks: Sequence[float]) -> str:
    """What to say of requests that take longer week by week: by half as much again along the line through all pairs
    (Sen 1968), with a trend by Mann and Kendall of z ≥ 3; "" else."""
    n = len(weeks)
    if n < FEWEST_WEEKS:
        return ""
    values = np.array(weeks)
    first, second = np.triu_indices(n, 1)
    steps = values[second] - values[first]
    ties = np.unique(values, return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    z = (float(np.sign(steps).sum()) - 1) / np.sqrt(max(variance, 1e-9))
    rise = float(np.median(steps / (second - first))) * (n - 1)
    start = float(np.median(values - rise * (np.arange(n) / (n - 1)))) if n > 1 else 0.0
    if z < SURE or rise < (CREEP - 1) * max(start, 1e-9):
        return ""
    return f"a request takes longer week by week: {start:.3g} ms {n - 1} weeks ago, {start + rise:.3g} ms now"


def both(training: Seen, serving: str) -> Seen:
    """One observation of what the training and the serving cost."""
    if not serving:
        return training
    says = f"{training.says}; {serving}" if training.level == "warn" else serving
    return replace(training, level="warn", says=says, detail={**training.detail, "serving": serving})


def judge(seconds: Sequence[float], limit: float) -> Seen:
    """The last run against the limit, and against those before."""
    detail = {"runs": len(seconds), "seconds": [round(each, 2) for each in seconds[-20:]], "limit": limit}
    if not seconds:
        return unknown(KIND, "no training is recorded", **detail)
    last = seconds[-1]
    if last >= LONG * limit:
        return Seen(KIND, "warn", f"training took {last:.0f} s, {limit:.0f} s is its limit", detail)
    if len(seconds) < FEWEST:
        return unknown(KIND, f"{len(seconds)} trainings are recorded, {FEWEST} are needed", **detail)
    before = np.array(seconds[:-1][-20:])
    usual = float(np.median(before))
    spread = 1.4826 * float(np.median(np.abs(before - usual)))
    if last >= CREEP * usual and last - usual >= 4 * max(spread, 0.01 * usual) and last - usual >= 1.0:
        return Seen(KIND, "warn", f"training took {last:.0f} s, {usual:.0f} s was usual", detail)
    return Seen(KIND, "ok", f"training takes {last:.1f} s, {usual:.1f} s is usual", detail)
