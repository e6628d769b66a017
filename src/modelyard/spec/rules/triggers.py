"""Rules for triggers: each condition says one thing, of something that is watched, and what is to be done can be done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from modelyard.spec.document import Path
from modelyard.spec.kinds import OBSERVED
from modelyard.spec.look import Look
from modelyard.spec.rules.alerts import headers, url
from modelyard.spec.triggers import Act, Trigger, When

_JOINED = ("any", "all", "not")
_KEYS = (*_JOINED, "schedule", *OBSERVED, "decay", "data", "kpi")
_FIELDS = {"not": "not_", "schema": "schema_"}
_SECTIONS = {
    "joint": "drift.joint",
    "cost": "software",
    "missing": "upstream.missing",
    "duplicates": "upstream.duplicates",
    "schema": "upstream.schema_",
}
_SECTIONS |= {"stale": "upstream.freshness", "volume": "upstream.volume", "units": "upstream.units"}
_OF_QUALITY = ("quality", "decay")


def triggers(look: Look) -> None:
    """A trigger's model exists; each condition says one thing, and of something that is watched."""
    for name, item in look.spec.triggers.items():
        path = ("triggers", name)
        look.refer((*path, "model"), item.model, "models", what="model")
        _when(look, (*path, "when"), item.when, item)
        _do(look, path, item)


def _given(when: When, key: str) -> object:
    return getattr(when, _FIELDS.get(key, key))


def _when(look: Look, path: Path, when: When, trigger: Trigger) -> None:
    given = {key: _given(when, key) for key in _KEYS}
    if not look.exactly_one(path, given, among=_KEYS):
        return
    for key, conditions in (("any", when.any), ("all", when.all)):
        if conditions == ():
            look.wrong((*path, key), "expected at least one condition.")
        for index, condition in enumerate(conditions or ()):
            _when(look, (*path, key, index), condition, trigger)
    if when.not_ is not None:
        _when(look, (*path, "not"), when.not_, trigger)
    if when.schedule is not None and when.schedule <= timedelta(0):
        look.wrong((*path, "schedule"), "expected a duration above zero.")
    watched = [key for key in OBSERVED if given[key] is not None]
    if when.windows is not None and not watched:
        look.wrong((*path, "windows"), "`windows` goes with `drift` or `quality`.", key=True)
    for key in watched:
        _watched(look, (*path, key), key, str(given[key]))
    if when.data is not None:
        look.refer((*path, "data", "dataset"), when.data.dataset, "datasets", what="dataset")
    if when.kpi is not None:
        look.refer((*path, "kpi", "name"), when.kpi.name, "kpis", what="KPI")
        if when.kpi.below is None and when.kpi.above is None:
            look.wrong((*path, "kpi"), "expected `below` or `above`.")
        if when.kpi.over <= timedelta(0):
            look.wrong((*path, "kpi", "over"), "expected a duration above zero.")
    if when.decay is not None:
        _decay(look, (*path, "decay"), when, trigger)


def _watched(look: Look, path: Path, kind: str, name: str) -> None:
    """The monitor that a condition names exists, and sees things of that kind."""
    if not look.refer(path, name, "monitors", what="monitor"):
        return
    monitor = look.spec.monitors.get(name)
    if monitor is None:
        return
    if kind in _OF_QUALITY and monitor.quality is None:
        look.wrong(path, f"the monitor `{name}` does not watch quality.", f"Add monitors.{name}.quality.")
        return
    if kind == "kpis" and not monitor.kpis:
        look.wrong(path, f"the monitor `{name}` watches no KPI.", f"Add monitors.{name}.kpis.")
        return
    section = _SECTIONS.get(kind, kind)
    found: Any = monitor
    for step in section.split("."):
        found = getattr(found, step, True)
    if found is False or getattr(found, "enabled", True) is False:
        shown = section.replace("schema_", "schema")
        look.wrong(path, f"the monitor `{name}` does not watch {kind}.", f"Enable monitors.{name}.{shown}.")
    if kind == "stale" and not any(source.freshness for source in look.spec.sources.values()):
        look.wrong(path, "no source declares how old it may be.", "Add sources.NAME.freshness.")


def _decay(look: Look, path: Path, when: When, trigger: Trigger) -> None:
    assert when.decay is not None
    if when.decay.before <= timedelta(0):
        look.wrong((*path, "before"), "expected a duration above zero.")
    if when.decay.monitor is not None:
        _watched(look, (*path, "monitor"), "decay", when.decay.monitor)
        return
    own = [
        name
        for name, monitor in look.spec.monitors.items()
        if monitor.deployment in look.spec.deployments
        and look.spec.deployments[monitor.deployment].model == trigger.model
        and monitor.quality is not None
    ]
    if not own:
        message = f"no monitor watches the quality of `{trigger.model}`, so nothing is forecast."
        look.wrong(path, message, "Add `quality` to a monitor of one of its deployments.")


def _do(look: Look, path: Path, item: Trigger) -> None:
    if not item.do:
        look.wrong((*path, "do"), "expected something to do.", "Leave it out to retrain.")
    for index, action in enumerate(item.do):
        place = (*path, "do", index) if look.document.find((*path, "do", index)) else (*path, "do")
        if not isinstance(action, Act):
            if item.do.count(action) > 1 and item.do.index(action) != index:
                look.wrong(place, f"`{action}` is asked for twice.")
            continue
        ways = {"run": action.run, "webhook": action.webhook}
        if not look.exactly_one(place, ways, among=ways):
            continue
        if action.run == ():
            look.wrong((*place, "run"), "expected a command.")
        if action.webhook is not None:
            url(look, (*place, "webhook"), action.webhook, private=action.allow_private)
            headers(look, place, action.headers)
    moves = {"rollback", "pause"} & {action for action in item.do if isinstance(action, str)}
    if item.deployment is not None:
        if not moves:
            look.wrong((*path, "deployment"), "`deployment` goes with `rollback` or `pause`.", key=True)
        elif look.refer((*path, "deployment"), item.deployment, "deployments", what="deployment"):
            deployment = look.spec.deployments.get(item.deployment)
            if deployment is not None and deployment.model != item.model:
                look.wrong((*path, "deployment"), f"`{item.deployment}` answers with another model.")
    elif moves and not any(each.model == item.model for each in look.spec.deployments.values()):
        look.wrong((*path, "do"), f"no deployment answers with `{item.model}`: there is nothing to move.")
    if {"rollback", "retrain"} <= {action for action in item.do if isinstance(action, str)}:
        message = "what is rolled back is replaced by its predecessor, and at once by what is trained."
        look.wrong((*path, "do"), message, "Declare two triggers, or one of both.")
