"""Whether a trigger fires, and a sentence per condition why it did or did not. Pure.

`schedule` holds when the model was last trained that long ago. What names a monitor (`drift`, `quality`, …) looks at its
newest observations of that kind: with `windows: 2 of 3` at least so many of the last ones must warn or page; without it the
newest one pages, or 2 of the last 3 warn and the newest is not calm again. Windows that overlap hold the same rows and count as one; what is a fact of the
moment, a stale source, counts by looks. `decay` holds when the newest forecast lies that near, `data` when so many rows
have arrived since the last training, `kpi` when the mean of a business figure lies beyond a bound.

A condition holds, holds not, or is not known: nothing was observed, or there was insufficient data. `any`, `all` and `not`
join them by Kleene's logic, so that lack of data never fires anything, not even under `not`.

A condition that holds is held back while a request of the trigger is open, for `cooldown` after the last one, and above
`at_most`. Retraining rests also after any other training of the model, and while another request for it is open. A candidate
that is being tried holds retraining and rollback back too, until it is decided (at the latest after `within`): the next
one would take its place in shadow, and one that comes often enough would never let any be decided. A release that waits
for approval does not: nobody knows for how long, and meanwhile the world may have moved again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from modelyard.records import Observation, Request
from modelyard.spec.kinds import FORECAST, OBSERVED
from modelyard.spec.triggers import Arrived, Decay, Figure, Trigger, When
from modelyard.spec.values import OutOf, show_duration

PERSISTENT = OutOf(2, 3)
"""Without `windows`: so many of the last windows must at least warn, unless the newest one pages."""

MOMENTARY = ("stale",)
"""What is a fact of the moment of a look, not of the rows of a window: each look counts."""


@dataclass(frozen=True)
class Reason:
    """What one condition said: whether it `holds` (None: not known), and the sentence."""

    holds: bool | None
    says: str


@dataclass(frozen=True)
class Decision:
    """Whether the trigger fires, whether its condition `holds`, why in one sentence, and what each condition said."""

    fire: bool
    why: str
    reasons: tuple[Reason, ...]
    holds: bool | None = None


@dataclass(frozen=True)
class Facts:
    """What conditions look at: observations in the order of their windows, the last training, rows that came since."""

    now: datetime
    observations: Sequence[Observation]
    last_trained: datetime | None
    arrived: Mapping[str, int | None] = field(default_factory=dict)
    kpis: Mapping[str, Sequence[tuple[datetime, float]]] = field(default_factory=dict)


def decide(
    name: str,
    trigger: Trigger,
    *,
    now: datetime,
    observations: Sequence[Observation],
    last_trained: datetime | None,
    requests: Sequence[Request] = (),
    trying: str | None = None,
    arrived: Mapping[str, int | None] | None = None,
    kpis: Mapping[str, Sequence[tuple[datetime, float]]] | None = None,
) -> Decision:
    """Whether trigger `name` acts at `now`.

    `observations` are those made of the release that serves (older ones would blame it for its predecessor); `requests`
    are all about its model; `trying` names the candidate that is being tried in its place; `arrived` says by how many rows
    datasets have grown since the last training, `kpis` gives the values of figures by period. Before the first training (`last_trained` None) nothing fires: `apply`
    trains first.
    """
    ordered = sorted(observations, key=lambda seen: (seen.end, seen.start))
    facts = Facts(now, ordered, last_trained, arrived or {}, kpis or {})
    whole = _holds(trigger.when, facts)
    reasons = tuple(_leaves(trigger.when, facts))
    if not whole.holds:
        return Decision(False, whole.says, reasons, whole.holds)
    held_back = _held_back(name, trigger, now, last_trained, requests, trying)
    if held_back:
        return Decision(False, f"{whole.says}; {held_back}", reasons, True)
    return Decision(True, whole.says, reasons, True)


def _held_back(
    name: str,
    trigger: Trigger,
    now: datetime,
    last_trained: datetime | None,
    requests: Sequence[Request],
    trying: str | None,
) -> str:
    """Why a condition that holds does not fire now; empty when it does."""
    if last_trained is None:
        return "held back: the model has never been trained, `yard apply` does that"
    retrains = "retrain" in trigger.do
    own = [each for each in requests if each.trigger == name]
    mine = [*own, *(each for each in requests if retrains and each.kind == "retrain" and each.trigger != name)]
    waiting = [request for request in mine if request.state == "open"]
    if waiting:
        return f"held back: the request of {waiting[-1].at:%Y-%m-%d %H:%M} is still open"
    if trying is not None and (retrains or "rollback" in trigger.do):
        return f"held back: {trying} is being tried"
    times = [*(request.at for request in mine), *([last_trained] if retrains else [])]
    if times and now - max(times) < trigger.cooldown:
        return f"held back: in cooldown until {max(times) + trigger.cooldown:%Y-%m-%d %H:%M}"
    if trigger.at_most is not None:
        recent = {request.at for request in own if now - request.at < trigger.at_most.per}
        if len(recent) >= trigger.at_most.count:
            return (
                f"held back: it fired {len(recent)} times within {show_duration(trigger.at_most.per)}, and may not more"
            )
    return ""


def explain(when: When, facts: Facts) -> list[str]:
    """For each condition, in the order declared, why it holds or does not."""
    return [reason.says for reason in _leaves(when, facts)]


def _leaves(when: When, facts: Facts) -> list[Reason]:
    parts = (*(when.any or ()), *(when.all or ()), *((when.not_,) if when.not_ else ()))
    return [reason for part in parts for reason in _leaves(part, facts)] if parts else [_holds(when, facts)]


def _holds(when: When, facts: Facts) -> Reason:
    """Whether a condition holds. Of several, the sentence names those that decided it."""
    if when.any is not None:
        parts = [_holds(part, facts) for part in when.any]
        return _joined(_either(part.holds for part in parts), parts)
    if when.all is not None:
        parts = [_holds(part, facts) for part in when.all]
        return _joined(negated(_either(negated(part.holds) for part in parts)), parts)
    if when.not_ is not None:
        inner = _holds(when.not_, facts)
        return Reason(negated(inner.holds), f"not: {inner.says}")
    if when.schedule is not None:
        return _schedule(when, facts)
    if when.decay is not None:
        return _decay(when.decay, facts)
    if when.data is not None:
        return _data(when.data, facts)
    if when.kpi is not None:
        return _kpi(when.kpi, facts)
    kind, monitor = next((kind, name) for kind, name in watched(when))
    return _watched(kind, monitor, when.windows, facts.observations)


def watched(when: When) -> Iterable[tuple[str, str]]:
    """The kind of observation that a single condition waits for, and the monitor that it names."""
    for kind in OBSERVED:
        monitor = getattr(when, "schema_" if kind == "schema" else kind)
        if monitor is not None:
            yield kind, monitor


def negated(holds: bool | None) -> bool | None:
    """The contrary; of what is not known, not known."""
    return None if holds is None else not holds


def _either(parts: Iterable[bool | None]) -> bool | None:
    """Kleene's or."""
    known = list(parts)
    return True if True in known else None if None in known else False


