"""Every operation with its HTTP route: one table, read by the server, the client and the command line."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelyard.errors import NotFound


@dataclass(frozen=True)
class Operation:
    """An operation: its name, where its function is, and its route below /api/v1. `remote` false: files of here."""

    name: str
    module: str
    method: str
    path: str
    remote: bool = True


OPERATIONS = (
    Operation("validate", "operations", "GET", "/validate"),
    Operation("plan", "operations", "GET", "/plan"),
    Operation("apply", "operations", "POST", "/apply"),
    Operation("status", "operations", "GET", "/status"),
    Operation("release_list", "operations", "GET", "/releases"),
    Operation("release_show", "operations", "GET", "/releases/show"),
    Operation("release_diff", "operations", "GET", "/releases/diff"),
    Operation("release_approve", "operations", "POST", "/releases/approve"),
    Operation("release_reject", "operations", "POST", "/releases/reject"),
    Operation("release_rollback", "operations", "POST", "/releases/rollback"),
    Operation("release_reproduce", "operations", "POST", "/releases/reproduce"),
    Operation("release_checkout", "operations", "POST", "/releases/checkout", remote=False),
    Operation("monitor_run", "operations", "POST", "/monitors/run"),
    Operation("monitor_show", "operations", "GET", "/monitors"),
    Operation("verdicts", "operations", "GET", "/verdicts"),
    Operation("audit_list", "operations", "GET", "/audit"),
    Operation("audit_verify", "operations", "GET", "/audit/verify"),
    Operation("predict", "rows", "POST", "/predict", remote=False),
    Operation("feedback", "rows", "POST", "/feedback", remote=False),
    Operation("simulate", "simulation", "POST", "/simulate"),
)


def find(name: str) -> Callable[..., Any]:
    """The function of an operation."""
    for operation in OPERATIONS:
        if operation.name == name:
            return getattr(importlib.import_module(f"modelyard.api.{operation.module}"), name)
    raise NotFound(f"there is no operation {name!r}")
