"""A message as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EVENTS = {"opened": "", "worsened": "worse: ", "escalated": "nobody took it over: ", "resolved": "over: ", "fired": ""}


def title(message: Mapping[str, Any]) -> str:
    """One line.

    >>> title({"event": "opened", "priority": "P1", "kind": "stale_source", "subject": "source.flights", "project": "flights"})
    '[P1] flights: stale source, source.flights'
    """
    event = _EVENTS.get(str(message.get("event")), "")
    kind = str(message.get("kind", "")).replace("_", " ")
    return f"[{message.get('priority', '')}] {message.get('project', '')}: {event}{kind}, {message.get('subject', '')}"


def text(message: Mapping[str, Any]) -> str:
    """What is the matter, and what to do about the message."""
    lines = [str(message.get("says", ""))]
    if message.get("event") not in ("resolved", "fired"):
        lines.append(f"To take it over: yard alert ack {message.get('id')}")
    return "\n\n".join(lines)
