"""Let triggers look, and record what they ask for: once per trigger and cooldown, however often they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from modelyard.errors import Conflict
from modelyard.records import Audit, Deployment, KpiValue, Observation, Release, Request, Version
from modelyard.spec.kinds import FORECAST
from modelyard.spec.triggers import Act, Trigger, When
from modelyard.spec.types import Spec
from modelyard.stats import periods
from modelyard.store import Held, Store, Transaction
from modelyard.triggers import outbox
from modelyard.triggers.causes import Seen
from modelyard.triggers.decide import PERSISTENT, Decision, apart, decide, watched

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SERVING = ("rollout.promoted", "rollout.replaced", "rollout.rolled_back")
Rows = Callable[[str, datetime], int | None]
"""How many rows a dataset had at a time; None when that is not known."""


def run(
    store: Store, spec: Spec, *, now: datetime, actor: str, fence: Held | None = None, rows: Rows | None = None
) -> list[Request]:
    """Let every declared trigger decide at `now`; returns the requests that were recorded."""
    made = []
    for name, trigger in spec.triggers.items():
        decision = look(store, spec, name, now=now, rows=rows)
        if decision.fire:
            made += _ask(store, spec, name, trigger, decision, now, actor, fence)
        elif decision.holds is False and "alert" in trigger.do:
            outbox.end(store, spec, _told(name, trigger, decision.why, now, "ok"), actor=actor, fence=fence)
    return made


def look(store: Store, spec: Spec, name: str, *, now: datetime, rows: Rows | None = None) -> Decision:
    """What a trigger decides at `now`, and why. Changes nothing."""
    trigger = spec.triggers[name]
    last = _last_trained(store, trigger.model)
    return decide(
        name,
        trigger,
        now=now,
        observations=_observations(store, spec, trigger, now),
        last_trained=last,
        requests=store.read(Request, subject=trigger.model, order="at"),
        trying=_trying(store, trigger.model),
        arrived=_arrived(store, trigger.when, last, now, rows),
        kpis=_kpis(store, spec, trigger.when),
    )


ONE_AT_A_TIME = ("canary", "ab_test")
"""Strategies that decide about one candidate before the next one comes."""


def _trying(store: Store, model: str) -> str | None:
    """The candidate for a model's place that takes its steps now; one in probation serves, one that paused waits for a
    person. Where several are tried at once, or one waits in shadow for a person, the next one is welcome."""
    for deployment in store.read(Deployment, model=model):
        rollout = deployment.rollout
        if rollout.get("phase") == "steps" and rollout.get("kind", "canary") in ONE_AT_A_TIME:
            candidate = store.one(Release, digest=deployment.rollout["release"])
            return f"{candidate.model}@{candidate.number}" if candidate else deployment.rollout["release"][:12]
    return None


def _last_trained(store: Store, model: str) -> datetime | None:
    """As of when the newest version of the model was built, released or not."""
    newest = store.read(Version, entity=f"model.{model}", order="as_of", descending=True, limit=1)
    released = store.read(Release, model=model, order="as_of", descending=True, limit=1)
    times = [version.as_of for version in newest] + [release.as_of for release in released]
    return max(times, default=None)


def _arrived(
    store: Store, when: When, last: datetime | None, now: datetime, rows: Rows | None
) -> Mapping[str, int | None]:
    """By how many rows each dataset that a condition names has grown since the last training."""
    count = rows or (lambda dataset, at: _rows(store, dataset, at))
    names = {part.data.dataset for part in _parts(when) if part.data is not None}
    grown: dict[str, int | None] = {}
    for name in names:
        before, present = count(name, last) if last else None, count(name, now)
        grown[name] = None if before is None or present is None else max(present - before, 0)
    return grown


def _kpis(store: Store, spec: Spec, when: When) -> Mapping[str, list[tuple[datetime, float]]]:
    """The values of the figures that a condition names, by period: a correction takes the place of what it corrects."""
    found = {}
    for name in {part.kpi.name for part in _parts(when) if part.kpi is not None}:
        kpi = spec.kpis[name]
        last = {each.time: each.value for each in store.read(KpiValue, kpi=name, arm="", order=("time", "sequence"))}
        gathered = periods.gathered(sorted(last.items()), kpi.every, kpi.gather)
        found[name] = [(periods.begin(period, kpi.every), value) for period, value in gathered.items()]
    return found


def _rows(store: Store, dataset: str, at: datetime) -> int | None:
    """The rows of the newest version of a dataset as of a time."""
    found = store.read(Version, entity=f"dataset.{dataset}", as_of__le=at, order="number", descending=True, limit=1)
    return int(found[0].body["rows"]) if found and "rows" in found[0].body else None


def _observations(store: Store, spec: Spec, trigger: Trigger, now: datetime) -> list[Observation]:
    """What the monitors named in a condition saw of the release that serves now: the newest windows that it asks for.

    A window counts when it ends after that release began to serve, and unless it says that it is about another one.
    """
    found = []
    for name, kinds in sorted(_asked(spec, trigger).items()):
        monitor = spec.monitors.get(name)
        champion, since = _serving(store, monitor.deployment if monitor else "")
        overlapping = max(round(monitor.window / monitor.every), 1) if monitor else 1
        for kind, most in kinds.items():
            found += _newest(store, name, kind, most, overlapping, champion, since, now)
    return found


def _newest(
    store: Store,
    monitor: str,
    kind: str,
    most: int,
    overlapping: int,
    champion: str | None,
    since: datetime,
    now: datetime,
) -> list[Observation]:
    """Looks that hold the newest `most` windows apart, as far as there are so many; about `overlapping` looks share rows."""
    limit = (most - 1) * overlapping + 1
    while True:
        seen = store.read(
            Observation,
            monitor=monitor,
            kind=kind,
            end__gt=since,
            end__le=now,
            order="end",
            descending=True,
            limit=limit,
        )
        mine = [each for each in reversed(seen) if each.detail.get("release", champion) == champion]
        if len(apart(mine, most)) >= most or len(seen) < limit:
            return mine
        limit *= 4


def _parts(when: When) -> Iterable[When]:
    """A condition and all within it."""
    yield when
    for part in (*(when.any or ()), *(when.all or ()), *((when.not_,) if when.not_ else ())):
        yield from _parts(part)


def _asked(spec: Spec, trigger: Trigger) -> dict[str, dict[str, int]]:
    """Per monitor, how many of its newest windows of a kind a condition asks for; a forecast that names no monitor is
    that of all of the model."""
    asked: dict[str, dict[str, int]] = {}
    for part in _parts(trigger.when):
        for kind, monitor in watched(part):
            kinds = asked.setdefault(monitor, {})
            kinds[kind] = max(kinds.get(kind, 0), (part.windows or PERSISTENT).of)
        if part.decay is not None:
            for monitor in [part.decay.monitor] if part.decay.monitor is not None else _of_model(spec, trigger.model):
                asked.setdefault(monitor, {})[FORECAST] = 1
    return asked


def _of_model(spec: Spec, model: str) -> list[str]:
    """The monitors of a model's deployments."""
    return [name for name, each in spec.monitors.items() if spec.deployments[each.deployment].model == model]


