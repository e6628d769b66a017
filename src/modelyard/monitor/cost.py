"""What the model costs to make: training that takes ever longer is seen before it no longer fits its limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelyard.monitor.seen import Seen, unknown
from modelyard.records import Run
from modelyard.spec.types import Monitor, Spec
from modelyard.store import Store

KIND = "cost"
FEWEST = 5
CREEP, LONG = 1.5, 0.8
"""Warn when a run takes so many times the median of those before, or so much of its declared limit."""


def look(store: Store, spec: Spec, monitor: Monitor, *, simulated: bool) -> list[Seen]:
    """Training times of the deployment's model; none in a simulation, whose clock stands still meanwhile."""
    if not monitor.software.enabled or simulated:
        return []
    model = spec.deployments[monitor.deployment].model
    runs = store.read(Run, model=model, state="done", order="started")
    spans = [(run.ended - run.started).total_seconds() for run in runs if run.ended is not None]
    return [judge(spans, spec.models[model].limits.time.total_seconds())]


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
