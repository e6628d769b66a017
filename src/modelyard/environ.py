"""What a process of ours hands on to those it starts for a project's code: its environment, without credentials."""

from __future__ import annotations

import os
from collections.abc import Mapping

_SECRETS = frozenset({"YARD_TOKEN"})


def inherited(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment without its credentials, and `more` beside it."""
    return {name: value for name, value in os.environ.items() if name not in _SECRETS} | dict(more or {})