def _joined(holds: bool | None, parts: Sequence[Reason]) -> Reason:
    shown = [part.says for part in parts if part.holds == holds or (holds is None and part.holds is False)]
    return Reason(holds, "; ".join(shown))


def _schedule(when: When, facts: Facts) -> Reason:
    assert when.schedule is not None
    every = show_duration(when.schedule)
    if facts.last_trained is None:
        return Reason(True, "schedule: never trained yet")
    due = facts.last_trained + when.schedule
    told = f"last trained {facts.last_trained:%Y-%m-%d %H:%M}"
    if facts.now >= due:
        return Reason(True, f"schedule: {told}, every {every}")
    return Reason(False, f"schedule: {told}, due {due:%Y-%m-%d %H:%M}")


def _decay(wanted: Decay, facts: Facts) -> Reason:
    """Whether the newest forecast lies near."""
    seen = [each for each in facts.observations if each.kind == FORECAST and wanted.monitor in (None, each.monitor)]
    label = f"decay{f' of {wanted.monitor}' if wanted.monitor else ''}"
    if not seen or seen[-1].level == "insufficient_data":
        why = seen[-1].says if seen else "nothing was forecast yet of the release that serves"
        return Reason(None, f"{label}: {why}")
    crosses = seen[-1].detail.get("crosses")
    if not crosses:
        return Reason(False, f"{label}: {seen[-1].says}")
    near = datetime.fromisoformat(crosses) - facts.now <= wanted.before
    told = "" if near else f", more than {show_duration(wanted.before)} away"
    return Reason(near, f"{label}: {seen[-1].says}{told}")


