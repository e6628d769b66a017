"""Service levels of a deployment: what is promised to those who ask, and how much of it may be broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from modelyard.spec.declared import Declared
from modelyard.spec.values import Duration, Share


@dataclass(frozen=True)
class Objective:
    """One promise: its name, the share of requests that may break it, and the seconds within which they are answered
    (None: that they are answered at all)."""

    name: str
    budget: float
    seconds: float | None


def _share(value: float) -> float:
    if not 0.5 <= value < 1:
        raise ValueError("from 50% to below 100%: a promise without any failure cannot be kept")
    return value


def watcher(deployment: str) -> str:
    """Who observes a deployment's service levels: no name that a monitor can have."""
    return f"slo.{deployment}"


class Slo(Declared):
    """What is promised; a window's budget of failures follows from it, and alerts from how fast it burns."""

    latency_p95: Duration | None = Field(
        default=None, gt=timedelta(0), description="95% of the answers come within this: 50ms"
    )
    latency_p99: Duration | None = Field(default=None, gt=timedelta(0), description="99% of the answers come within it")
    availability: Annotated[Share, AfterValidator(_share)] | None = Field(
        default=None, description="at least this share of the requests is answered: 99.9%"
    )
    window: Duration = Field(
        default=timedelta(days=30), ge=timedelta(days=3), le=timedelta(days=90), description="what the budget is for"
    )

    def objectives(self) -> Iterator[Objective]:
        """What is promised, one by one."""
        if self.availability is not None:
            yield Objective("availability", 1 - self.availability, None)
        for name, budget in (("latency_p95", 0.05), ("latency_p99", 0.01)):
            within = getattr(self, name)
            if within is not None:
                yield Objective(name, budget, within.total_seconds())
