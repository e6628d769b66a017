"""An incoming webhook of Slack, or of what understands the same (Mattermost, Rocket.Chat, Zulip, Discord's /slack)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.channels.post import post
from modelyard.channels.words import text, title

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def send(message: Mapping[str, Any], settings: Mapping[str, Any], *, key: str, allow_private: bool) -> None:
    """Post title and text to `settings["url"]`; what the message says is text there, never markup."""
    body = f"*{title(message).translate(_ESCAPED)}*\n{text(message).translate(_ESCAPED)}"
    post(settings["url"], {"text": body}, key=key, allow_private=allow_private)