def _data(wanted: Arrived, facts: Facts) -> Reason:
    came = facts.arrived.get(wanted.dataset)
    if came is None:
        return Reason(None, f"data: it is not known how many rows of {wanted.dataset} have arrived")
    told = f"data: {came:,} rows of {wanted.dataset} arrived since the last training"
    return Reason(True, told) if came >= wanted.rows else Reason(False, f"{told}, {wanted.rows:,} are needed")


def _kpi(wanted: Figure, facts: Facts) -> Reason:
    """Whether the mean of a figure over the last while lies outside what is wanted."""
    since = facts.now - wanted.over
    values = [value for time, value in facts.kpis.get(wanted.name, ()) if since <= time < facts.now]
    label = f"kpi {wanted.name}"
    if not values:
        return Reason(None, f"{label}: no value within the last {show_duration(wanted.over)}")
    mean = sum(values) / len(values)
    low = wanted.below is not None and mean < wanted.below
    high = wanted.above is not None and mean > wanted.above
    bound = " or ".join(
        f"{word} {limit:g}" for word, limit in (("below", wanted.below), ("above", wanted.above)) if limit is not None
    )
    told = f"{label}: {mean:.4g} on average over the last {show_duration(wanted.over)}"
    return Reason(low or high, f"{told}, {bound}" if low or high else f"{told}, not {bound}")


def _watched(kind: str, monitor: str, windows: OutOf | None, observations: Sequence[Observation]) -> Reason:
    """A condition on a monitor's observations of one kind."""
    seen = [each for each in observations if each.monitor == monitor and each.kind == kind]
    label = f"{kind} of {monitor}"
    if not seen:
        return Reason(None, f"{label}: nothing was observed yet of the release that serves")
    newest = seen[-1]
    if windows is None and newest.level == "page":
        return Reason(True, f"{label}: {newest.says}")
    if windows is None and newest.level == "ok" and kind in MOMENTARY:
        return Reason(False, f"{label}: {newest.says}")  # it is fresh again
    wanted = windows or PERSISTENT
    last = seen[-wanted.of :] if kind in MOMENTARY else apart(seen, wanted.of)
    hits = [each for each in last if each.level in ("warn", "page")]
    counted = f"{len(hits)} of the last {len(last)} {'looks' if kind in MOMENTARY else 'windows'} alarmed"
    if len(hits) >= wanted.hits:
        if windows is None and newest.level in ("ok", "info"):
            return Reason(False, f"{label}: {counted}, the newest does not")
        when = "" if hits[-1] is newest else f" on {hits[-1].end:%Y-%m-%d}"
        return Reason(True, f"{label}: {counted}, the last{when}: {hits[-1].says}")
    empty = sum(1 for each in last if each.level == "insufficient_data")
    lacking = f" ({empty} without sufficient data)" if empty else ""
    unseen = empty + wanted.of - len(last)
    holds = None if len(hits) + unseen >= wanted.hits else False
    return Reason(holds, f"{label}: {counted}{lacking}, {wanted.hits} of {wanted.of} are needed")


def apart(seen: Sequence[Observation], most: int) -> list[Observation]:
    """The newest observation and those before it whose windows do not overlap, at most so many, oldest first: looks a day
    apart at a window of a week say nearly the same thing twice. `seen` in the order of their windows."""
    found: list[Observation] = []
    for each in reversed(seen):
        if len(found) == most:
            break
        if not found or each.end <= found[-1].start:
            found.append(each)
    return found[::-1]
