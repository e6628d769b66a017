"""A yard: one project in one environment, with all that working on it takes. The loop's functions receive it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from modelyard.engines.local import LocalEngine
from modelyard.spec import Project
from modelyard.store import Store


def _silent(message: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Yard:
    """`project` as declared, the `store` that remembers it, who acts, and where progress is told."""

    project: Project
    store: Store
    actor: str
    engine: LocalEngine = field(default_factory=LocalEngine)
    progress: Callable[[str], None] = _silent
    simulated: bool = False
    rows: Callable[[str, datetime], int | None] | None = None
    """Of a simulation: how many rows a dataset had at a time. Else its versions say so."""
    grain: timedelta = timedelta(hours=1)
    """Windows are made of profiles of so much time."""

    @property
    def now(self) -> datetime:
        """Business time, UTC."""
        return self.store.clock.now()
