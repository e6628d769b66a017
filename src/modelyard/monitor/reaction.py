"""What the declared triggers will do about an alarm: which, when, and how often at most. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from modelyard.monitor.seen import Seen
from modelyard.spec.kinds import FORECAST
from modelyard.spec.monitors import Monitor
from modelyard.spec.triggers import Act, Trigger, When
from modelyard.spec.types import Spec
from modelyard.spec.values import OutOf
from modelyard.stats import severity

MOMENTARY = "stale"
"""A stale source counts by looks: it is a fact of the moment, not of the rows of a window."""


@dataclass(frozen=True)
class Leaf:
    """A single condition of a trigger; `alone`: it needs no other to hold; `against`: it stands under `not`."""

    when: When
    alone: bool = True
    against: bool = False


def reaction(spec: Spec, name: str, monitor: Monitor, seen: Sequence[Seen]) -> str:
    """What will be done about what monitor `name` saw (the first cause, and what is a part of it), in sentences.

    A trigger that waits for it comes first, then what waits for the same of another monitor of this deployment, or is held
    back by it: that none waits is said only where it is so.
    """
    model = spec.deployments[monitor.deployment].model
    mine = {each: trigger for each, trigger in spec.triggers.items() if trigger.model == model}
    waiting = {each: leaf for each, trigger in mine.items() if (leaf := _waits(trigger, name, seen))}
    told = [_acts(each, mine[each], *found, monitor) for each, found in waiting.items()]
    if told:
        return " ".join(told)
    others = {each: other for each, other in spec.monitors.items() if other.deployment == monitor.deployment}
    told = [f"No trigger waits for {_either(each.kind for each in seen)} of {name}: nothing is done by itself."]
    for each, trigger in mine.items():
        does = f"{each} ({_does(trigger)})"
        elsewhere = [other for other in others if other != name and _waits(trigger, other, seen)]
        if elsewhere:
            told.append(
                f"Trigger {does} acts when {_either(elsewhere)}, which looks at the same deployment, sees it too."
            )
        elif any(leaf.against and _of(leaf.when, name, part) for leaf in leaves(trigger.when) for part in seen):
            told.append(f"While it lasts, it may keep trigger {does} from acting.")
    return " ".join(told)


def leaves(when: When, *, alone: bool = True, against: bool = False) -> Iterator[Leaf]:
    """The single conditions of a sentence."""
    parts = (*(when.any or ()), *(when.all or ()))
    for part in parts:
        yield from leaves(part, alone=alone and (when.all is None or len(parts) == 1), against=against)
    if when.not_ is not None:
        yield from leaves(when.not_, alone=alone, against=not against)
    elif not parts:
        yield Leaf(when, alone, against)


def _waits(trigger: Trigger, name: str, seen: Sequence[Seen]) -> tuple[Leaf, Seen] | None:
    """The condition by which a trigger acts soonest upon what a monitor saw, and what that was."""
    found = [
        (leaf, each)
        for leaf in leaves(trigger.when)
        for each in seen
        if not leaf.against and _of(leaf.when, name, each)
    ]
    return max(found, key=lambda pair: (pair[0].alone, severity(pair[1].level)), default=None)


def _of(when: When, name: str, seen: Seen) -> bool:
    """Whether a condition is about what a monitor saw."""
    if when.decay is not None:
        return seen.kind == FORECAST and when.decay.monitor in (None, name)
    if when.kpi is not None:
        return when.kpi.name in {each["name"] for each in _alarming(seen)}
    return getattr(when, "schema_" if seen.kind == "schema" else seen.kind, None) == name


def _alarming(seen: Seen) -> list[Mapping[str, str]]:
    """The business figures that alarm."""
    figures = seen.detail.get("figures", ()) if seen.kind == "kpis" else ()
    return [each for each in figures if severity(each["level"]) >= 2]


def _acts(name: str, trigger: Trigger, leaf: Leaf, seen: Seen, monitor: Monitor) -> str:
    often = f"at most every {_span(trigger.cooldown)}"
    if trigger.at_most is not None:
        often += f" and {trigger.at_most.count} times in {_span(trigger.at_most.per)}"
    more = "" if leaf.alone else " and its other conditions hold"
    return f"Trigger {name} ({_does(trigger)}) acts {_when(leaf.when, seen, monitor, more)}, {often}."


def _when(when: When, seen: Seen, monitor: Monitor, more: str) -> str:
    if when.decay is not None:
        return f"when that date is at most {_span(when.decay.before)} away{more}"
    if when.kpi is not None:
        bounds = (("below", when.kpi.below), ("above", when.kpi.above))
        beyond = " or ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        return f"when {when.kpi.name} is {beyond} on average over {_span(when.kpi.over)}{more}"
    if when.windows is not None:
        return f"when {_shown(when.windows, seen, monitor)} show it{more}"
    if seen.level == "page":
        return "now that it pages, if its other conditions hold" if more else "at once, as it pages"
    return f"at once if it pages, else when {_shown(OutOf(2, 3), seen, monitor)} show it{more}"


def _shown(windows: OutOf, seen: Seen, monitor: Monitor) -> str:
    what = "looks" if seen.kind == MOMENTARY else f"windows of {_span(monitor.window)}, one after the other,"
    return f"{windows} {what}"


def _does(trigger: Trigger) -> str:
    words = (each if isinstance(each, str) else _act(each) for each in trigger.do)
    return " and ".join(dict.fromkeys(words))


def _act(act: Act) -> str:
    return "command" if act.run is not None else "webhook"


def _either(names: Iterator[str] | Sequence[str]) -> str:
    return " or ".join(names)


def _span(span: timedelta) -> str:
    days = span.total_seconds() / 86_400
    return f"{days:g} day{'' if days == 1 else 's'}" if days >= 1 else f"{days * 24:g} hours"
