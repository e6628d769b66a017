"""The door: the same operations, called in this process or, with YARD_URL set, over HTTP."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, Protocol

from modelyard.api.context import Context
from modelyard.errors import InputError


class Door(Protocol):
    """Calls an operation of `modelyard.api.routes.OPERATIONS` by its name."""

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """The operation of that name, as a function of keyword arguments."""
        ...


class Local:
    """Operations in this process; each operation's module is loaded when it is called."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        from modelyard.api.routes import find

        return functools.partial(find(operation), self._context)


class Remote:
    """Operations of a control API elsewhere."""

    def __init__(self, url: str, actor: str) -> None:
        self._url = url
        self._actor = actor

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return functools.partial(self._call, operation)

    def _call(self, operation: str, **arguments: Any) -> Any:
        from modelyard.api.client import call
        from modelyard.api.routes import here_only

        if here_only(operation):
            what = operation.replace("_", " ")
            raise InputError(
                f"`{what}` reads and writes files of this machine, and YARD_URL points elsewhere",
                hint="Unset YARD_URL; for predictions and labels ask the gateway over HTTP.",
            )
        return call(self._url, operation, arguments, actor=self._actor)


def open_door(directory: str, home: str | None, env: str, progress: Callable[[str], None]) -> Door:
    """The door to a project: HTTP when YARD_URL is set, else this process."""
    context = Context.of(directory, home, env, progress)
    url = os.environ.get("YARD_URL")
    return Remote(url, context.actor) if url else Local(context)  # type: ignore[return-value]
