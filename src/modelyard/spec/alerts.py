"""Declared channels: who is told of what, how urgent it must be, when it may wait, and who is told next."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, WithJsonSchema

from modelyard.spec.declared import Declared, LooseName
from modelyard.spec.values import Duration, Flag, Free

Priority = Literal["P1", "P2", "P3", "P4"]
CHANNELS = "modelyard.channels"
"""The entry points of installed packages that bring channels."""
PRIORITIES: tuple[Priority, ...] = ("P1", "P2", "P3", "P4")
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _hour(value: Any) -> str:
    text = str(value).strip()
    if not _HOUR.fullmatch(text):
        raise ValueError('expected a time of day such as "22:00"')
    return text


def _many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Hour = Annotated[str, BeforeValidator(_hour), WithJsonSchema({"type": "string", "pattern": f"^{_HOUR.pattern}$"})]
Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Priorities = Annotated[
    tuple[Priority, ...],
    BeforeValidator(_many),
    WithJsonSchema(
        {"anyOf": [{"enum": list(PRIORITIES)}, {"type": "array", "items": {"enum": list(PRIORITIES)}}]},
    ),
]


class Email(Declared):
    """A mail server, and whom it writes to."""

    to: Texts = Field(description="who receives it: one address or several")
    from_: str = Field(
        validation_alias=AliasChoices("from", "from_"), serialization_alias="from", description="the sender's address"
    )
    host: str = Field(description="the mail server")
    port: int = Field(default=587, ge=1, le=65535, description="its port")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="how the connection is protected"
    )
    user: str | None = Field(default=None, description="who logs in there")
    password: str | None = Field(default=None, description='from the environment: "${SMTP_PASSWORD}"')


class Plugin(Declared):
    """A channel that an installed package offers under the entry point `modelyard.channels`."""

    name: str = Field(description="the name of the entry point")
    options: dict[str, Free] = Field(default_factory=dict, description="handed to it as they are")


class Quiet(Declared):
    """Hours of the day in which messages wait; what is over by their end is not told at all."""

    from_: Hour = Field(
        validation_alias=AliasChoices("from", "from_"), serialization_alias="from", description="when they begin"
    )
    to: Hour = Field(description="when they end")
    timezone: str = Field(default="UTC", description="the zone of both")
    priority: Priorities = Field(default=("P2", "P3", "P4"), description="the priorities that wait")


class Escalate(Declared):
    """Who is told next when nobody acknowledges."""

    after: Duration = Field(description="how long an alert may stay open and not acknowledged after it was told here")
    to: LooseName = Field(description="the channel that is told then, whatever it asks for itself")


class Channel(Declared):
    """A channel: exactly one of webhook, slack, email, plugin. It is told what has one of its priorities AND its kinds."""

    webhook: str | None = Field(default=None, description='a URL that takes JSON by POST, such as "${OPS_WEBHOOK}"')
    slack: str | None = Field(
        default=None, description="the URL of an incoming webhook of Slack, or of what understands it"
    )
    email: Email | None = Field(default=None, description="a mail server and addresses")
    plugin: Plugin | None = Field(default=None, description="a channel that an installed package brings")
    headers: dict[str, str] = Field(default_factory=dict, description="sent with `webhook`; values may hold ${NAME}")
    priority: Priorities = Field(default=PRIORITIES, description="only alerts of these priorities (see charter)")
    kinds: Texts | None = Field(default=None, description="only alerts of these kinds; default: all")
    level: Literal["warn", "page"] = Field(default="page", description="only alerts at least as bad")
    quiet: Quiet | None = Field(default=None, description="hours in which messages wait")
    escalate: Escalate | None = Field(default=None, description="who is told when nobody acknowledges")
    resolved: Flag = Field(default=True, description="whether it is told when an alert is over")
    allow_private: Flag = Field(default=False, description="whether it may lead to this machine or a private network")
