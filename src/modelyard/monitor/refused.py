"""Requests that fitted no model: what a client sends otherwise than it did never reaches the log, and is told here.

A gateway refuses a row with another type, without a column or with one too many, and counts it by the minute. Of the log
alone such a change looks like less traffic, or like none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from modelyard.monitor.seen import Seen
from modelyard.monitor.served import Served
from modelyard.records import Level
from modelyard.spec.monitors import Monitor
from modelyard.stats import severity, significance
from modelyard.store import Store, minutes

KIND = "schema"
WARN, PAGE = 0.01, 0.10
"""A share of refused requests that is so much higher than in the window before warns, and pages."""
FEWEST = 30
"""So many refused requests are more than somebody's trial."""
SURE = 1e-4
SHOWN = 3
CURE = "ask the callers what they changed: their requests do not fit the inputs of the model (docs/serving.md has the codes)"


def beside(store: Store, monitor: Monitor, now: datetime, hours: Sequence[Served], found: Sequence[Seen]) -> list[Seen]:
    """What was seen of the inputs (`found`), and of the schema also what was refused; `hours` were answered, of this window
    and of weeks before."""
    if not any(each.kind == KIND for each in found):
        return list(found)
    start = now - monitor.window
    before, after = Counter[str](), Counter[str]()
    for minute in minutes.refused(store, monitor.deployment, start - monitor.window, now):
        (after if 60 * minute.minute >= start.timestamp() else before).update({"": minute.refused, **minute.wrong})
    seen = judge(before, after, _answered(hours, start - monitor.window, start), _answered(hours, start, now))
    return [_worse(each, seen) if each.kind == KIND and seen is not None else each for each in found]


def _answered(hours: Sequence[Served], start: datetime, end: datetime) -> int:
    """How many requests were answered."""
    return sum(sum(hour.latency.values()) for hour in hours if start <= hour.start < end)


def judge(before: Counter[str], after: Counter[str], answered_before: int, answered: int) -> Seen | None:
    """Whether more is refused than in the window before; None where nothing to speak of is. Counts by what was wrong, and
    under "" of the requests."""
    refused, asked = after[""], after[""] + answered
    if refused < FEWEST:
        return None
    former, asked_before = before[""], before[""] + answered_before
    rise = refused / asked - (former / asked_before if asked_before else 0.0)
    chance = significance.proportions((former, asked_before), (refused, asked)) if asked_before else 0.0
    if rise < WARN or chance > SURE:
        return None
    level: Level = "page" if rise >= PAGE else "warn"
    wrong = {name: number for name, number in after.most_common() if name}
    named = ", ".join(f"{name.replace('_', ' ')} ({number})" for name, number in list(wrong.items())[:SHOWN])
    earlier = f", in the window before {former / asked_before:.1%}" if asked_before else ""
    says = f"{refused / asked:.1%} of {asked} requests were refused, for they do not fit the inputs{earlier}: {named}"
    detail: dict[str, Any] = {"refused": refused, "requests": asked, "wrong": wrong, "cure": CURE}
    return Seen(KIND, level, says, detail, True)


def _worse(seen: Seen, refused: Seen) -> Seen:
    """Both in one: the columns that were logged may be as they always were, and most requests never come that far."""
    detail = {**seen.detail, **refused.detail}
    if severity(seen.level) < 2:
        return replace(refused, detail=detail)
    level = max(seen.level, refused.level, key=severity)
    return replace(seen, level=level, says=f"{seen.says.removesuffix('.')}; {refused.says}", detail=detail)
