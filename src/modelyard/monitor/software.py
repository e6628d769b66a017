"""How the deployment serves: latency, errors, memory and throughput, against declared bounds or its own past windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from modelyard.monitor import served
from modelyard.monitor.seen import Seen, unknown
from modelyard.monitor.served import Served
from modelyard.records import Level, Observation
from modelyard.spec.monitors import Monitor
from modelyard.stats import rhythm, significance
from modelyard.stats.hourly import HOUR, Hourly
from modelyard.stats.seasonal import HOURS, hour_at
from modelyard.stats.sequential import Rate
from modelyard.store import Store

PAST = 8
"""Against so many weeks before the window."""
SLOWER, SLOWER_BY = 1.5, 10.0
"""Without a bound, latency warns when it is so many times what it was and so many ms more, and pages at twice as much again: of
an idle machine and a busy one, 3 and 9 ms say nothing about a gateway."""
FAILING = 0.01
"""Without a bound, errors warn when their share is so much higher, and page at ten times as much."""
THIN, Z = 0.5, 4.0
"""Traffic is thin below half of what is usual for the hours, at a robust z of 4; the same for twice as much."""
BEYOND = 1.25
"""Swollen is more than so many times the largest excess of the weeks before: busy weeks are skewed."""
FEWEST = 200
GROWN, GROWN_BY, LOOKS = 1.5, 200e6, 8
"""Memory warns at so many times its median over past looks and so many bytes more, of which there must be so many, at a
robust z of 4. The first label of an old answer loads what reads tables (125 MB), which is no leak."""


def look(
    store: Store,
    name: str,
    monitor: Monitor,
    now: datetime,
    hours: Sequence[Served],
    *,
    simulated: bool = False,
    memory: Sequence[int] = (),
) -> list[Seen]:
    """Kinds "software" (latency, errors, `memory`: bytes per gateway process) and "volume" (throughput), from what was
    answered in the `hours` of the window and eight weeks before."""
    kinds = [*(["software"] if monitor.software.enabled else []), *(["volume"] if monitor.upstream.volume else [])]
    if not kinds:
        return []
    start = now - monitor.window
    past, current = [each for each in hours if each.start < start], [each for each in hours if each.start >= start]
    made = {
        "software": lambda: grown(store, name, software(monitor, past, current, simulated=simulated), memory, start),
        "volume": lambda: volume(by_hour(past), by_hour(current), start, now),
    }
    return [made[kind]() for kind in kinds]


def software(monitor: Monitor, past: Sequence[Served], current: Sequence[Served], *, simulated: bool) -> Seen:
    """The worst of latency and errors."""
    rows = Rate(sum(each.rows for each in current), sum(each.errors for each in current))
    before = Rate(sum(each.rows for each in past), sum(each.errors for each in past))
    fallbacks = sum(each.fallbacks for each in current)
    detail: dict[str, Any] = {"rows": rows.n, "errors": rows.hits, "fallbacks": fallbacks}
    if rows.n < monitor.min_rows:
        return unknown("software", f"{rows.n} rows in the window, {monitor.min_rows} are needed", **detail)
    findings = [_errors(monitor, rows, before)]
    if simulated:
        detail["note"] = "a simulation has no latency of its own"
    else:
        slow, usual = served.latency(list(current), 0.95), served.latency(list(past), 0.95)
        detail |= {"latency_p95": slow, "latency_p95_before": usual}
        findings.append(_latency(monitor, slow, usual, sum(sum(each.latency.values()) for each in past)))
    order = ("ok", "info", "warn", "page")
    level = max((each[0] for each in findings), key=order.index)
    told = [says for found, says in findings if found == level and says]
    return Seen("software", level, "; ".join(told) or f"{rows.n} rows served", detail)


def grown(store: Store, name: str, seen: Seen, memory: Sequence[int], before: datetime) -> Seen:
    """What was seen of the software, and of its memory: a process that holds half as much again as they did before the
    window warns."""
    if not memory:
        return seen
    most = max(memory)
    looks = store.read(
        Observation, monitor=name, kind="software", end__ge=before - timedelta(weeks=PAST), end__le=before
    )
    past = [each.detail["memory"] for each in looks if each.detail.get("memory")]
    seen = replace(seen, detail={**seen.detail, "memory": most})
    if len(past) < LOOKS:
        return seen
    usual = float(np.median(past))
    spread = 1.4826 * float(np.median(np.abs(np.array(past) - usual)))
    if most < GROWN * usual or most - usual < max(Z * spread, GROWN_BY):
        return seen
    says = f"a gateway process holds {most / 1e6:.0f} MB, {usual / 1e6:.0f} MB were usual"
    if seen.level in ("warn", "page"):
        return replace(seen, says=f"{seen.says}; {says}")
    return replace(seen, level="warn", says=says)


def _errors(monitor: Monitor, rows: Rate, before: Rate) -> tuple[Level, str]:
    says = f"{rows.rate:.2%} of {rows.n} rows have no answer"
    bound = monitor.software.error_rate
    if bound is not None:
        low = rows.rate - 1.96 * np.sqrt(max(rows.rate * (1 - rows.rate), 1e-9) / rows.n)
        level: Level = "page" if low > bound else "warn" if rows.rate > bound else "ok"
        return level, f"{says}, {bound:.2%} is allowed"
    if before.n < FEWEST:
        return "ok", says
    rise = rows.rate - before.rate
    if rise < FAILING or significance.proportions((before.hits, before.n), (rows.hits, rows.n)) > 1e-4:
        return "ok", says
    return ("page" if rise >= 10 * FAILING else "warn"), f"{says}, before it were {before.rate:.2%}"


def _latency(monitor: Monitor, slow: float | None, usual: float | None, timed: int) -> tuple[Level, str]:
    if slow is None:
        return "ok", ""
    bound = monitor.software.latency_p95
    says = f"the 95th percentile of latency is {slow:.3g} ms"
    if bound is not None:
        allowed = bound / timedelta(milliseconds=1)
        level: Level = "page" if slow > 2 * allowed else "warn" if slow > allowed else "ok"
        return level, f"{says}, {allowed:g} ms is allowed"
    if usual is None or timed < FEWEST:
        return "ok", says
    least, much = max(SLOWER * usual, usual + SLOWER_BY), max(2 * SLOWER * usual, usual + 2 * SLOWER_BY)
    level = "page" if slow >= much else "warn" if slow >= least else "ok"
    return level, f"{says}, it was {usual:.3g} ms"


def by_hour(hours: Iterable[Served]) -> Hourly:
    """How many rows were asked in each hour, of whatever release."""
    counts: dict[datetime, float] = {}
    for each in hours:
        counts[each.start] = counts.get(each.start, 0) + each.asked
    return Hourly.of(counts)


def volume(past: Hourly, current: Hourly, start: datetime, end: datetime) -> Seen:
    """Rows of the window against what its hours of the week usually bring."""
    weeks = (start - past.first) / timedelta(weeks=1) if len(past) else 0.0
    rows = round(current.total)
    if weeks < rhythm.FEWEST_WEEKS:
        why = f"{weeks:.1f} weeks of traffic are known before the window, {rhythm.FEWEST_WEEKS} are needed"
        return unknown("volume", why, rows=rows)
    expected, spread, most = usual(past, start, end)
    z = (rows - expected) / max(spread, np.sqrt(max(expected, 1.0)))
    detail = {"rows": rows, "usual": round(expected, 1), "z": round(z, 2)}
    says = f"{rows} rows came, {expected:.0f} are usual for these hours of the week"
    if rows < THIN * expected and z <= -Z:
        return Seen("volume", "page" if rows < THIN * expected / 5 else "warn", f"traffic is thin: {says}", detail)
    if rows > expected / THIN and z >= Z and rows - expected > BEYOND * most:
        return Seen("volume", "warn", f"traffic has swollen: {says}", detail)
    return Seen("volume", "ok", says, detail)


def usual(past: Hourly, start: datetime, end: datetime) -> tuple[float, float, float]:
    """How many rows the hours of [start, end) usually bring, the robust deviation of such windows, and by how much the
    busiest of them exceeded it.

    Per hour of the week the median over past weeks; the spread from how whole past windows of the same width lay about
    the sums of these medians (1.4826 times the median absolute deviation).
    """
    first = past.first
    series = np.zeros(int((start - first) / HOUR))
    places = past.hours - past.hours[0]
    inside = places < len(series)
    series[places[inside]] = past.rows[inside]
    of_week = (np.arange(len(series)) + hour_at(first)) % HOURS
    weeks = np.full(-(-len(series) // HOURS) * HOURS, np.nan)
    weeks[: len(series)] = series
    known = weeks.reshape(-1, HOURS)[:, : len(series)]
    medians, means = np.zeros(HOURS), np.zeros(HOURS)
    medians[of_week[:HOURS]], means[of_week[:HOURS]] = np.nanmedian(known, axis=0), np.nanmean(known, axis=0)
    # Where most hours are empty medians say nothing.
    level = medians if medians.sum() > 0.5 * means.sum() else means
    width = max(int((end - start) / HOUR), 1)
    wanted = (np.arange(width) + hour_at(start)) % HOURS
    ends = range(len(series), width - 1, -width)
    apart = [series[stop - width : stop].sum() - level[of_week[stop - width : stop]].sum() for stop in ends]
    spread = 1.4826 * float(np.median(np.abs(apart))) if apart else 0.0
    return float(level[wanted].sum()), spread, float(max(apart, default=0.0))
