"""Operations that look: what serves, releases, observations, the audit trail. They change nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from modelyard import monitor, release, triggers
from modelyard.api.alerting import standing
from modelyard.api.context import Context, parse_time
from modelyard.api.declaring import existing
from modelyard.errors import InputError, NotFound
from modelyard.loop.ground import latest_declaration
from modelyard.records import Alias, Audit, Deployment, Release, Request, Verdict
from modelyard.spec import Project
from modelyard.spec.types import Spec
from modelyard.store import Store, audit

Json = dict[str, Any]
DAY = timedelta(days=1)


def status(context: Context) -> Json:
    """Say what serves, what is pending and what is wrong. Creates nothing."""
    project = context.project(variables=False)
    store = existing(context, project)
    spec = project.spec
    if store is None or latest_declaration(store) is None:
        return {
            "project": spec.project,
            "as_of": None,
            "deployments": [{"name": name, "release": None, "arms": [], "ready": False} for name in spec.deployments],
            "pending": ["nothing has been applied yet: run `yard apply`"],
            "alerts": [],
        }
    names = {item.digest: f"{item.model}@{item.number}" for item in store.read(Release)}
    now = context.clock.now()
    return {
        "project": spec.project,
        "as_of": now.isoformat(),
        "deployments": [
            _deployment(store, name, names)
            | {"policy": monitor.uses(store, name, now - DAY, now), "slo": _slo(store, spec, name)}
            for name in spec.deployments
        ],
        "pending": list(release.pending(store, set(spec.deployments), set(spec.models))),
        "alerts": standing(store),
    }


def _slo(store: Store, spec: Spec, name: str) -> list[Json]:
    """What is left of the declared service levels' budgets."""
    return monitor.standing(store, name) if spec.deployments[name].slo is not None else []


def _deployment(store: Store, name: str, names: dict[str, str]) -> Json:
    found = store.one(Deployment, name=name)
    if found is None:
        return {"name": name, "release": None, "arms": [], "ready": False}
    arms = [{**arm, "release": names.get(arm["release"], arm["release"])} for arm in found.routes["arms"]]
    shadows = [{**arm, "release": names.get(arm["release"], arm["release"])} for arm in found.routes["shadows"]]
    champion = next((arm["release"] for arm in arms if arm["arm"] == "champion"), None)
    return {
        "name": name,
        "release": champion,
        "arms": arms,
        "shadows": shadows,
        "revision": found.revision,
        "rollout": found.rollout or None,
        "ready": bool(arms),
    }


def release_list(context: Context) -> Json:
    """Every release, oldest first, with its state and aliases."""
    _, store = context.known()
    aliases: dict[tuple[str, int], list[str]] = {}
    for alias in store.read(Alias):
        aliases.setdefault((alias.model, alias.number), []).append(alias.alias)
    return {
        "releases": [
            {
                "name": f"{item.model}@{item.number}",
                "model": item.model,
                "number": item.number,
                "digest": item.digest,
                "state": item.state,
                "aliases": sorted(aliases.get((item.model, item.number), [])),
                "created": item.created.isoformat(),
                "as_of": item.as_of.isoformat(),
                "author": item.author,
            }
            for item in store.read(Release, order="id")
        ]
    }


def release_show(context: Context, ref: str) -> Json:
    """One release with all that it binds, its verdicts, and why it serves or not."""
    project, store = context.known()
    found = release.find(store, ref)
    return {
        "why": release.explain(store, found, project.spec.deployments, now=context.clock.now()),
        "name": f"{found.model}@{found.number}",
        "digest": found.digest,
        "state": found.state,
        "created": found.created.isoformat(),
        "as_of": found.as_of.isoformat(),
        "author": found.author,
        "history": release.history(store, found),
        "body": found.body,
    }


def release_diff(context: Context, a: str, b: str) -> Json:
    """What differs between two releases."""
    _, store = context.known()
    return release.diff(release.find(store, a), release.find(store, b))


def monitor_show(
    context: Context, name: str | None = None, *, start: str | None = None, end: str | None = None
) -> Json:
    """What monitors saw, newest first; with `start` (and `end`, default now) what was answered between them, judged now."""
    project, store = context.known()
    known = triggers.watchers(project.spec)
    if name and name not in known:
        raise NotFound(f"no monitor is called {name!r}", hint=f"There are: {', '.join(known)}.")
    names = [name] if name else known
    shown = [monitor.show(store, each, project.spec.monitors.get(each)) for each in names]
    if start is None and end is None:
        return {"monitors": shown}
    low, high = parse_time(start), parse_time(end) or context.clock.now()
    if low is None:
        raise InputError("it is not said where the time begins", hint="Give --from besides --to.")
    watched = project.spec.monitors
    return {
        "monitors": [
            each | {"between": monitor.between(store, each["monitor"], watched[each["monitor"]], low, high)}
            for each in shown
            if each["monitor"] in watched
        ]
    }


def trigger_explain(context: Context, name: str | None = None) -> Json:
    """What each trigger would decide now: whether it fires, why, what each condition says, and when it fired last."""
    project, store = context.known()
    if name and name not in project.spec.triggers:
        raise NotFound(f"no trigger is called {name!r}", hint=f"There are: {', '.join(project.spec.triggers)}.")
    names = [name] if name else list(project.spec.triggers)
    return {"as_of": context.clock.now().isoformat(), "triggers": [_trigger(context, store, project, n) for n in names]}


def _trigger(context: Context, store: Store, project: Project, name: str) -> Json:
    decision = triggers.look(store, project.spec, name, now=context.clock.now())
    last = store.read(Request, trigger=name, order="id", descending=True, limit=1)
    return {
        "name": name,
        "model": project.spec.triggers[name].model,
        "do": [triggers.kind_of(action) for action in project.spec.triggers[name].do],
        "fires": decision.fire,
        "holds": decision.holds,
        "why": decision.why,
        "conditions": [{"holds": reason.holds, "says": reason.says} for reason in decision.reasons],
        "last": [
            {
                "at": each.at.isoformat(),
                "kind": each.kind,
                "state": each.state,
                "why": each.why,
                "outcome": each.outcome,
            }
            for each in last
        ],
    }


def verdicts(context: Context, entity: str) -> Json:
    """The recorded verdicts of an entity, newest first."""
    _, store = context.known()
    found = store.read(Verdict, entity=entity, order="id", descending=True)
    return {
        "verdicts": [
            {"check": v.check, "severity": v.severity, "state": v.state, "says": v.says, "at": v.at.isoformat()}
            for v in found
        ]
    }


def audit_list(context: Context, *, limit: int = 50) -> Json:
    """The newest audit entries, oldest of them first."""
    _, store = context.known()
    entries = store.read(Audit, order="sequence", descending=True, limit=limit)
    return {
        "entries": [
            {
                "sequence": e.sequence,
                "at": e.at.isoformat(),
                "actor": e.actor,
                "action": e.action,
                "subject": e.subject,
                "detail": e.detail,
            }
            for e in reversed(entries)
        ]
    }


def audit_verify(context: Context) -> Json:
    """Check the audit trail's hash chain; `first_bad` is the first entry that does not fit, or null."""
    _, store = context.known()
    bad = audit.verify(store)
    return {"ok": bad is None, "first_bad": bad}