def _serving(store: Store, deployment: str) -> tuple[str | None, datetime]:
    """The digest of the release that serves a deployment, and since when."""
    record = store.one(Deployment, name=deployment)
    arms = record.routes.get("arms", ()) if record is not None else ()
    champion = next((arm["release"] for arm in arms if arm["arm"] == "champion"), None)
    subject = f"deployment.{deployment}"
    # By ids, which come in the order of sequences: asked for by those, SQLite would go through the whole trail.
    moves = store.read(Audit, action=_SERVING, subject=subject, descending=True)
    for move in moves:
        if move.detail.get("swapped"):
            return champion, move.at
    return champion, _EPOCH


# ---- what it asks for ------------------------------------------------------------------------------------------------


def kind_of(action: str | Act) -> Literal["retrain", "rollback", "pause", "alert", "run", "webhook"]:
    """What a request for an action is called."""
    if isinstance(action, Act):
        return "run" if action.run is not None else "webhook"
    return action  # type: ignore[return-value]


def _ask(
    store: Store,
    spec: Spec,
    name: str,
    trigger: Trigger,
    decision: Decision,
    now: datetime,
    actor: str,
    fence: Held | None,
) -> list[Request]:
    """Record one request per action, and what is told, together; nothing when the trigger has asked already."""
    kinds = [kind_of(action) for action in trigger.do]
    first = "retrain" if "retrain" in kinds else kinds[0]
    detail = {
        "why": decision.why,
        "trigger": name,
        "actions": kinds,
        "conditions": [reason.says for reason in decision.reasons],
    }
    try:
        with store.transaction(
            actor=actor, action=f"request.{first}", subject=f"model.{trigger.model}", detail=detail, fence=fence
        ) as tx:
            about = tx.read(Request, subject=trigger.model, state="open")
            if any(each.trigger == name or (first == each.kind == "retrain") for each in about):
                raise Conflict("a request is open already", where=trigger.model)
            return [_record(tx, spec, name, trigger, number, decision, now) for number in range(len(kinds))]
    except Conflict:
        return []


