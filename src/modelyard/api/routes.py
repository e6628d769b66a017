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
    Operation("validate", "declaring", "GET", "/validate"),
    Operation("plan", "declaring", "GET", "/plan"),
    Operation("apply", "acting", "POST", "/apply"),
    Operation("status", "looking", "GET", "/status"),
    Operation("release_list", "looking", "GET", "/releases"),
    Operation("release_show", "looking", "GET", "/releases/show"),
    Operation("release_diff", "looking", "GET", "/releases/diff"),
    Operation("release_approve", "acting", "POST", "/releases/approve"),
    Operation("release_reject", "acting", "POST", "/releases/reject"),
    Operation("release_promote", "acting", "POST", "/releases/promote"),
    Operation("release_rollback", "acting", "POST", "/releases/rollback"),
    Operation("release_reproduce", "acting", "POST", "/releases/reproduce"),
    Operation("release_checkout", "acting", "POST", "/releases/checkout", remote=False),
    Operation("monitor_run", "acting", "POST", "/monitors/run"),
    Operation("monitor_show", "looking", "GET", "/monitors"),
    Operation("trigger_explain", "looking", "GET", "/triggers"),
    Operation("kpi_push", "figures", "POST", "/kpis/{name}"),
    Operation("kpi_show", "figures", "GET", "/kpis"),
    Operation("alert_list", "alerting", "GET", "/alerts"),
    Operation("alert_ack", "alerting", "POST", "/alerts/ack"),
    Operation("alert_resolve", "alerting", "POST", "/alerts/resolve"),
    Operation("verdicts", "looking", "GET", "/verdicts"),
    Operation("audit_list", "looking", "GET", "/audit"),
    Operation("audit_verify", "looking", "GET", "/audit/verify"),
    Operation("predict", "rows", "POST", "/predict", remote=False),
    Operation("feedback", "rows", "POST", "/feedback", remote=False),
    Operation("simulate", "simulation", "POST", "/simulate"),
)


def here_only(name: str) -> bool:
    """Whether an operation works on files beside the caller, so that it has no route."""
    return any(operation.name == name and not operation.remote for operation in OPERATIONS)


def find(name: str) -> Callable[..., Any]:
    """The function of an operation."""
    for operation in OPERATIONS:
        if operation.name == name:
            return getattr(importlib.import_module(f"modelyard.api.{operation.module}"), name)
    raise NotFound(f"there is no operation {name!r}")
