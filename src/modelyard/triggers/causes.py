"""What people must know: causes that rise and end, read from observations and from the audit trail. Pure.

One cause is one alert, however many windows and monitors show it: what is seen of a deployment is one cause per kind, a
stale source one whoever looks at it. An alert latches: it is over when each monitor that saw it has looked `CALM` times
without seeing it; a window without sufficient data changes nothing. What happened (a rollback, a failed training) is over
when its contrary happens, or when a person says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from modelyard.records import Alert, Audit, Observation
from modelyard.spec.kinds import SLO, TOLD
from modelyard.spec.levels import watcher
from modelyard.spec.types import Spec

CALM = 3
"""So many looks without it end what was seen."""
AT_ONCE = ("stale_source", SLO)
"""A source that is fresh again is so at the first look; a burn rate has its short window."""

RISES: dict[str, tuple[str, Literal["warn", "page"]]] = {
    "rollout.rolled_back": ("rollback", "page"),
    "rollout.paused": ("rollout_paused", "page"),
    "release.refused": ("refused", "warn"),
    "request.failed": ("training_failed", "page"),
    "table.failed": ("data_failed", "warn"),
    "table.doubted": ("data_doubted", "warn"),
    "release.created": ("approval", "page"),
    "reaction.failed": ("trigger_failed", "page"),
    "reaction.refused": ("trigger_failed", "warn"),
}
"""Entries of the audit trail that people must know of; a release only when it waits for approval."""
ENDS: dict[str, tuple[str, ...]] = {
    "rollout.promoted": ("rollback", "rollout_paused"),
    "rollout.replaced": ("rollback", "rollout_paused"),
    "rollout.rolled_back": ("rollout_paused",),
    "rollout.settled": ("rollout_paused",),
    "release.created": ("refused", "training_failed"),
    "request.done": ("training_failed",),
    "table.mended": ("data_failed",),
    "table.cleared": ("data_doubted",),
    "release.approved": ("approval",),
    "release.rejected": ("approval",),
    "reaction.done": ("trigger_failed",),
}
"""Entries that end what rose before."""
ACTIONS = tuple(sorted({*RISES, *ENDS}))


@dataclass(frozen=True)
class Seen:
    """One sight of a cause: `level` "ok" ends it. `monitor` is empty for what happened rather than was observed."""

    cause: str
    level: Literal["ok", "warn", "page"]
    says: str
    at: datetime
    model: str = ""
    monitor: str = ""

    @property
    def kind(self) -> str:
        """drift, rollback, …"""
        return self.cause.partition(":")[0]

    @property
    def subject(self) -> str:
        """deployment.late-api, …"""
        return self.cause.partition(":")[2]


def observed(observations: Iterable[Observation]) -> Iterator[Seen]:
    """What observations say of causes, in their order; what is a part of another finding is told with that one."""
    for each in observations:
        if each.level == "insufficient_data" or each.detail.get("part_of"):
            continue
        kind = TOLD.get(each.kind, each.kind)
        level = each.level if each.level in ("warn", "page") else "ok"
        for subject, here in _subjects(each, level):
            says = each.detail.get("message") or each.says
            yield Seen(f"{kind}:{subject}", here, says, each.at, each.model, each.monitor)


def _subjects(each: Observation, level: Any) -> list[tuple[str, Any]]:
    """What an observation is about: its deployment, or the sources that it looked at."""
    if each.kind != "stale" or "sources" not in each.detail:
        return [(f"deployment.{each.deployment}", level)]
    stale = each.detail.get("stale", ())
    return [(f"source.{name}", level if name in stale else "ok") for name in sorted(each.detail["sources"])]


def happened(entries: Iterable[Audit], waiting: Sequence[str] = ()) -> Iterator[Seen]:
    """What entries of the audit trail say of causes, in their order; `waiting`: releases not approved yet, by digest."""
    for entry in entries:
        why = str(entry.detail.get("why", ""))
        model = str(entry.detail.get("release", "")).partition("@")[0]
        if entry.subject.startswith("model."):
            model = entry.subject.partition(".")[2]
        for kind in ENDS.get(entry.action, ()):
            yield Seen(f"{kind}:{_subject(kind, entry)}", "ok", why, entry.at, model)
        if entry.action in RISES and (entry.action != "release.created" or entry.detail.get("digest") in waiting):
            kind, level = RISES[entry.action]
            yield Seen(f"{kind}:{_subject(kind, entry)}", level, why, entry.at, model)


def _subject(kind: str, entry: Audit) -> str:
    """An approval is asked for one release; all else is about a deployment or a model as a whole."""
    return f"release.{entry.detail.get('release', '')}" if kind == "approval" else entry.subject


# ---- one alert -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stand:
    """How a cause stands: what each monitor that saw it saw last, the worst level so far, and what was said of it."""

    state: Literal["none", "open", "acknowledged", "resolved"]
    level: Literal["warn", "page"] = "warn"
    says: str = ""
    watched: dict[str, dict[str, Any]] | None = None


NOTHING = Stand("none")


def stand(alert: Alert) -> Stand:
    """How a recorded alert stands."""
    return Stand(alert.state, alert.level, alert.says, dict(alert.watched))


def after(now: Stand, seen: Seen) -> Stand:
    """How a cause stands after it was, or was not, seen once more."""
    over = now.state in ("none", "resolved")
    if seen.level == "ok":
        return now if over else _calmer(now, seen)
    watched = {} if over else dict(now.watched or {})
    watched[seen.monitor] = {"level": seen.level, "calm": 0}
    if over:
        return Stand("open", seen.level, seen.says, watched)
    worse = now.level == "warn" and seen.level == "page"
    # What is told goes with the level that is told: a milder look, or that of another monitor, says less than the worst did.
    says = seen.says if worse or seen.level == now.level else now.says
    # What got worse is news, also to who has acknowledged it.
    return Stand("open" if worse else now.state, "page" if worse else now.level, says, watched)


def _calmer(now: Stand, seen: Seen) -> Stand:
    """One monitor looked and did not see it. What was not observed, but happened, ends at once."""
    watched = {name: dict(each) for name, each in (now.watched or {}).items()}
    if seen.monitor not in watched:
        return now
    watched[seen.monitor]["calm"] += 1
    enough = CALM if seen.monitor and seen.kind not in AT_ONCE else 1
    still = {name: each for name, each in watched.items() if name != seen.monitor or each["calm"] < enough}
    return Stand(now.state if still else "resolved", now.level, now.says if still else seen.says or now.says, still)


def watchers(spec: Spec) -> list[str]:
    """Who may see the end of a cause: declared monitors, and the looks at declared service levels."""
    return [*spec.monitors, *(watcher(name) for name, each in spec.deployments.items() if each.slo is not None)]


def forgotten(now: Stand, monitors: Iterable[str]) -> Stand:
    """How it stands when only these monitors are declared: nobody else will ever see its end."""
    kept = {name: each for name, each in (now.watched or {}).items() if not name or name in set(monitors)}
    if kept:
        return Stand(now.state, now.level, now.says, kept)
    return Stand("resolved", now.level, "it is watched no more", kept)
