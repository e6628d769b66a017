"""Alerts and the messages about them, recorded together; sending is somebody else's, who settles each message afterwards.

Nothing is lost: what observations and the audit trail say is read from where the last look ended, and the alert, its
messages and that place move in one transaction. A message that was sent, and whose sender died before saying so, is sent
again under the same key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from modelyard.digest import digest
from modelyard.errors import InputError, NotFound, Refused
from modelyard.records import Alert, Audit, Mark, Message, Observation, Release
from modelyard.spec.alerts import Channel
from modelyard.spec.types import Spec
from modelyard.store import Held, Store, Transaction
from modelyard.triggers import causes
from modelyard.triggers.causes import Seen, Stand
from modelyard.triggers.quiet import not_before

MARK = "alerts"
STANDING = ("open", "acknowledged")
FIRST_PAUSE, LONGEST_PAUSE, GIVEN_UP = timedelta(seconds=30), timedelta(hours=1), timedelta(days=3)
"""After a failure a message waits this long, twice as long each time, at most so long; after three days it has failed."""


@dataclass(frozen=True)
class _News:
    """What was recorded since the last look, and up to where."""

    place: dict[str, Any]
    entries: list[Audit]
    looks: list[Observation]


def _news(store: Store, spec: Spec, now: datetime) -> _News | None:
    """What must be looked at; None when there is nothing that alerts or messages could follow from."""
    mark = store.one(Mark, name=MARK)
    place = mark.value if mark is not None else {"sequence": 0, "observation": 0}
    entries = store.read(Audit, action=causes.ACTIONS, sequence__gt=place["sequence"], order="sequence")
    looks = store.read(Observation, id__gt=place["observation"], order="id")
    standing = store.read(Alert, state=STANDING)
    lost = [
        each for each in standing if causes.forgotten(causes.stand(each), causes.watchers(spec)).state == "resolved"
    ]
    if not entries and not looks and not lost and not _escalations(store, spec, standing, now):
        return None
    return _News(place, entries, looks)


def pending(store: Store, spec: Spec, now: datetime) -> bool:
    """Whether there is anything to notice or to send now."""
    return bool(due(store, spec, now)) or _news(store, spec, now) is not None


def notice(store: Store, spec: Spec, *, now: datetime, actor: str, fence: Held | None = None) -> int:
    """Turn what was seen and what happened since the last look into alerts and messages. Returns how many messages."""
    news = _news(store, spec, now)
    if news is None:
        return 0
    place, entries, looks = news.place, news.entries, news.looks
    waiting = [each.digest for each in store.read(Release, state="pending_approval")] if entries else []
    seen = [*causes.observed(looks), *causes.happened(entries, waiting)]
    with store.transaction(actor=actor, action="alert.noticed", subject=store.project, detail={}, fence=fence) as tx:
        messages = _change(tx, spec, seen, now) + _escalate(tx, spec, now)
        place = {
            "sequence": entries[-1].sequence if entries else place["sequence"],
            "observation": looks[-1].id if looks else place["observation"],
        }
        if not tx.change(Mark, {"name": MARK}, value=place, at=now):
            tx.add(Mark(name=MARK, value=place, at=now))
        tx.detail["messages"] = messages
    return messages


def _change(tx: Transaction, spec: Spec, seen: Sequence[Seen], now: datetime) -> int:
    """Let causes rise, worsen and end; only what has come of all that was seen is told."""
    before = {each.cause: each for each in tx.read(Alert, state=STANDING)}
    stands: dict[str, Stand] = {
        cause: causes.forgotten(causes.stand(each), causes.watchers(spec)) for cause, each in before.items()
    }
    last: dict[str, Seen] = {}
    for each in seen:
        stands[each.cause] = causes.after(stands.get(each.cause, causes.NOTHING), each)
        if each.level != "ok" or each.cause not in last:
            last[each.cause] = each
    messages, changes = 0, []
    for cause, stand in stands.items():
        alert = before.get(cause)
        if alert is None and stand.state in ("none", "resolved"):
            continue  # it came and went between two looks
        if alert is None:
            alert = _open(tx, spec, last[cause], stand, now)
            messages += _tell(tx, spec, alert, "opened", now)
            changes.append(f"{cause} opened")
        elif stand != causes.stand(alert):
            changed = _moved(tx, alert, stand, now)
            if stand.state == "resolved":
                messages += _tell_over(tx, spec, changed, now)
                changes.append(f"{cause} resolved")
            elif stand.level != alert.level:
                messages += _tell(tx, spec, changed, "worsened", now)
                changes.append(f"{cause} worsened")
    tx.detail["why"] = "; ".join(changes) or "nothing that people must know"
    return messages


def _open(tx: Transaction, spec: Spec, seen: Seen, stand: Stand, now: datetime) -> Alert:
    return tx.add(
        Alert(
            key=f"{seen.cause}:{len(tx.read(Alert, cause=seen.cause)) + 1}",
            cause=seen.cause,
            kind=seen.kind,
            subject=seen.subject,
            model=seen.model,
            level=stand.level,
            priority=spec.agreement(seen.model).priority,
            says=stand.says,
            watched=stand.watched or {},
            at=seen.at,
            changed=now,
        )
    )


def _moved(tx: Transaction, alert: Alert, stand: Stand, now: datetime) -> Alert:
    values: dict[str, Any] = {
        "state": stand.state,
        "level": stand.level,
        "says": stand.says,
        "watched": stand.watched or {},
        "changed": now,
    }
    tx.change(Alert, {"key": alert.key}, **values)
    return replace(alert, **values)


# ---- who is told -----------------------------------------------------------------------------------------------------


def wants(channel: Channel, alert: Alert) -> bool:
    """Whether a channel asks for an alert: its priority, its kind and its level must all hold."""
    return (
        alert.priority in channel.priority
        and (channel.kinds is None or alert.kind in channel.kinds)
        and (channel.level == "warn" or alert.level == "page")
    )


def rise(tx: Transaction, spec: Spec, seen: Seen, now: datetime) -> None:
    """Let a cause rise within the transaction of what it follows from; one that stands already is not told again."""
    if not tx.read(Alert, cause=seen.cause, state=STANDING):
        _tell(tx, spec, _open(tx, spec, seen, causes.after(causes.NOTHING, seen), now), "opened", now)


def end(store: Store, spec: Spec, seen: Seen, *, actor: str, fence: Held | None = None) -> None:
    """Let a cause that rose end, and tell who was told."""
    if not store.read(Alert, cause=seen.cause, state=STANDING):
        return
    with store.transaction(
        actor=actor, action="alert.ended", subject=seen.subject, detail={"why": seen.says}, fence=fence
    ) as tx:
        for alert in tx.read(Alert, cause=seen.cause, state=STANDING):
            _tell_over(tx, spec, _moved(tx, alert, causes.after(causes.stand(alert), seen), seen.at), seen.at)


def post(tx: Transaction, channel: str, key: str, body: dict[str, Any], now: datetime) -> None:
    """Put what a trigger posts into the outbox, within the transaction of its request."""
    tx.add(
        Message(key=digest({"request": key, **body})[:32], channel=channel, event="fired", body=body, at=now, due=now)
    )


def _tell(tx: Transaction, spec: Spec, alert: Alert, event: Literal["opened", "worsened"], now: datetime) -> int:
    """Tell who asks for it, and who was told of it before, as those are to whom it was escalated."""
    told = {each.channel for each in tx.read(Message, alert=alert.key)}
    names = [name for name, channel in spec.alerts.items() if name in told or wants(channel, alert)]
    for name in names:
        _write(tx, spec, alert, name, event if name in told else "opened", now)
    return len(names)


def _tell_over(tx: Transaction, spec: Spec, alert: Alert, now: datetime) -> int:
    """Tell who was told that it is over; what still waits for the end of quiet hours is not told at all."""
    count = 0
    messages = tx.read(Message, alert=alert.key)
    for name in dict.fromkeys(each.channel for each in messages):
        mine = [each for each in messages if each.channel == name]
        held = [each for each in mine if each.state == "waiting" and each.attempts == 0 and each.due > now]
        for each in held:
            why = "it was over before it was due"
            tx.change(Message, {"key": each.key}, state="dropped", outcome=why, done_at=now)
        if len(held) < len(mine) and name in spec.alerts and spec.alerts[name].resolved:
            _write(tx, spec, alert, name, "resolved", now)
            count += 1
    return count


def _escalations(
    store: Store | Transaction, spec: Spec, alerts: Sequence[Alert], now: datetime
) -> list[tuple[Alert, str]]:
    """Open alerts, and the channels that must be told next of them.

    It counts from when a channel was told, or was to be told first: one that cannot be reached is no reason to wait. Who
    took an alert over answered for what it was then; when it has become worse, it counts from when that was told.
    """
    if not any(channel.escalate for channel in spec.alerts.values()):
        return []
    wanted = []
    for alert in alerts:
        if alert.state != "open":
            continue
        messages = store.read(Message, alert=alert.key)
        escalated = {each.channel for each in messages if each.event == "escalated"}
        for each in messages:
            channel = spec.alerts.get(each.channel)
            if channel is None or channel.escalate is None or each.event == "resolved" or each.state == "dropped":
                continue
            if alert.by and each.body["level"] != alert.level:
                continue
            first = not_before(channel.quiet, alert.priority, each.at)
            since = each.done_at if each.state == "sent" and each.done_at else first
            if now >= since + channel.escalate.after and channel.escalate.to not in escalated:
                escalated.add(channel.escalate.to)
                wanted.append((alert, channel.escalate.to))
    return wanted


def _escalate(tx: Transaction, spec: Spec, now: datetime) -> int:
    wanted = _escalations(tx, spec, tx.read(Alert, state="open"), now)
    for alert, channel in wanted:
        _write(tx, spec, alert, channel, "escalated", now)
    return len(wanted)


def _write(
    tx: Transaction,
    spec: Spec,
    alert: Alert,
    channel: str,
    event: Literal["opened", "worsened", "escalated", "resolved"],
    now: datetime,
) -> None:
    """Put a message into the outbox; one that is there already is not written again."""
    key = digest({"alert": [alert.project, alert.env, alert.key], "channel": channel, "event": event})[:32]
    if tx.one(Message, key=key) is not None:
        return
    due = not_before(spec.alerts[channel].quiet, alert.priority, now)
    body = {"event": event, **told(alert)}
    tx.add(Message(key=key, alert=alert.key, channel=channel, event=event, body=body, at=now, due=due))


def told(alert: Alert) -> dict[str, Any]:
    """An alert as people and programs are told it."""
    return {
        "id": alert.id,
        "kind": alert.kind,
        "subject": alert.subject,
        "model": alert.model,
        "level": alert.level,
        "priority": alert.priority,
        "state": alert.state,
        "says": alert.says,
        "at": alert.at.isoformat(),
        "project": alert.project,
        "env": alert.env,
    }


# ---- by hand ---------------------------------------------------------------------------------------------------------


def acknowledge(store: Store, number: int, *, actor: str, note: str = "") -> Alert:
    """Take an alert over: it stays, and is not escalated. Again by the same person changes nothing."""
    now = store.clock.now()
    with store.transaction(
        actor=actor, action="alert.acknowledged", subject=f"alert.{number}", detail={"why": note}
    ) as tx:
        alert = _standing(tx, number)
        tx.detail["cause"] = alert.cause
        tx.change(Alert, {"id": number}, state="acknowledged", by=actor, note=note, changed=now)
        return replace(alert, state="acknowledged", by=actor, note=note, changed=now)


def resolve(store: Store, spec: Spec, number: int, *, actor: str, note: str = "") -> Alert:
    """Say that an alert is over, and tell who was told. If its cause is seen again, a new alert rises."""
    now = store.clock.now()
    with store.transaction(actor=actor, action="alert.resolved", subject=f"alert.{number}", detail={"why": note}) as tx:
        alert = _standing(tx, number)
        tx.detail["cause"] = alert.cause
        values: dict[str, Any] = {"state": "resolved", "by": actor, "note": note, "changed": now}
        tx.change(Alert, {"id": number}, **values)
        over = replace(alert, **values)
        why = f": {note}" if note else ""
        _tell_over(tx, spec, replace(over, says=f"{actor} said that it is over{why}. It was: {alert.says}"), now)
        return over


def _standing(tx: Transaction, number: int) -> Alert:
    if not 0 < number < 2**63:
        raise InputError(f"{number} is no alert's number", hint="See `yard alert list`.")
    alert = tx.one(Alert, id=number)
    if alert is None:
        raise NotFound(f"there is no alert {number}", hint="See `yard alert list`.")
    if alert.state == "resolved":
        raise Refused(f"alert {number} is over since {alert.changed:%Y-%m-%d %H:%M}", hint="There is nothing to do.")
    return alert


# ---- sending ---------------------------------------------------------------------------------------------------------


def due(store: Store, spec: Spec, now: datetime) -> list[Message]:
    """What is to be sent now, in order; nothing overtakes an earlier message about the same alert to the same channel, and
    nothing is tried again in quiet hours either."""
    found, held = [], set()
    for each in store.read(Message, state="waiting", order="id"):
        about = (each.channel, each.alert or each.key)
        if about in held:
            continue
        held.add(about)
        channel = spec.alerts.get(each.channel)
        quiet = channel.quiet if channel is not None else None
        if max(each.due, not_before(quiet, each.body.get("priority", ""), now)) <= now:
            found.append(each)
    return found


def settle(
    store: Store,
    message: Message,
    outcome: str,
    *,
    now: datetime,
    actor: str,
    state: Literal["sent", "dropped"] = "sent",
    fence: Held | None = None,
) -> None:
    """Record that a message was sent, or will not be."""
    _record(store, message, f"message.{state}", outcome, now, actor, fence, state=state, done_at=now)


def failed(store: Store, message: Message, why: str, *, now: datetime, actor: str, fence: Held | None = None) -> None:
    """Record that a message could not be sent; it is tried again later, until three days are over."""
    if now - message.at >= GIVEN_UP:
        said = f"given up after {message.attempts + 1} attempts: {why}"
        _record(store, message, "message.failed", said, now, actor, fence, state="failed", done_at=now)
        return
    pause = min(FIRST_PAUSE * 2 ** min(message.attempts, 20), LONGEST_PAUSE)
    _record(store, message, "message.delayed", why, now, actor, fence, due=now + pause)


def _record(
    store: Store, message: Message, action: str, said: str, now: datetime, actor: str, fence: Held | None, **values: Any
) -> None:
    detail = {
        "why": said,
        "key": message.key,
        "event": message.event,
        "about": message.body.get("says", ""),
        "kind": message.body.get("kind", ""),
    }
    with store.transaction(
        actor=actor, action=action, subject=f"alert.{message.channel}", detail=detail, fence=fence
    ) as tx:
        where = {"key": message.key, "state": "waiting"}
        tx.change(Message, where, attempts=message.attempts + 1, outcome=said, **values)
