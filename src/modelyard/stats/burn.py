"""Error budgets and how fast they burn: alerts by several windows and rates (Beyer et al., SRE workbook, chapter 5).

A service level promises that at most a share (the budget) of the requests of a long window is bad. The burn rate of a
window is its share of bad requests by that budget: at 1 the budget lasts exactly as long as it should. Pages: 2% of the
budget within an hour, or 5% within six hours; a warning: 10% within three days. Each must still be going on, which a
twelfth of the window says, so that an alert ends soon after the trouble.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Minutes = Mapping[int, tuple[int, int]]
"""By minute (since 1970): how many requests counted, and how many of them were bad."""
HOUR, DAY = 60, 1440


@dataclass(frozen=True)
class Rule:
    """Alert when `share` of the budget went within `long` minutes, and still goes so fast in the last `short` ones."""

    level: Literal["warn", "page"]
    share: float
    long: int
    short: int

    def rate(self, window: int) -> float:
        """The burn rate at which it goes so fast; `window`: minutes that the budget is for (30 days: 14.4, 6 and 1)."""
        return self.share * window / self.long


RULES = (Rule("page", 0.02, HOUR, 5), Rule("page", 0.05, 6 * HOUR, 30), Rule("warn", 0.10, 3 * DAY, 6 * HOUR))
FEWEST = 3
"""So many bad requests at least: of three requests an hour, one is no trend."""


@dataclass(frozen=True)
class Burn:
    """How an objective stands: requests and bad ones of the whole window, the share of the budget that is left (negative:
    broken), the burn rates by minutes of their window, and the worst rule that holds."""

    requests: int
    bad: int
    left: float
    rates: Mapping[int, float]
    level: Literal["ok", "warn", "page"]
    rule: Rule | None = None


def burn(minutes: Minutes, *, budget: float, window: int, now: int) -> Burn | None:
    """How an objective with `budget` (a share) over `window` minutes stands at minute `now`; None without a request.

    >>> calm = burn({minute: (100, 0) for minute in range(60)}, budget=0.001, window=43_200, now=60)
    >>> calm.level, calm.left
    ('ok', 1.0)
    >>> burn({minute: (100, 2) for minute in range(60)}, budget=0.001, window=43_200, now=60).level
    'page'
    """
    at = np.fromiter(minutes, np.int64, len(minutes))
    counts = np.array(list(minutes.values()), dtype=np.int64).reshape(-1, 2)

    def last(span: int) -> tuple[int, int]:
        n, wrong = counts[(at >= now - span) & (at < now)].sum(axis=0).tolist()
        return n, wrong

    requests, bad = last(window)
    if not requests:
        return None
    sums = {span: last(span) for rule in RULES for span in (rule.short, rule.long)}
    rates = {span: _rate(n, wrong, budget) for span, (n, wrong) in sums.items()}
    held = [
        rule
        for rule in RULES
        if sums[rule.long][1] >= FEWEST and min(rates[rule.long], rates[rule.short]) >= rule.rate(window)
    ]
    worst = held[0] if held else None
    left = 1 - bad / (budget * requests)
    return Burn(requests, bad, left, rates, worst.level if worst else "ok", worst)


def _rate(requests: int, bad: int, budget: float) -> float:
    return bad / requests / budget if requests else 0.0
