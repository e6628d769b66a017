"""Operations that act: apply, approve, reject, roll back, reproduce, observe now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelyard import release
from modelyard.api.context import Context, parse_time
from modelyard.api.looking import monitor_show
from modelyard.engines.local import LocalEngine
from modelyard.errors import DataError, NotFound, Refused, SpecError
from modelyard.loop import apply as applying
from modelyard.loop.reproduce import reproduce
from modelyard.loop.tick import look
from modelyard.spec import load, sources
from modelyard.store import Store, open_store
from modelyard.store.scopes import only_project

Json = dict[str, Any]


def apply(context: Context, *, as_of: str | None = None, frozen: Json | None = None) -> Json:
    """Make the declaration so. `frozen` is a plan made earlier; it carries its own as-of time."""
    project = context.project()
    moment = parse_time(as_of or (frozen or {}).get("as_of"))
    store = context.store(project, create=True)
    applied = applying.apply(context.yard(project, store), as_of=moment, frozen=frozen)
    return applied.as_json()


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
    with store.lease(applying.LEASE, wait=applying.PATIENCE, tell=context.progress) as held:
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


def release_promote(context: Context, ref: str, *, deployment: str | None = None, reason: str = "") -> Json:
    """Promote a release that is being tried, in `deployment` or in each that tries it, whatever its guards know."""
    project, store = context.known()
    found = release.find(store, ref)
    names = [name for name, item in project.spec.deployments.items() if item.model == found.model]
    if deployment is not None and deployment not in names:
        raise NotFound(
            f"no deployment of {found.model} is called {deployment!r}", hint=f"There are: {', '.join(names)}."
        )
    trying = [name for name in names if deployment in (None, name) and release.tries(store, name, found)]
    if not trying:
        called = f"{found.model}@{found.number}"
        raise Refused(f"{called} is not being tried anywhere.", hint="`yard status` shows what is.")
    why = f"promoted by {context.actor}" + (f": {reason}" if reason else "")
    specs = project.spec.deployments
    done = [
        release.promote(store, name, specs[name], actor=context.actor, why=why, release=found.digest) for name in trying
    ]
    return {"promoted": [decision.says for decision in done]}


def release_reproduce(context: Context, ref: str) -> Json:
    """Build a release again from the store alone, and compare."""
    store = _home_alone(context)
    return reproduce(store, ref, engine=LocalEngine(), progress=context.progress)


def release_checkout(context: Context, ref: str, folder: str) -> Json:
    """Write a release's project, code and lock into a new folder; `missing` says which sources are not found from there."""
    store = _home_alone(context)
    path = release.checkout(store, ref, Path(folder))
    return {"folder": str(path), "missing": _missing(path)}


def _missing(folder: Path) -> list[str]:
    try:
        found = load(folder).spec.sources
    except SpecError as error:
        return [str(problem) for problem in error.problems]
    missing = []
    for name, source in found.items():
        try:
            sources.stat(folder, source)
        except DataError as error:
            missing.append(f"source {name}: {error.message}")
    return missing


def _home_alone(context: Context) -> Store:
    """The memory, also where the checkout is gone: the project's name is then read from the home itself."""
    try:
        return context.known()[1]
    except SpecError:
        name = only_project(context.home, env=context.env)
        return open_store(context.home, project=name, env=context.env, clock=context.clock, create=False)


def monitor_run(context: Context) -> Json:
    """Let every monitor look now, whether due or not, and say what it saw."""
    project, store = context.known(variables=True)
    with store.lease(applying.LEASE, wait=applying.PATIENCE, tell=context.progress) as held:
        look(context.yard(project, store), held)
    return monitor_show(context)
