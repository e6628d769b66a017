"""Let triggers look, and record what they ask for: once per trigger and cooldown, however often they are asked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from modelyard.errors import Conflict
from modelyard.records import Audit, Deployment, Observation, Release, Request, Version
from modelyard.spec.types import Spec, Trigger, When
from modelyard.store import Held, Store, Transaction
from modelyard.triggers.decide import Decision, decide

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SERVING = ("rollout.promoted", "rollout.replaced", "rollout.rolled_back")


def run(store: Store, spec: Spec, *, now: datetime, actor: str, fence: Held | None = None) -> list[Request]:
    """Let every declared trigger decide at `now`; returns the requests that were recorded."""
    made = []
    for name, trigger in spec.triggers.items():
        decision = look(store, spec, name, now=now)
        if decision.fire:
            made += _ask(store, name, trigger, decision, now, actor, fence)
    return made


def look(store: Store, spec: Spec, name: str, *, now: datetime) -> Decision:
    """What a trigger decides at `now`, and why. Changes nothing."""
    trigger = spec.triggers[name]
    requests = _retrainings(store, trigger.model)
    return decide(
        name,
        trigger,
        now=now,
        observations=_observations(store, spec, trigger.when, now),
        last_trained=_last_trained(store, trigger.model),
        requests=requests,
        trying=_trying(store, trigger.model),
    )


def _trying(store: Store, model: str) -> str | None:
    """The candidate for a model's place that takes its steps now; one in probation serves, one that paused waits for a
    person."""
    for deployment in store.read(Deployment, model=model):
        if deployment.rollout.get("phase") == "steps":
            candidate = store.one(Release, digest=deployment.rollout["release"])
            return f"{candidate.model}@{candidate.number}" if candidate else deployment.rollout["release"][:12]
    return None


def _retrainings(store: Store | Transaction, model: str) -> list[Request]:
    """All requests to retrain a model, oldest first."""
    return [each for each in store.read(Request, subject=model, order="at") if each.kind == "retrain"]


def _last_trained(store: Store, model: str) -> datetime | None:
    """As of when the newest version of the model was built, released or not."""
    newest = store.read(Version, entity=f"model.{model}", order="as_of", descending=True, limit=1)
    released = store.read(Release, model=model, order="as_of", descending=True, limit=1)
    times = [version.as_of for version in newest] + [release.as_of for release in released]
    return max(times, default=None)


def _observations(store: Store, spec: Spec, when: When, now: datetime) -> list[Observation]:
    """What the monitors named in a condition saw of the release that serves now.

    A window counts when it ends after that release began to serve, and unless it says that it is about another one.
    """
    found = []
    for name in sorted(set(_monitors(when))):
        deployment = spec.monitors[name].deployment if name in spec.monitors else ""
        champion, since = _serving(store, deployment)
        for seen in store.read(Observation, monitor=name, order="end", end__gt=since, end__le=now):
            if seen.detail.get("release", champion) == champion:
                found.append(seen)
    return found


def _monitors(when: When) -> Iterable[str]:
    for part in (*(when.any or ()), *(when.all or ())):
        yield from _monitors(part)
    yield from (each for each in (when.drift, when.quality) if each is not None)


def _serving(store: Store, deployment: str) -> tuple[str | None, datetime]:
    """The digest of the release that serves a deployment, and since when."""
    record = store.one(Deployment, name=deployment)
    arms = record.routes.get("arms", ()) if record is not None else ()
    champion = next((arm["release"] for arm in arms if arm["arm"] == "champion"), None)
    subject = f"deployment.{deployment}"
    moves = store.read(Audit, action=_SERVING, subject=subject, order="sequence", descending=True)
    for move in moves:
        if move.detail.get("swapped"):
            return champion, move.at
    return champion, _EPOCH


def _ask(
    store: Store, name: str, trigger: Trigger, decision: Decision, now: datetime, actor: str, fence: Held | None
) -> list[Request]:
    """Record the request; none when a request of the same trigger and time is there already."""
    request = Request(
        key=f"{name}:{_bucket(now, trigger.cooldown)}",
        kind="retrain",
        subject=trigger.model,
        trigger=name,
        why=decision.why,
        at=now,
    )
    detail = {"why": decision.why, "trigger": name, "conditions": [reason.says for reason in decision.reasons]}
    try:
        with store.transaction(
            actor=actor, action="request.retrain", subject=f"model.{trigger.model}", detail=detail, fence=fence
        ) as tx:
            if any(each.state == "open" for each in _retrainings(tx, trigger.model)):
                raise Conflict("a request is open already", where=trigger.model)
            return [tx.add(request)]
    except Conflict:
        return []


def _bucket(now: datetime, cooldown: timedelta) -> int:
    """The number of the stretch of time that `now` lies in; stretches are as long as the cooldown.

    Two requests a cooldown apart never share one.
    """
    return int((now - _EPOCH) / max(cooldown, timedelta(seconds=1)))
