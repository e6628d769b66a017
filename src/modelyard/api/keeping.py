"""When a process of the crew is started again, taken for hung, or joined by another: decisions, without any process.

A worker beats about twice a second and says with each beat how busy it is. One that has beaten and stops is hung: it is
killed and replaced. One that keeps ending is held off, longer each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HANG_SECONDS = 10.0
LOOP_SECONDS = 30.0
BUSY, IDLE = 0.7, 0.25
BUSY_SECONDS, IDLE_SECONDS = 5.0, 60.0


def hold_off(ends: Sequence[float], now: float) -> float:
    """Seconds to wait before a process that ended is started again, from when it ended lately.

    >>> [hold_off([0.0] * count, 1.0) for count in range(1, 8)]
    [0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0]
    >>> hold_off([0.0] * 20, 1.0), hold_off([0.0] * 20, 100.0)
    (30.0, 0.0)
    """
    lately = sum(now - each < LOOP_SECONDS * 2 for each in ends)
    return 0.0 if lately < 3 else min(LOOP_SECONDS, 2.0 ** (lately - 3))


def hung(beat: float | None, now: float) -> bool:
    """Whether a process that has beaten has stopped.

    >>> hung(None, 100.0), hung(95.0, 100.0), hung(80.0, 100.0)
    (False, False, True)
    """
    return beat is not None and now - beat > HANG_SECONDS


@dataclass
class Load:
    """How long the workers have been busy or idle, all together; `least` and `most` workers may run."""

    least: int
    most: int
    busy_since: float | None = None
    idle_since: float | None = None

    def wanted(self, running: int, loads: Sequence[float], now: float) -> int:
        """How many workers should run, when so many do, each that busy (0 to 1). One more or less at a time.

        >>> load = Load(1, 2)
        >>> [load.wanted(1, [0.9], now) for now in (0.0, 3.0, 6.0)]
        [1, 1, 2]
        >>> [load.wanted(2, [0.1, 0.1], now) for now in (10.0, 40.0, 71.0)]
        [2, 2, 1]
        """
        mean = sum(loads) / len(loads) if loads else 0.0
        self.busy_since = (self.busy_since if self.busy_since is not None else now) if mean > BUSY else None
        self.idle_since = (self.idle_since if self.idle_since is not None else now) if mean < IDLE else None
        more = self.busy_since is not None and now - self.busy_since > BUSY_SECONDS
        fewer = self.idle_since is not None and now - self.idle_since > IDLE_SECONDS
        if more or fewer:
            self.busy_since = self.idle_since = None
        return min(max(running + more - fewer, self.least), self.most)
