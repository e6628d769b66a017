"""The hooks: what installed packages can add. Our own channels enter by the same door.

A channel is an entry point of the group `modelyard.channels`: a function

    def send(message: dict, settings: dict, *, key: str, allow_private: bool) -> None

`message` is what is told (see docs/alerts.md), `settings` what was declared, with `${NAME}` read. `key` is the same when a
message is sent again: let the receiver know it. Raise `modelyard.errors.Unavailable` when it could not be delivered; it
will be tried again. Do not connect to private addresses unless `allow_private`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

from modelyard.errors import NotFound
from modelyard.spec.alerts import CHANNELS


class SendMessage(Protocol):
    """A channel's function."""

    def __call__(
        self, message: Mapping[str, Any], settings: Mapping[str, Any], *, key: str, allow_private: bool
    ) -> None:
        """Deliver a message, or raise."""
        ...


@cache
def channel(name: str) -> SendMessage:
    """The channel of that name; NotFound when no installed package brings one."""
    found = importlib.metadata.entry_points(group=CHANNELS)
    for entry in found:
        if entry.name == name:
            send: SendMessage = entry.load()
            return send
    known = ", ".join(sorted(entry.name for entry in found))
    raise NotFound(f"no installed package brings a channel called {name!r}", hint=f"There are: {known}.")
