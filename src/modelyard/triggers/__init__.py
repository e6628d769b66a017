"""Conditions on schedule and observations, and what they lead to: requests, and what people are told. Each says why."""

from modelyard.triggers.causes import watchers
from modelyard.triggers.decide import Decision, Facts, Reason, decide, explain
from modelyard.triggers.outbox import acknowledge, due, failed, notice, pending, resolve, settle, told
from modelyard.triggers.run import close, deployments, kind_of, look, routes, run

__all__ = [
    "Decision",
    "Facts",
    "Reason",
    "acknowledge",
    "close",
    "decide",
    "deployments",
    "due",
    "explain",
    "failed",
    "kind_of",
    "look",
    "notice",
    "pending",
    "resolve",
    "routes",
    "run",
    "settle",
    "told",
    "watchers",
]
