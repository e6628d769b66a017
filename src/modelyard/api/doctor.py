"""What Modelyard needs on this machine, looked at one by one."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from typing import Any

from modelyard.api.context import Context
from modelyard.errors import NotFound, YardError


def examine(directory: str, home: str | None, env: str) -> dict[str, Any]:
    """Check Python, libraries, the declaration and the home; `{"ok", "checks": [{"name", "ok", "says"}]}`."""
    context = Context.of(directory, home, env)
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("python", _python),
        ("libraries", _libraries),
        ("declaration", lambda: f"project {context.project().spec.project}"),
        ("home", lambda: _home(context)),
    )
    found = [_try(name, check) for name, check in checks]
    return {"ok": all(item["ok"] for item in found), "checks": found}


def _try(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "says": check()}
    except (YardError, ImportError) as error:
        return {"name": name, "ok": False, "says": str(error)}


def _python() -> str:
    return platform.python_version()


def _libraries() -> str:
    names = ("duckdb", "deltalake", "scikit-learn", "skops", "onnxruntime", "sqlalchemy")
    try:
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    except importlib.metadata.PackageNotFoundError as error:
        raise YardError(f"{error.name} is not installed", hint="Install modelyard again.") from error


def _home(context: Context) -> str:
    from modelyard.store import audit

    try:
        store = context.store(context.project())
    except NotFound:
        return f"nothing applied to {context.home} yet"
    bad = audit.verify(store)
    if bad is not None:
        raise YardError(f"the audit trail does not hold from entry {bad} on", hint="See `yard audit verify`.")
    return f"{context.home}, audit trail whole"
