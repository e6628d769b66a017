"""Operations on alerts: list, take over, end."""

from __future__ import annotations

from typing import Any

from modelyard import triggers
from modelyard.api.context import Context
from modelyard.errors import InputError
from modelyard.records import Alert, Message
from modelyard.store import Store

Json = dict[str, Any]
STATES = ("open", "acknowledged", "resolved")


def alert_list(context: Context, *, state: str | None = None, limit: int = 50) -> Json:
    """Alerts, newest first, with who was told; `state`: only open, acknowledged or resolved ones."""
    if state is not None and state not in STATES:
        raise InputError(f"{state!r} is no state of an alert", hint=f"There are: {', '.join(STATES)}.")
    _, store = context.known()
    where = {} if state is None else {"state": state}
    found = store.read(Alert, order="id", descending=True, limit=limit, **where)
    return {"alerts": [_told(store, alert) for alert in found]}


def alert_ack(context: Context, number: int, *, note: str = "") -> Json:
    """Take an alert over: it is not escalated any more."""
    _, store = context.known()
    alert = triggers.acknowledge(store, number, actor=context.actor, note=note)
    return _told(store, alert)


def alert_resolve(context: Context, number: int, *, note: str = "") -> Json:
    """Say that an alert is over; who was told of it is told so."""
    project, store = context.known()
    alert = triggers.resolve(store, project.spec, number, actor=context.actor, note=note)
    return _told(store, alert)


def _told(store: Store, alert: Alert) -> Json:
    return {
        **triggers.told(alert),
        "changed": alert.changed.isoformat(),
        "by": alert.by,
        "note": alert.note,
        "messages": [
            {
                "channel": each.channel,
                "event": each.event,
                "state": each.state,
                "due": each.due.isoformat(),
                "attempts": each.attempts,
                "outcome": each.outcome,
            }
            for each in store.read(Message, alert=alert.key)
        ],
    }


def standing(store: Store) -> list[Json]:
    """What is wrong now, for `yard status`; `monitor` and `end` where a monitor saw it."""
    found = store.read(Alert, state=["open", "acknowledged"])
    return [
        {
            **triggers.told(alert),
            "monitor": next(iter(alert.watched), ""),
            "end": alert.at.isoformat(),
            "undelivered": sorted({each.channel for each in store.read(Message, alert=alert.key) if _lost(each)}),
        }
        for alert in found
    ]


def _lost(message: Message) -> bool:
    return message.state == "failed" or (message.state == "waiting" and message.attempts > 0)
