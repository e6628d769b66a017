"""From what was seen to what is told: a page must persist, and one cause is one message.

False pages are bounded three ways. The declared budget is shared by the monitors of a deployment. A page of a kind whose
test has no run length of its own must show in 2 of the last 3 looks, unless it is severe; until then it warns. Where the
stream itself has shown nearly as much before, looks at one window say the same thing twice: then it must show in 2 of the
last 3 windows. What is judged by the labels of a week (calibration, slices) must do so to warn, too: rows of one week
err together. And all that alarms in one look is one message about its first cause: what lies upstream of what.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from modelyard.monitor.seen import Seen
from modelyard.records import Level, Observation
from modelyard.spec.monitors import Monitor
from modelyard.spec.types import Spec
from modelyard.stats import severity

CAUSES: tuple[tuple[str, ...], ...] = (
    ("stale", "schema", "volume", "units", "missing", "duplicates", "drift", "joint", "estimate"),
    ("concept", "calibration", "slices", "quality", "decay"),
    ("kpis",),
    ("software",),
    ("cost",),
)
"""Kinds that share a cause, causes before effects. What lies upstream: a table that is late makes values missing, which
moves predictions; requests that fit no model any more make traffic thin. What labels say: by construction no change of the inputs explains concept drift. Business figures stand
alone: much else moves them, and others are told of them."""
REFUSED, CALLERS = "refused", ("schema", "volume")
"""The detail of a schema that callers broke, and what shows it."""
FOLLOWS = ("calibration", "slices", "quality", "decay")
"""What labels say is a part of a change upstream, unless the world behind the inputs is known to have changed."""
SURE = ("schema", "stale", "concept", "decay")
"""Kinds that page at once: facts, and tests that bound their own false alarms."""
WEEKLY = ("calibration", "slices")
"""Kinds that do not warn at once either."""
LESS: dict[Level, Level] = {"page": "warn", "warn": "info"}
PERSISTENT, OF = 2, 3


def shared(spec: Spec, monitor: Monitor) -> Monitor:
    """The monitor with its part of the deployment's budget: several monitors of one deployment have one budget."""
    count = sum(other.deployment == monitor.deployment for other in spec.monitors.values())
    if count < 2:
        return monitor
    budget = monitor.drift.false_alarms
    drift = monitor.drift.model_copy(update={"false_alarms": budget._replace(per=budget.per * count)})
    return monitor.model_copy(update={"drift": drift})


def persistent(
    seen: Sequence[Seen], before: Mapping[str, Sequence[Level]], windows: Collection[str] = frozenset()
) -> list[Seen]:
    """Pages that show for the first time become warnings, such warnings information. `before`: the raw levels of each kind
    in the last looks, newest last (the raw level is kept in the detail); `windows`: the kinds that were as bad in one of the
    two windows before this."""
    return [_tempered(each, before.get(each.kind, ()), each.kind in windows) for each in seen]


def waits(seen: Seen) -> bool:
    """Whether it must show again before it is told as what it is."""
    if seen.level == "warn":
        return seen.kind in WEEKLY
    return seen.level == "page" and not seen.severe and seen.kind not in SURE


def _tempered(seen: Seen, before: Sequence[Level], earlier: bool) -> Seen:
    found = replace(seen, detail={**seen.detail, "raw": seen.level})
    if not waits(seen):
        return found
    shown = earlier if seen.varies else sum(level == "page" for level in before[-(OF - 1) :]) >= PERSISTENT - 1
    if shown:
        return found
    what = "windows" if seen.varies else "looks"
    level = LESS[seen.level]
    meanwhile = "It warns" if level == "warn" else "It is for information"
    says = f"{seen.says.rstrip('.')}. {meanwhile} until {PERSISTENT} of {OF} {what} show it."
    return replace(found, level=level, says=says)


def group(seen: Sequence[Seen]) -> list[Seen]:
    """Each alarm but the first of its cause says of what it is a part: `detail["part_of"]` is the kind of that one.

    First is the worst, and of equals what lies upstream of the others.
    """
    alarming = {each.kind: each for each in seen if severity(each.level) >= 2}
    part_of: dict[str, str] = {}
    for kinds in _causes(alarming):
        mine = [alarming[kind] for kind in kinds if kind in alarming]
        if len(mine) > 1:
            first = min(mine, key=lambda each: (-severity(each.level), kinds.index(each.kind)))
            part_of |= {each.kind: first.kind for each in mine if each is not first}
    return [
        replace(each, detail={**each.detail, "part_of": part_of[each.kind]}) if each.kind in part_of else each
        for each in seen
    ]


@dataclass(frozen=True)
class Earlier:
    """A look at a kind within the last window: its level, of which kind it was a part, and the columns that alarmed."""

    level: Level
    part_of: str | None
    columns: frozenset[str]

    @classmethod
    def of(cls, seen: Observation | Seen) -> Earlier:
        """Of what was seen."""
        found = seen.detail.get("columns")
        listed = found if isinstance(found, list) else []
        columns = frozenset(each["column"] for each in listed if severity(each.get("level", "ok")) >= 2)
        return cls(seen.level, seen.detail.get("part_of"), columns)


def remaining(seen: Sequence[Seen], earlier: Mapping[str, Sequence[Earlier]]) -> list[Seen]:
    """What was a part of a cause that is over remains a part of it for as long as the window holds its rows.

    A unit that was put right leaves a window in which the column still has drifted: no other cause, and no message of its
    own, unless there is more of it than that cause had, or other columns. `earlier`: looks within the window before this
    one, by kind, oldest first.
    """
    return [_remaining(each, earlier) for each in seen]


def _remaining(seen: Seen, earlier: Mapping[str, Sequence[Earlier]]) -> Seen:
    if severity(seen.level) < 2 or "part_of" in seen.detail:
        return seen
    for before in reversed(earlier.get(seen.kind, ())):
        if severity(before.level) < 2:
            break
        if before.part_of is None:
            continue
        worst = max((severity(each.level) for each in earlier.get(before.part_of, ())), default=0)
        if 2 <= severity(seen.level) <= worst and Earlier.of(seen).columns <= before.columns:
            return replace(seen, detail={**seen.detail, "part_of": before.part_of})
        break
    return seen


def _causes(alarming: Mapping[str, Seen]) -> list[tuple[str, ...]]:
    upstream, labels, *others = CAUSES
    if "schema" in alarming and REFUSED in alarming["schema"].detail:
        # What callers send otherwise than before comes from no table that is late.
        upstream = tuple(kind for kind in upstream if kind not in CALLERS)
        others = [CALLERS, *others]
    if "concept" in alarming or not set(alarming) & set(upstream):
        return [upstream, labels, *others]
    return [(*upstream, *FOLLOWS), *others]


def led(seen: Sequence[Seen]) -> list[tuple[Seen, list[Seen]]]:
    """The messages: each first cause with what is a part of it, worst first."""
    alarming = [each for each in seen if severity(each.level) >= 2]
    firsts = [each for each in alarming if "part_of" not in each.detail]
    groups = [(each, [other for other in alarming if other.detail.get("part_of") == each.kind]) for each in firsts]
    return sorted(groups, key=lambda pair: -max(severity(each.level) for each in (pair[0], *pair[1])))
