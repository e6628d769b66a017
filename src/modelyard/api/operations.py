"""Operations on a project: declare, plan, apply, look. Each takes a context and returns JSON values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelyard import monitor, release
from modelyard.api.context import Context, parse_time
from modelyard.engines.local import LocalEngine
from modelyard.errors import InputError, NotFound, SpecError
from modelyard.loop import apply as applying
from modelyard.loop.ground import latest_declaration, survey
from modelyard.loop.reproduce import reproduce
from modelyard.loop.tick import look
from modelyard.records import Alias, Audit, Deployment, Observation, Release, Verdict
from modelyard.spec import Project
from modelyard.store import Store, audit, open_store
from modelyard.store.scopes import only_project

Json = dict[str, Any]


def validate(context: Context) -> Json:
    """Read the declaration and name every mistake in it."""
    spec = context.project().spec
    kinds = ("sources", "datasets", "features", "models", "deployments", "monitors", "triggers")
    return {"project": spec.project, "errors": [], **{kind: sorted(getattr(spec, kind)) for kind in kinds}}


def plan(context: Context, *, as_of: str | None = None) -> Json:
    """Say what apply would do, and why. Creates nothing."""
    project = context.project()
    moment = parse_time(as_of)
    made, _ = survey(project, _existing(context, project), as_of=moment or context.clock.now())
    return {**made.as_json(), "as_of": moment.isoformat() if moment else None}


def _existing(context: Context, project: Project) -> Store | None:
    try:
        return context.store(project)
    except NotFound:
        return None


def apply(context: Context, *, as_of: str | None = None, frozen: Json | None = None) -> Json:
    """Make the declaration so. `frozen` is a plan made earlier; it carries its own as-of time."""
    project = context.project()
    moment = parse_time(as_of or (frozen or {}).get("as_of"))
    store = context.store(project, create=True)
    applied = applying.apply(context.yard(project, store), as_of=moment, frozen=frozen)
    return applied.as_json()


def status(context: Context) -> Json:
    """Say what serves, what is pending and what is wrong. Creates nothing."""
    project = context.project()
    store = _existing(context, project)
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
    return {
        "project": spec.project,
        "as_of": context.clock.now().isoformat(),
        "deployments": [_deployment(store, name, names) for name in spec.deployments],
        "pending": list(release.pending(store, set(spec.deployments), set(spec.models))),
        "alerts": _alerts(store, list(spec.monitors)),
    }


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


def _alerts(store: Store, monitors: list[str]) -> list[Json]:
    """The newest observation of each monitor and kind that is not ok."""
    latest: dict[tuple[str, str], Observation] = {}
    for name in monitors:
        for seen in store.read(Observation, monitor=name, order="end"):
            latest[name, seen.kind] = seen
    return [
        {
            "monitor": seen.monitor,
            "kind": seen.kind,
            "level": seen.level,
            "says": seen.says,
            "end": seen.end.isoformat(),
        }
        for seen in latest.values()
        if seen.level in ("warn", "page")
    ]


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
    _, store = context.known()
    found = release.find(store, ref)
    return {
        "name": f"{found.model}@{found.number}",
        "digest": found.digest,
        "state": found.state,
        "created": found.created.isoformat(),
        "as_of": found.as_of.isoformat(),
        "author": found.author,
        "history": release.history(store, found),
        "body": found.body,
    }


def release_approve(context: Context, ref: str, *, role: str | None = None, reason: str = "") -> Json:
    """Approve a release's digest."""
    return _decide(context, ref, "approve", role, reason)


def release_reject(context: Context, ref: str, *, role: str | None = None, reason: str = "") -> Json:
    """Reject a release's digest."""
    return _decide(context, ref, "reject", role, reason)


def _decide(context: Context, ref: str, decision: str, role: str | None, reason: str) -> Json:
    project, store = context.known()
    found = release.find(store, ref)
    model = project.spec.models.get(found.model)
    rule = model.approval if model else None
    role = role or (rule.roles[0] if rule and rule.roles else "model_owner")
    if decision == "approve":
        decided = release.approve(store, ref, actor=context.actor, role=role, reason=reason, rule=rule)
    else:
        decided = release.reject(store, ref, actor=context.actor, role=role, reason=reason, rule=rule)
    with store.lease(applying.LEASE, wait=applying.PATIENCE) as held:
        applying.roll_out(context.yard(project, store), held)
    return {"name": f"{decided.model}@{decided.number}", "digest": decided.digest, "state": decided.state}


def release_rollback(context: Context, ref: str, *, reason: str = "") -> Json:
    """Put the last champion back: `ref` is a deployment, or a model, whose every deployment is rolled back."""
    project, store = context.known()
    names = [name for name, item in project.spec.deployments.items() if ref in (name, item.model) or name == ref]
    if not names:
        raise NotFound(
            f"no deployment or model is called {ref!r}", hint=f"There are: {', '.join(project.spec.deployments)}."
        )
    why = reason or f"rolled back by {context.actor}"
    done = [release.rollback(store, name, actor=context.actor, why=why) for name in names]
    return {"rolled_back": [decision.says for decision in done]}


def release_diff(context: Context, a: str, b: str) -> Json:
    """What differs between two releases."""
    _, store = context.known()
    return release.diff(release.find(store, a), release.find(store, b))


def release_reproduce(context: Context, ref: str) -> Json:
    """Build a release again from the store alone, and compare."""
    store = _home_alone(context)
    return reproduce(store, ref, engine=LocalEngine(), progress=context.progress)


def release_checkout(context: Context, ref: str, folder: str) -> Json:
    """Write a release's project, code and lock into a new folder."""
    store = _home_alone(context)
    path = release.checkout(store, ref, Path(folder))
    return {"folder": str(path)}


def _home_alone(context: Context) -> Store:
    """The memory, also where the checkout is gone: the project's name is then read from the home itself."""
    try:
        return context.known()[1]
    except SpecError:
        name = only_project(context.home, env=context.env)
        return open_store(context.home, project=name, env=context.env, clock=context.clock, create=False)


def monitor_run(context: Context) -> Json:
    """Let every monitor look now, whether due or not, and say what it saw."""
    project, store = context.known()
    with store.lease(applying.LEASE, wait=applying.PATIENCE) as held:
        look(context.yard(project, store), held)
    return monitor_show(context)


def monitor_show(context: Context, name: str | None = None) -> Json:
    """What monitors saw, newest first."""
    project, store = context.known()
    names = [name] if name else list(project.spec.monitors)
    if name and name not in project.spec.monitors:
        raise NotFound(f"no monitor is called {name!r}", hint=f"There are: {', '.join(project.spec.monitors)}.")
    return {"monitors": [monitor.show(store, each) for each in names]}


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


def load_frozen(path: Path) -> Json:
    """Read a plan written by `yard plan --out`."""
    try:
        frozen = json.loads(path.read_text())
        frozen["digest"], frozen["changes"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} is not a plan", hint="Write one with `yard plan --out FILE`.") from None
    return frozen