def _record(
    tx: Transaction, spec: Spec, name: str, trigger: Trigger, number: int, decision: Decision, now: datetime
) -> Request:
    """One action as a request. What is only told is done with this: it stands in the outbox."""
    action = trigger.do[number]
    kind = kind_of(action)
    key = f"{name}:{_bucket(now, trigger.cooldown)}" + (f":{number}" if number else "")
    told = kind in ("alert", "webhook")
    request = tx.add(
        Request(
            key=key,
            kind=kind,
            subject=trigger.model,
            trigger=name,
            why=decision.why,
            state="done" if told else "open",
            outcome="written into the outbox" if told else "",
            at=now,
            done_at=now if told else None,
            detail={"place": number, "routes": _routes(tx, spec, trigger)},
        )
    )
    if kind == "alert":
        outbox.rise(tx, spec, _told(name, trigger, decision.why, now, "page"), now)
    elif kind == "webhook":
        body = {**_about(spec, name, trigger), "says": decision.why, "at": now.isoformat()}
        outbox.post(tx, f"trigger.{name}.{number}", key, body, now)
    return request


def _told(name: str, trigger: Trigger, says: str, now: datetime, level: Literal["ok", "page"]) -> Seen:
    return Seen(f"trigger:trigger.{name}", level, says, now, trigger.model)


def _about(spec: Spec, name: str, trigger: Trigger) -> dict[str, Any]:
    about = {"kind": "trigger", "subject": f"trigger.{name}", "model": trigger.model}
    return {"event": "fired", **about, "priority": spec.agreement(trigger.model).priority, "project": spec.project}


def deployments(spec: Spec, trigger: Trigger) -> list[str]:
    """The deployments that a trigger rolls back or pauses."""
    if trigger.deployment is not None:
        return [trigger.deployment]
    return [name for name, item in spec.deployments.items() if item.model == trigger.model]


def routes(record: Deployment | None) -> dict[str, str | None]:
    """What serves and what is being tried: a request to roll back is about this, and about nothing that came later."""
    arms = record.routes.get("arms", ()) if record is not None else ()
    champion = next((arm["release"] for arm in arms if arm["arm"] == "champion"), None)
    return {"champion": champion, "trying": record.rollout.get("release") if record is not None else None}


def _routes(tx: Transaction, spec: Spec, trigger: Trigger) -> dict[str, Any]:
    return {name: routes(tx.one(Deployment, name=name)) for name in deployments(spec, trigger)}


def close(
    store: Store,
    request: Request,
    state: Literal["done", "refused", "failed"],
    outcome: str,
    *,
    now: datetime,
    actor: str,
    fence: Held | None = None,
) -> None:
    """Say what came of a request that is no training."""
    detail = {"why": f"{request.kind}: {outcome}", "request": request.key}
    with store.transaction(
        actor=actor, action=f"reaction.{state}", subject=f"trigger.{request.trigger}", detail=detail, fence=fence
    ) as tx:
        where = {"key": request.key, "state": "open"}
        tx.change(Request, where, state=state, outcome=outcome[:2000], done_at=now)


def _bucket(now: datetime, cooldown: timedelta) -> int:
    """The number of the stretch of time that `now` lies in; stretches are as long as the cooldown.

    Two requests a cooldown apart never share one.
    """
    return int((now - _EPOCH) / max(cooldown, timedelta(seconds=1)))
