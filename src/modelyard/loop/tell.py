"""Telling people: what must be known goes into the outbox, what is due there is sent. The outbox is the only memory."""

from __future__ import annotations

import os
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from modelyard import plugins, triggers
from modelyard.errors import LeaseLost, NotFound, Unavailable, YardError
from modelyard.loop.yard import Yard
from modelyard.records import Message
from modelyard.spec.alerts import Channel
from modelyard.spec.triggers import Act
from modelyard.spec.types import Spec
from modelyard.spec.variables import expand
from modelyard.store import Held

DEADLINE = 20.0
LINE = 120
"""So many characters of what is said are told of a message that is played."""
WAYS = 8
"""So many channels are told at once."""


def tell(yard: Yard, held: Held) -> None:
    """Send what is due, to each channel in order and to all at once: one that hangs keeps no other waiting. A channel that
    fails is left alone until the next time; in a simulation nothing is sent."""
    waiting: dict[str, list[Message]] = {}
    for message in triggers.due(yard.store, yard.project.spec, yard.now):
        waiting.setdefault(message.channel, []).append(message)
    if yard.simulated or len(waiting) < 2:
        for messages in waiting.values():
            _to_one(yard, held, messages)
        return
    with ThreadPoolExecutor(WAYS, thread_name_prefix="tell") as pool:
        told = [pool.submit(_to_one, yard, held, messages) for messages in waiting.values()]
    for each in told:
        each.result()


def _to_one(yard: Yard, held: Held, messages: Sequence[Message]) -> None:
    """Send what is due to one channel, until it fails."""
    for message in messages:
        if not _send(yard, held, message):
            return


def _send(yard: Yard, held: Held, message: Message) -> bool:
    """Send one message and settle it; False when it must be tried again."""
    about: dict[str, Any] = {"now": yard.now, "actor": yard.actor, "fence": held}
    found = channel(yard.project.spec, message.channel)
    if found is None:
        triggers.settle(yard.store, message, "its channel is declared no more", state="dropped", **about)
        return True
    if yard.simulated:
        triggers.settle(yard.store, message, _played(message), **about)
        return True
    try:
        way, settings = ways(found, os.environ)
        _within(
            DEADLINE,
            partial(plugins.channel(way), message.body, settings, key=message.key, allow_private=found.allow_private),
        )
    except LeaseLost:
        raise
    except YardError as error:
        return _again(yard, message, str(error), about)
    except Exception as error:
        # A plugin's defect is no reason to stop; what it says may hold a secret.
        return _again(yard, message, f"the channel failed: {type(error).__name__}", about)
    triggers.settle(yard.store, message, "delivered", **about)
    return True


def _within(seconds: float, send: Callable[[], None]) -> None:
    """Call `send`, and wait so long at most: a receiver that never comes to an end must not stop the controller.

    What arrives after that is a repetition, by its key.
    """
    failure: list[BaseException] = []

    def call() -> None:
        try:
            send()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=call, name="send", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise Unavailable(f"no answer within {seconds:g} seconds")
    if failure:
        raise failure[0]


def _again(yard: Yard, message: Message, why: str, about: dict[str, Any]) -> bool:
    triggers.failed(yard.store, message, why, **about)
    yard.progress(f"alert.{message.channel}: {why}")
    return False


def _played(message: Message) -> str:
    """What would have been sent, in a line: the alarm itself is an event of its own, and each channel would repeat it."""
    says = textwrap.shorten(str(message.body.get("says", "")), LINE, placeholder=" …")
    return f"would tell {message.channel} ({message.event}): {says}"


def channel(spec: Spec, name: str) -> Channel | None:
    """The channel of that name: declared under `alerts`, or the webhook of a trigger, "trigger.NAME.PLACE"."""
    if not name.startswith("trigger."):
        return spec.alerts.get(name)
    _, trigger, place = name.split(".")
    do = spec.triggers[trigger].do if trigger in spec.triggers else ()
    act = do[int(place)] if int(place) < len(do) else None
    if not isinstance(act, Act) or act.webhook is None:
        return None
    return Channel(webhook=act.webhook, headers=act.headers, allow_private=act.allow_private)


def ways(channel: Channel, env: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The name of the plugin that a channel goes by, and its settings with `${NAME}` read from `env`."""
    if channel.webhook is not None:
        return "webhook", {"url": expand(channel.webhook, env), "headers": _read(channel.headers, env)}
    if channel.slack is not None:
        return "slack", {"url": expand(channel.slack, env)}
    if channel.email is not None:
        return "email", _read(channel.email.model_dump(mode="json", by_alias=True), env)
    if channel.plugin is not None:
        return channel.plugin.name, _read(channel.plugin.options, env)
    raise NotFound("the channel leads nowhere")


def _read(value: Any, env: Mapping[str, str]) -> Any:
    """A value with every `${NAME}` in it read."""
    if isinstance(value, str):
        return expand(value, env)
    if isinstance(value, Mapping):
        return {name: _read(item, env) for name, item in value.items()}
    return [_read(item, env) for item in value] if isinstance(value, list | tuple) else value
