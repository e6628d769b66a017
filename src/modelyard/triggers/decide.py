"""Whether a trigger fires, and a sentence per condition why it did or did not. Pure.

`schedule` holds when the model was last trained that long ago. `drift` and `quality` look at the newest observations of a
monitor: with `windows: 2 of 3` at least so many of the last ones must warn or page; without it the newest one pages, or
2 of the last 3 warn. A window with insufficient data is a window without a hit: it never fires and it does not go away.

A condition that holds is held back while a request for the model is open, and for `cooldown` after the last request or
training. A candidate that is being tried holds it back too, until it is decided (at the latest after `within`): the next
one would take its place in shadow, and one that comes often enough would never let any be decided. A release that waits
for approval does not: nobody knows for how long, and meanwhile the world may have moved again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from modelyard.records import Observation, Request
from modelyard.spec.types import Trigger, When
from modelyard.spec.values import OutOf, show_duration

PERSISTENT = OutOf(2, 3)
"""Without `windows`: so many of the last windows must at least warn, unless the newest one pages."""


@dataclass(frozen=True)
class Reason:
    """What one condition said: whether it `holds`, and the sentence."""

    holds: bool
    says: str


@dataclass(frozen=True)
class Decision:
    """Whether the trigger fires, why in one sentence, and what each condition said."""

    fire: bool
    why: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Facts:
    """What conditions look at: observations in the order of their windows, and the last training, if there was one."""

    now: datetime
    observations: Sequence[Observation]
    last_trained: datetime | None


def decide(
    name: str,
    trigger: Trigger,
    *,
    now: datetime,
    observations: Sequence[Observation],
    last_trained: datetime | None,
    requests: Sequence[Request] = (),
    trying: str | None = None,
) -> Decision:
    """Whether trigger `name` asks for training at `now`.

    `observations` are those made of the release that serves (older ones would blame it for its predecessor); `requests`
    are all to retrain its model; `trying` names the candidate that is being tried in its place. Before the first training (`last_trained` None) nothing fires: `apply` trains first.
    """
    facts = Facts(now, sorted(observations, key=lambda seen: (seen.end, seen.start)), last_trained)
    whole = _holds(trigger.when, facts)
    reasons = tuple(_leaves(trigger.when, facts))
    if not whole.holds:
        return Decision(False, whole.says, reasons)
    held_back = _held_back(trigger, now, last_trained, requests, trying)
    if held_back:
        return Decision(False, f"{whole.says}; {held_back}", reasons)
    return Decision(True, whole.says, reasons)


def _held_back(
    trigger: Trigger, now: datetime, last_trained: datetime | None, requests: Sequence[Request], trying: str | None
) -> str:
    """Why a condition that holds does not fire now; empty when it does."""
    if last_trained is None:
        return "held back: the model has never been trained, `yard apply` does that"
    waiting = [request for request in requests if request.state == "open"]
    if waiting:
        return f"held back: the request of {waiting[-1].at:%Y-%m-%d %H:%M} is still open"
    if trying is not None:
        return f"held back: {trying} is being tried"
    last = max([last_trained, *(request.at for request in requests)])
    if now - last < trigger.cooldown:
        return f"held back: in cooldown until {last + trigger.cooldown:%Y-%m-%d %H:%M}"
    return ""


def explain(when: When, facts: Facts) -> list[str]:
    """For each condition, in the order declared, why it holds or does not."""
    return [reason.says for reason in _leaves(when, facts)]


def _leaves(when: When, facts: Facts) -> list[Reason]:
    if when.any is not None or when.all is not None:
        return [reason for part in (*(when.any or ()), *(when.all or ())) for reason in _leaves(part, facts)]
    return [_holds(when, facts)]


def _holds(when: When, facts: Facts) -> Reason:
    """Whether a condition holds. Of several, the sentence names those that decided it."""
    if when.any is not None:
        parts = [_holds(part, facts) for part in when.any]
        return _joined(any(part.holds for part in parts), parts)
    if when.all is not None:
        parts = [_holds(part, facts) for part in when.all]
        return _joined(bool(parts) and all(part.holds for part in parts), parts)
    if when.schedule is not None:
        return _schedule(when, facts)
    kind, monitor = ("drift", when.drift) if when.drift is not None else ("quality", when.quality)
    return _watched(kind, monitor or "", when.windows, facts.observations)


def _joined(holds: bool, parts: Sequence[Reason]) -> Reason:
    return Reason(holds, "; ".join(part.says for part in parts if part.holds == holds))


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


def _watched(kind: str, monitor: str, windows: OutOf | None, observations: Sequence[Observation]) -> Reason:
    """A condition on a monitor's observations of one kind."""
    seen = [each for each in observations if each.monitor == monitor and each.kind == kind]
    label = f"{kind} of {monitor}"
    if not seen:
        return Reason(False, f"{label}: nothing was observed yet of the release that serves")
    newest = seen[-1]
    if windows is None and newest.level == "page":
        return Reason(True, f"{label}: {newest.says}")
    wanted = windows or PERSISTENT
    last = seen[-wanted.of :]
    hits = [each for each in last if each.level in ("warn", "page")]
    counted = f"{len(hits)} of the last {len(last)} windows alarmed"
    if len(hits) >= wanted.hits:
        return Reason(True, f"{label}: {counted}, the last: {hits[-1].says}")
    empty = sum(1 for each in last if each.level == "insufficient_data")
    lacking = f" ({empty} without sufficient data)" if empty else ""
    return Reason(False, f"{label}: {counted}{lacking}, {wanted.hits} of {wanted.of} are needed")
