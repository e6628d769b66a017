"""What time it is. Nobody else asks: business time comes from here, real or simulated, always in UTC."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells business time (`now`, aware, UTC) and elapsed real seconds (`monotonic`)."""

    def now(self) -> datetime:
        """The current business time, UTC."""
        ...

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start; leases, deadlines and durations use this."""
        ...


class RealClock:
    """The system's clock."""

    def now(self) -> datetime:
        """The current time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start."""
        return time.monotonic()


def cpu_seconds() -> float:
    """Processor time that this process and its ended children have used so far; a difference of two says what work cost."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class SimulatedClock:
    """A clock that stands still until it is set; elapsed seconds stay real.

    >>> clock = SimulatedClock(datetime(2013, 4, 1, tzinfo=UTC))
    >>> clock.set(datetime(2013, 4, 2, tzinfo=UTC))
    >>> clock.now().day
    2
    """

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The simulated time."""
        return self._now

    def set(self, now: datetime) -> None:
        """Move the clock to `now` (aware)."""
        self._now = now

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start."""
        return time.monotonic()
