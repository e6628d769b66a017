"""What one look at a window gives, before it is recorded: a level, a sentence, and the figures behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from modelyard.records import Level


@dataclass(frozen=True)
class Seen:
    """One kind of thing seen in a window. `severe`: so much that nobody waits until it shows again; `varies`: of its kind
    but little more than this stream has shown before, so that it must show in another window."""

    kind: str
    level: Level
    says: str
    detail: dict[str, Any] = field(default_factory=dict)
    severe: bool = False
    varies: bool = False


def unknown(kind: str, why: str, **detail: Any) -> Seen:
    """Too little is known to say anything; never taken for health."""
    return Seen(kind, "insufficient_data", f"insufficient data: {why}", {"why": why, **detail})
