"""Rules for monitors: what is watched exists."""

from __future__ import annotations

from datetime import timedelta

from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.monitors import Monitor
from modelyard.spec.rules.checks import bounds, metric

HOUR = timedelta(hours=1)
"""By so much the log is profiled."""


def monitors(look: Look) -> None:
    """A monitor's deployment and business figures exist; its metric exists for the task."""
    for name, item in look.spec.monitors.items():
        path = ("monitors", name)
        look.refer((*path, "deployment"), item.deployment, "deployments", what="deployment")
        for key in ("every", "window"):
            if getattr(item, key) <= timedelta(0):
                look.wrong((*path, key), "expected a duration above zero.")
        if timedelta(0) < item.window < HOUR:
            message = "answers are counted by the hour: a window that is shorter holds none of them."
            look.wrong((*path, "window"), message, "Write 1h or more.")
        if item.drift.warn > item.drift.page:
            message = f"`warn` {item.drift.warn:g} is above `page` {item.drift.page:g}."
            look.wrong((*path, "drift", "warn"), message)
        if item.calibration.warn > item.calibration.page:
            message = f"`warn` {item.calibration.warn:g} is above `page` {item.calibration.page:g}."
            look.wrong((*path, "calibration", "warn"), message)
        for index, figure in enumerate(item.kpis):
            place = (*path, "kpis", index) if look.document.find((*path, "kpis", index)) else (*path, "kpis")
            look.refer(place, figure, "kpis", what="KPI")
        if item.quality is not None:
            _quality(look, path, item)


def _quality(look: Look, path: Path, item: Monitor) -> None:
    assert item.quality is not None
    tolerance = item.quality.tolerance
    if tolerance is None:
        bounds(look, (*path, "quality"), item.quality)
    elif tolerance.amount < 0:
        message = f"`tolerance` {tolerance} is below zero: it says how much worse the metric may become."
        look.wrong((*path, "quality", "tolerance"), message)
    deployment = look.spec.deployments.get(item.deployment)
    model = look.spec.models.get(deployment.model) if deployment else None
    if deployment is not None and model is not None:
        metric(look, (*path, "quality", "metric"), item.quality.metric, deployment.model, model)
