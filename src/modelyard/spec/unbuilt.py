"""Keys and values of the design whose behaviour is not built yet; they are refused as such, never ignored.

Paths are dotted; `*` stands for any name, `[]` for any list item.
"""

from __future__ import annotations

KEYS: dict[str, frozenset[str]] = {
    "": frozenset({"environments", "engines", "online", "plugins"}),
    "sources.*": frozenset({"table", "stream"}),
    "datasets.*": frozenset({"engine"}),
    "features.*": frozenset({"engine", "online", "python"}),
    "models.*": frozenset({"tune", "artifact", "signature", "members", "engine", "only"}),
    "deployments.*": frozenset({"only", "input", "every", "online", "members", "engine", "was"}),
    "deployments.*.log": frozenset({"retention"}),
    "monitors.*": frozenset({"only"}),
    "triggers.*": frozenset({"only"}),
}

ELSEWHERE: dict[str, dict[str, str]] = {
    "models.*": {"slo": "deployments.NAME.slo"},
    "monitors.*": {"slo": "deployments.NAME.slo"},
}
"""Keys that people look for here, and where they are."""

VALUES: dict[str, frozenset[str]] = {
    "models.*.task": frozenset({"custom"}),
    "deployments.*.type": frozenset({"batch", "embedded", "stream"}),
}
