"""Gates, approval, rollout, rollback: which release serves, which is tried, and why."""

from modelyard.release.approval import approve, auto_approve, reject
from modelyard.release.compare import diff
from modelyard.release.explain import explain
from modelyard.release.folder import checkout
from modelyard.release.names import find, name
from modelyard.release.records import create, refusal
from modelyard.release.rollout import guard, pause, promote, rollback, tick
from modelyard.release.story import history, pending, retire, tries

__all__ = [
    "approve",
    "auto_approve",
    "checkout",
    "create",
    "diff",
    "explain",
    "find",
    "guard",
    "history",
    "name",
    "pause",
    "pending",
    "promote",
    "refusal",
    "reject",
    "retire",
    "rollback",
    "tick",
    "tries",
]
