"""Rules for alerts: each channel leads somewhere, is asked for what exists, and escalation ends."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from modelyard.spec import variables as env
from modelyard.spec.alerts import CHANNELS, Channel, Email
from modelyard.spec.document import Path
from modelyard.spec.kinds import ALERTS, TOLD
from modelyard.spec.look import Look
from modelyard.spec.rules.sources import zone
from modelyard.spec.wording import nearest

_WAYS = ("webhook", "slack", "email", "plugin")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "idempotency-key"}
_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def alerts(look: Look) -> None:
    """A channel is one of webhook, slack, email and plugin, and what it asks for can happen."""
    for name, item in look.spec.alerts.items():
        path = ("alerts", name)
        look.exactly_one(path, {way: getattr(item, way) for way in _WAYS}, among=_WAYS)
        for way in ("webhook", "slack"):
            if getattr(item, way) is not None:
                url(look, (*path, way), getattr(item, way), private=item.allow_private)
        if item.email is not None:
            _email(look, (*path, "email"), item.email)
        if item.plugin is not None:
            known = {entry.name for entry in importlib.metadata.entry_points(group=CHANNELS)}
            if item.plugin.name not in known:
                message = f"no installed package brings a channel called `{item.plugin.name}`."
                look.wrong((*path, "plugin", "name"), message, nearest(item.plugin.name, known))
        if item.headers and item.webhook is None:
            look.wrong((*path, "headers"), "`headers` goes with `webhook`.", key=True)
        headers(look, path, item.headers)
        _asked(look, path, item)
        _escalation(look, path, name, item)


def url(look: Look, path: Path, text: str, *, private: bool) -> None:
    """A URL is of the web; one that names a private address is allowed to."""
    if look.unset(path, text) or env.names(text):
        return  # what a variable holds is looked at when it is used: it is no part of the declaration
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        look.wrong(path, "expected a URL that begins with https:// or http://.")
    elif not private and _private(host):
        hint = "Add allow_private: true if it is meant to stay inside."
        look.wrong(path, f"`{host}` is this machine or a private network.", hint)


def _private(host: str) -> bool:
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _email(look: Look, path: Path, item: Email) -> None:
    for index, address in enumerate(item.to):
        if not _ADDRESS.fullmatch(address):
            look.wrong((*path, "to", index) if len(item.to) > 1 else (*path, "to"), f"`{address}` is no mail address.")
    if not item.to:
        look.wrong((*path, "to"), "expected at least one address.")
    if not _ADDRESS.fullmatch(item.from_):
        look.wrong((*path, "from"), f"`{item.from_}` is no mail address.")
    if (item.user is None) != (item.password is None):
        look.wrong(path, "`user` and `password` go together.")
    for key in ("host", "user"):
        look.unset((*path, key), getattr(item, key) or "")
    if item.password is not None:
        secret(look, (*path, "password"), item.password)
        if item.security == "none":
            look.wrong((*path, "security"), "a password is not sent over an open connection.", "Use starttls or tls.")


def secret(look: Look, path: Path, text: str) -> None:
    """A secret is never written into the declaration, which is kept for ever."""
    if not re.fullmatch(r"\$\{\w+\}", text):
        look.wrong(path, "a secret is read from the environment.", 'Write "${NAME}" and set the variable NAME.')
    else:
        look.unset(path, text)


def headers(look: Look, path: Path, declared: Mapping[str, str]) -> None:
    """Headers that may be set, and whose variables are."""
    for name, value in declared.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            look.wrong((*path, "headers", name), f"`{name}` is no header that may be set here.", key=True)
        look.unset((*path, "headers", name), value)


def _asked(look: Look, path: Path, item: Channel) -> None:
    for index, kind in enumerate(item.kinds or ()):
        if kind not in ALERTS:
            place = (*path, "kinds", index) if look.document.find((*path, "kinds", index)) else (*path, "kinds")
            hint = f"Did you mean `{TOLD[kind]}`?" if kind in TOLD else nearest(kind, ALERTS)
            look.wrong(place, f"there is no alert of kind `{kind}`.", hint)
    for key in ("kinds", "priority"):
        if getattr(item, key) == ():
            look.wrong((*path, key), "an empty list tells nobody anything.", "Leave it out to be told of all.")
    if item.quiet is not None:
        zone(look, (*path, "quiet", "timezone"), item.quiet.timezone)
        if item.quiet.from_ == item.quiet.to:
            look.wrong((*path, "quiet", "to"), "quiet hours end at another time than they begin.")


def _escalation(look: Look, path: Path, name: str, item: Channel) -> None:
    if item.escalate is None:
        return
    place = (*path, "escalate", "to")
    if item.escalate.after.total_seconds() <= 0:
        look.wrong((*path, "escalate", "after"), "expected a duration above zero.")
    if not look.refer(place, item.escalate.to, "alerts", what="channel"):
        return
    seen, following = [name], item.escalate.to
    while following not in seen:
        seen.append(following)
        after = look.spec.alerts.get(following)
        if after is None or after.escalate is None:
            return
        following = after.escalate.to
    if following == name:
        round_trip = " → ".join([*seen, following])
        look.wrong(place, f"escalation goes round in a circle: {round_trip}.", "Let the last one end it.")
