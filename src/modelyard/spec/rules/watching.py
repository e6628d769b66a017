"""Rules for monitors and triggers: what is watched exists, and what is waited for is watched."""

from __future__ import annotations

from datetime import timedelta

from modelyard.spec.document import Path
from modelyard.spec.look import Look
from modelyard.spec.rules.checks import bounds, metric
from modelyard.spec.types import Monitor, When

_KEYS = ("any", "all", "schedule", "drift", "quality")


def monitors(look: Look) -> None:
    """A monitor's deployment exists; its metric exists for the task."""
    for name, item in look.spec.monitors.items():
        path = ("monitors", name)
        look.refer((*path, "deployment"), item.deployment, "deployments", what="deployment")
        for key in ("every", "window"):
            if getattr(item, key) <= timedelta(0):
                look.wrong((*path, key), "expected a duration above zero.")
        if item.drift.warn > item.drift.page:
            message = f"`warn` {item.drift.warn:g} is above `page` {item.drift.page:g}."
            look.wrong((*path, "drift", "warn"), message)
        if item.calibration.warn > item.calibration.page:
            message = f"`warn` {item.calibration.warn:g} is above `page` {item.calibration.page:g}."
            look.wrong((*path, "calibration", "warn"), message)
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


def triggers(look: Look) -> None:
    """A trigger's model exists; each condition says one thing, and of something that is watched."""
    for name, item in look.spec.triggers.items():
        path = ("triggers", name)
        look.refer((*path, "model"), item.model, "models", what="model")
        _when(look, (*path, "when"), item.when)


def _when(look: Look, path: Path, when: When) -> None:
    given = {key: getattr(when, key) for key in _KEYS}
    if not look.exactly_one(path, given, among=_KEYS):
        return
    for key in ("any", "all"):
        conditions = given[key]
        if conditions == ():
            look.wrong((*path, key), "expected at least one condition.")
        for index, condition in enumerate(conditions or ()):
            _when(look, (*path, key, index), condition)
    if when.schedule is not None and when.schedule <= timedelta(0):
        look.wrong((*path, "schedule"), "expected a duration above zero.")
    if when.windows is not None and when.drift is None and when.quality is None:
        look.wrong((*path, "windows"), "`windows` goes with `drift` or `quality`.", key=True)
    _watched(look, path, when)


def _watched(look: Look, path: Path, when: When) -> None:
    for key, name in (("drift", when.drift), ("quality", when.quality)):
        if name is None or not look.refer((*path, key), name, "monitors", what="monitor"):
            continue
        monitor = look.spec.monitors.get(name)
        if monitor is None:
            continue
        if key == "quality" and monitor.quality is None:
            hint = f"Add monitors.{name}.quality."
            look.wrong((*path, key), f"the monitor `{name}` does not watch quality.", hint)
        if key == "drift" and not monitor.drift.enabled:
            look.wrong((*path, key), f"the monitor `{name}` does not watch drift.", f"Enable monitors.{name}.drift.")
