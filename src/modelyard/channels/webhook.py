"""A webhook: the message as JSON, by POST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.channels.post import post


def send(message: Mapping[str, Any], settings: Mapping[str, Any], *, key: str, allow_private: bool) -> None:
    """Post the message to `settings["url"]`, with `settings["headers"]`."""
    post(settings["url"], dict(message), key=key, allow_private=allow_private, headers=settings.get("headers"))
