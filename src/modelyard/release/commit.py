"""One change of a deployment in one transaction: routes, states, aliases and the audit entry.

A change is made against the revision that it was decided from (compare and set): of two controllers, or a
controller and a person, one changes the routes and the other finds them changed. So nothing happens twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from modelyard import __version__
from modelyard.errors import Conflict
from modelyard.records import Alias, Deployment, Release
from modelyard.release.changes import Change, trying
from modelyard.release.names import NOBODY, name
from modelyard.release.obeyed import obeyed, policy
from modelyard.release.place import TRIABLE, Place, look
from modelyard.spec.deployments import DeploymentSpec
from modelyard.store import Held, Store, Transaction


def commit(store: Store, place: Place, change: Change, now: datetime, actor: str, fence: Held | None) -> Deployment:
    """Make a change: routes, states, aliases and the audit entry together. Conflict when the routes moved meanwhile."""
    detail = {
        "why": change.why,
        "release": place.called(change.release),
        "digest": change.release,
        "champion": place.called(change.champion),
        "swapped": change.champion != place.situation.champion,
        "strategy": place.strategy.kind,
        "modelyard": __version__,
        **change.detail,
    }
    if change.findings:
        detail["guards"] = [finding.as_json() for finding in change.findings]
    if place.situation.rollout is not None:
        detail["data"] = _data(store, place, now)
    subject = f"deployment.{place.name}"
    with store.transaction(actor=actor, action=change.action, subject=subject, detail=detail, fence=fence) as tx:
        deployment = _write(tx, place, change, now)
        for release, state in change.states.items():
            _move(tx, place, release, state)
        if change.champion != place.situation.champion:
            _point(tx, place, "champion", change.champion, now)
        _point_challenger(tx, place, change, now)
        tx.detail["revision"] = deployment.revision
    return deployment


def _data(store: Store, place: Place, now: datetime) -> dict[str, Any]:
    """Which rows a decision about a rollout was made from: the log's table, its version, and the stretch of time."""
    table = store.table(f"predictions/{place.name}")
    return {
        "table": table.name,
        "version": table.version() if table.exists() else None,
        "from": trying(place).entries[0].isoformat(),
        "to": now.isoformat(),
    }


def _write(tx: Transaction, place: Place, change: Change, now: datetime) -> Deployment:
    """The deployment's next revision."""
    model = place.releases[change.champion].model
    values: dict[str, Any] = {
        "model": model,
        "routes": obeyed(place, change.rollout, change.champion, change.warm),
        "rollout": change.rollout.as_json() if change.rollout else {},
        "at": now,
    }
    if place.spec is not None:
        values["policy"] = policy(place.spec)
    if place.record is None:
        return tx.add(Deployment(name=place.name, revision=1, **values))
    revision = place.record.revision + 1
    if not tx.change(Deployment, {"name": place.name, "revision": place.record.revision}, revision=revision, **values):
        raise Conflict("its routes were changed a moment ago.", where=place.name, hint="Look again, then decide.")
    written = tx.one(Deployment, name=place.name)
    assert written is not None
    return written


def _move(tx: Transaction, place: Place, release: str, state: str) -> None:
    """Set a release's state. What another deployment serves is not retired; what nobody approved does not start."""
    found = place.releases.get(release)
    if found is None:
        return
    if state == "retired" and _serves_elsewhere(tx, place, release):
        return
    where: dict[str, Any] = {"id": found.id}
    if state == "rolling_out" and found.state == "live":
        return
    if state in ("rolling_out", "live") and release == place.situation.candidate:
        where["state"] = list(TRIABLE)
    if not tx.change(Release, where, state=state):
        raise Conflict("it may not be rolled out any more.", where=name(found))


def _serves_elsewhere(tx: Transaction, place: Place, release: str) -> bool:
    others = [each for each in tx.read(Deployment) if each.name != place.name]
    return any(arm["release"] == release for each in others for arm in each.routes.get("arms", ()))


def _point_challenger(tx: Transaction, place: Place, change: Change, now: datetime) -> None:
    """Name what is being tried; when that has ended, nobody, unless another deployment is trying something else."""
    if change.challenger is not None:
        _point(tx, place, "challenger", change.challenger, now)
    elif place.situation.rollout is not None:
        ended = place.releases.get(place.situation.rollout.release)
        present = tx.one(Alias, model=place.releases[change.champion].model, alias="challenger")
        if present is not None and ended is not None and present.number == ended.number:
            _point(tx, place, "challenger", None, now)


def _point(tx: Transaction, place: Place, alias: str, release: str | None, now: datetime) -> None:
    """Let an alias name a release, or nobody."""
    number = place.releases[release].number if release else NOBODY
    model = next(iter(place.releases.values())).model
    present = tx.one(Alias, model=model, alias=alias)
    if present is None:
        if number != NOBODY:
            tx.add(Alias(model=model, alias=alias, number=number, at=now))
    elif present.number != number:
        tx.change(Alias, {"id": present.id}, number=number, at=now)


def configured(
    store: Store, place: Place, spec: DeploymentSpec, now: datetime, actor: str, fence: Held | None
) -> Place:
    """Bring a changed policy (or the routes of a changed canary) to the gateways, before anything else is decided."""
    record, champion = place.record, place.situation.champion
    if record is None or champion is None:
        return place
    wanted = obeyed(place, place.situation.rollout, champion, place.warm)
    if record.policy == policy(spec) and record.routes == wanted:
        return place
    detail = {"why": "the declaration of the deployment changed"}
    subject = f"deployment.{place.name}"
    with store.transaction(actor=actor, action="rollout.configured", subject=subject, detail=detail, fence=fence) as tx:
        changed = tx.change(
            Deployment,
            {"name": place.name, "revision": record.revision},
            revision=record.revision + 1,
            policy=policy(spec),
            routes=wanted,
            at=now,
        )
        if not changed:
            raise Conflict("its routes were changed a moment ago.", where=place.name)
    return look(store, place.name, spec)
