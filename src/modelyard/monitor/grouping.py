"""From what was seen to what is told: a page must persist, and one cause is one message.

False pages are bounded three ways. The declared budget is shared by the monitors of a deployment. A page of a kind whose
test has no run length of its own must show in 2 of the last 3 looks, unless it is severe; until then it warns. And all
that alarms in one look is one message about its first cause: what lies upstream of what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from modelyard.monitor.seen import Seen
from modelyard.records import Level
from modelyard.spec.types import Monitor, Spec
from modelyard.stats import severity

ORDER = (
    "stale",
    "volume",
    "schema",
    "units",
    "missing",
    "duplicates",
    "drift",
    "joint",
    "concept",
    "slices",
    "calibration",
    "quality",
    "estimate",
    "decay",
)
"""Causes before effects: a table that is late makes values missing, which moves predictions, which costs quality."""
APART = ("software", "cost")
"""Kinds that share no cause with the others."""
SURE = ("schema", "stale", "units", "concept", "decay")
"""Kinds that page at once: facts, and tests that bound their own false alarms."""
PERSISTENT, OF = 2, 3


def shared(spec: Spec, monitor: Monitor) -> Monitor:
    """The monitor with its part of the deployment's budget: several monitors of one deployment have one budget."""
    count = sum(other.deployment == monitor.deployment for other in spec.monitors.values())
    if count < 2:
        return monitor
    budget = monitor.drift.false_alarms
    drift = monitor.drift.model_copy(update={"false_alarms": budget._replace(per=budget.per * count)})
    return monitor.model_copy(update={"drift": drift})


def persistent(seen: Sequence[Seen], before: Mapping[str, Sequence[Level]]) -> list[Seen]:
    """Pages that show for the first time become warnings. `before`: the raw levels of each kind in the last looks, newest
    last; the raw level is kept in the detail."""
    return [_tempered(each, before.get(each.kind, ())) for each in seen]


def _tempered(seen: Seen, before: Sequence[Level]) -> Seen:
    found = replace(seen, detail={**seen.detail, "raw": seen.level})
    if seen.level != "page" or seen.severe or seen.kind in SURE:
        return found
    shown = 1 + sum(level == "page" for level in before[-(OF - 1) :])
    if shown >= PERSISTENT:
        return found
    says = f"{seen.says.rstrip('.')}. It warns until {PERSISTENT} of {OF} looks show it."
    return replace(found, level="warn", says=says)


def group(seen: Sequence[Seen]) -> list[Seen]:
    """Each alarm but the first cause's says of what it is a part: `detail["part_of"]` is the kind of that cause."""
    alarming = [each for each in seen if severity(each.level) >= 2 and each.kind in ORDER]
    if len(alarming) < 2:
        return list(seen)
    first = min(alarming, key=lambda each: ORDER.index(each.kind))
    follow = {each.kind for each in alarming} - {first.kind}
    return [
        replace(each, detail={**each.detail, "part_of": first.kind}) if each.kind in follow else each for each in seen
    ]


def led(seen: Sequence[Seen]) -> list[tuple[Seen, list[Seen]]]:
    """The messages: each first cause with what is a part of it, worst first."""
    alarming = [each for each in seen if severity(each.level) >= 2]
    firsts = [each for each in alarming if "part_of" not in each.detail]
    groups = [(each, [other for other in alarming if other.detail.get("part_of") == each.kind]) for each in firsts]
    return sorted(groups, key=lambda pair: -max(severity(each.level) for each in (pair[0], *pair[1])))
