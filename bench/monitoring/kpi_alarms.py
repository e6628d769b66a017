"""How often `monitors.NAME.kpis` warns and pages of nothing, and how soon it tells a fall: python bench/monitoring/kpi_alarms.py
[FIRST_SEED] [SERIES].

Daily figures with a trend, a week and AR(1) errors of innovation variance 1, looked at each day with a window of a week at the
default budget, through the monitor's own judgement and its rule of persistence (2 of 3 windows, unless far off).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

from modelyard.monitor import kpis
from modelyard.monitor.grouping import LESS, OF, persistent
from modelyard.monitor.seen import Seen
from modelyard.spec.kpis import Kpi
from modelyard.stats import periods

DAY = timedelta(days=1)
BASE = periods.number(datetime(2024, 1, 1, tzinfo=UTC), DAY)
KPI = Kpi(direction="up")
ALPHA = 0.01
WINDOW, LATCH = 7, 3
KINDS = (("normal", 0.0), ("normal", 0.6), ("normal", 0.8), ("t3", 0.3))


def series(rng: np.random.Generator, days: int, rho: float, errors: str) -> np.ndarray:
    """Trend, a week, and errors that hang together; those of Student's t with 3 degrees have days far off."""
    y = rng.standard_t(3, days) / np.sqrt(3) if errors == "t3" else rng.normal(size=days)
    y[0] /= np.sqrt(1 - rho**2)
    for day in range(1, days):
        y[day] += rho * y[day - 1]
    return y + rng.normal(0, 2, 7)[np.arange(days) % 7] + rng.normal(0, 0.01) * np.arange(days)


def looks(y: np.ndarray, history: int) -> list[Seen]:
    """What each day's look sees before it must persist; `history`: so many days before the window are known."""
    seen = []
    for day in range(history + WINDOW, len(y)):
        known = {BASE + each: float(y[each]) for each in range(day - history - WINDOW, day)}
        told = kpis.judge("figure", KPI, known, [], WINDOW * DAY, periods.begin(BASE + day, DAY), ALPHA)
        seen.append(kpis.gathered([told]))
    return seen


def told(seen: list[Seen]) -> list[str]:
    """What is told of each look: a page that is not far off warns until one of the two windows before shows it too."""
    found = []
    for day, each in enumerate(seen):
        before = seen[max(0, day - (OF - 1) * WINDOW) : max(0, day - WINDOW + 1)]
        windows = {each.kind} if any(past.level == "page" for past in before) else set()
        found.append(persistent([each], {}, windows)[0].level)
    return found


def rises(levels: list[str], level: str) -> list[int]:
    """The looks at which an alarm of at least this level rises."""
    bad = [each == "page" or (level == LESS["page"] and each == "warn") for each in levels]
    return [day for day, each in enumerate(bad) if each and not any(bad[max(0, day - LATCH) : day])]


def main() -> None:
    """One row per world: warnings and pages per 90 days of nothing; then days until a fall is warned of and paged."""
    first, count = (int(sys.argv[1]) if len(sys.argv) > 1 else 7000), (int(sys.argv[2]) if len(sys.argv) > 2 else 10)
    print(
        "| errors, ρ | history, days | warnings per 90 days | pages per 90 days | a fall by 3: warned, paged after days |"
    )
    print("|---|---|---|---|---|")
    for errors, rho in KINDS:
        for history in (28, 182):
            days, warned, paged, delays = 180, 0, 0, []
            for seed in range(first, first + count):
                y = series(np.random.default_rng(seed), history + WINDOW + days, rho, errors)
                calm = told(looks(y, history))
                warned += len(rises(calm, "warn"))
                paged += len(rises(calm, "page"))
                fallen = y[: history + WINDOW + 50].copy()
                fallen[history + WINDOW + 20 :] -= 3
                after = told(looks(fallen, history))[21:]
                delays.append(
                    [
                        next((n + 1 for n, level in enumerate(after) if level in levels), None)
                        for levels in (("warn", "page"), ("page",))
                    ]
                )
            per = count * days / 90
            shown = [_middle([each[place] for each in delays], count) for place in (0, 1)]
            print(
                f"| {errors}, {rho:g} | {history} | {warned / per:.2f} | {paged / per:.3f} | {shown[0]}, {shown[1]} |",
                flush=True,
            )


def _middle(days: list[int | None], count: int) -> str:
    found = sorted(each for each in days if each is not None)
    return f"{found[len(found) // 2] if found else '–'} ({len(found)} of {count})"


if __name__ == "__main__":
    main()
