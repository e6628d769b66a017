"""What a strategy's decision looks at, and the questions that several strategies ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from modelyard.release.decisions import Rollback, Settle, Wait
from modelyard.release.guards import Evidence, Finding
from modelyard.release.state import Rollout, Situation
from modelyard.spec.strategies import Tested
from modelyard.spec.values import show_duration


@dataclass(frozen=True)
class Matter:
    """A rollout under examination: evidence and findings of the guards, per challenger."""

    situation: Situation
    rollout: Rollout
    now: datetime
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)

    @property
    def seen(self) -> Evidence:
        """The evidence about the only (or first) challenger."""
        return self.about(self.rollout.release)

    def about(self, release: str) -> Evidence:
        """The evidence about one challenger."""
        return self.evidence.get(release, Evidence())

    def found(self, release: str | None = None) -> tuple[Finding, ...]:
        """What the guards say about one challenger (the first)."""
        return self.findings.get(release or self.rollout.release, ())


def nothing_yet(declared: Tested) -> str:
    """What is said of a test before anything is known that could decide it."""
    if declared.kpi is not None:
        return f"no period of {declared.kpi} with values of both arms yet"
    return "no labelled row of both releases yet"


def failed(matter: Matter, release: str | None = None) -> str:
    """Why the guards of a challenger failed; "" when none has."""
    return "; ".join(each.says for each in matter.found(release) if each.verdict == "fail")


def unproven(matter: Matter, release: str | None = None) -> list[str]:
    """What has not passed yet, of all that must before promotion."""
    return [each.says for each in matter.found(release) if each.verdict not in ("pass", "not judged")]


def passed(matter: Matter, release: str | None = None) -> str:
    """What the guards of a challenger that may be promoted say."""
    return "; ".join(each.says for each in matter.found(release)) or "no guard is declared"


def young(matter: Matter, least: timedelta, since: datetime) -> list[str]:
    """Why the present step cannot be left yet: its minimum time, gateways that do not run it, no rows."""
    reasons = []
    if matter.now - since < least:
        reasons.append(f"lasts at least until {since + least:%Y-%m-%d %H:%M}")
    if not matter.seen.running:
        reasons.append("not every gateway runs its routes yet")
    if matter.seen.rows == 0:
        reasons.append("the challenger has not seen a row in it")
    return reasons


def probation(matter: Matter, lasts: timedelta) -> Rollback | Settle | Wait:
    """After a promotion: back when a guard fails, else done when the time is over."""
    why = failed(matter)
    if why:
        return Rollback(why)
    until = matter.rollout.entered + lasts
    if matter.now >= until:
        return Settle(f"{show_duration(lasts)} of probation have passed and no guard failed")
    return Wait(f"in probation until {until:%Y-%m-%d %H:%M}")
