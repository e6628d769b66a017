"""Draw what each strategy does with the traffic: `python docs/strategies/pictures.py` writes one SVG per strategy here.

Each picture is made by the strategy itself: its decisions and routes are asked day after day, as a controller would ask,
with evidence of a good challenger. A test draws them again and compares, so a picture cannot say what the code does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from modelyard.release.agreement import Agreement
from modelyard.release.contrast import Contrast
from modelyard.release.decide import decide, routes
from modelyard.release.decisions import (
    Advance,
    Decision,
    Drill,
    Join,
    Note,
    Promote,
    Return,
    Reweigh,
    Rollback,
    Settle,
    Start,
)
from modelyard.release.guards import Evidence
from modelyard.release.ranking import Rank
from modelyard.release.state import Rollout, Situation
from modelyard.spec.strategies import Strategy, short
from modelyard.stats.sequential import Rate

HERE = Path(__file__).parent
ZERO = datetime(2026, 1, 1, tzinfo=UTC)
COLOURS = {"1": "#0072b2", "2": "#d55e00", "3": "#009e73"}
DAYS, EACH, HEIGHT, LEFT = 14, 44, 120, 96

DECLARED: dict[str, Any] = {
    "replace": "replace",
    "blue_green": {"blue_green": {"probation": "2d", "drill": "5d"}},
    "canary": {
        "canary": {
            "steps": [{"shadow": "100%", "for": "2d"}, {"traffic": "5%", "for": "2d"}, {"traffic": "25%", "for": "2d"},
                      {"traffic": "100%"}],
            "probation": "3d",
        }
    },
    "shadow": {"shadow": {"share": "100%", "every": "3d"}},
    "ab_test": {"ab_test": {"split": "50%", "for": "7d"}},
    "champion_challenger": {"champion_challenger": {"for": "5d"}},
    "bandit": {"bandit": {"floor": "5%", "every": "1d", "for": "9d"}},
}  # fmt: skip


@dataclass(frozen=True)
class Day:
    """One day's routes, and what was decided at its end."""

    arms: list[dict[str, Any]]
    shadows: list[dict[str, Any]]
    decision: Decision


def play(kind: str) -> Iterator[Day]:
    """Fourteen days of a strategy: release 1 serves, release 2 is approved on the second day (and 3 on the fourth, where
    several are tried), and nothing is wrong with it.
    """
    strategy = Strategy.model_validate(short(DECLARED[kind]))
    champion, rollout, previous, switched = "1", None, None, ZERO
    approved: list[str] = []
    for day in range(DAYS):
        now = ZERO + timedelta(days=day)
        if day == 1:
            approved.append("2")
        if day == 3 and kind == "champion_challenger":
            approved.append("3")
        candidate = approved[0] if approved else None
        seen = evidence(kind, rollout, now) if rollout else {}
        decision = decide(Situation(champion, rollout, candidate, previous, switched), strategy, now, seen)
        before = champion
        champion, rollout = after(decision, champion, rollout, now, kind)
        approved = approved[1:] if isinstance(decision, Start | Join) else approved
        if champion != before:
            previous, switched = before, now
        elif isinstance(decision, Return):
            switched = now
        made = routes(rollout, champion, strategy, ())
        yield Day(made["arms"], made["shadows"], decision)


def evidence(kind: str, rollout: Rollout, now: datetime) -> dict[str, Evidence]:
    """A challenger that makes no errors, answers much the same, and is better a little; the longer, the surer."""
    days = (now - rollout.started).days
    fine = {"error_rate": ((Rate(20_000, 10), Rate(20_000, 10)),)}
    contrast = Contrast("better" if days >= 5 else "open", "log_loss .51 against .53", 9_000, 0.02, 0.01, 0.03)
    ranks = {"2": Rank(-0.01, False, "2"), "3": Rank(-0.03, days >= 5, "3")}
    chance = min(0.99, 0.5 + 0.07 * days)
    return {
        release: Evidence(
            rows=1_000,
            rates=fine,
            contrast=contrast if kind in ("ab_test", "bandit") else None,
            rank=ranks.get(release),
            since=rollout.started,
            agreement=Agreement(9_000, 0.97, 0.01, 0.08, (0.0, 0.0), (4.0, 4.0)),
            chances=(1 - chance, chance),
        )
        for release in rollout.challengers
    }


def after(
    decision: Decision, champion: str, rollout: Rollout | None, now: datetime, kind: str
) -> tuple[str, Rollout | None]:
    """Champion and rollout once a decision is carried out."""
    match decision:
        case Start(release=release, how="replace"):
            return release, None
        case Start(release=release):
            return champion, Rollout.begin(release, champion, now, kind, "loading" if kind == "blue_green" else "steps")
        case Drill(release=release):
            return champion, Rollout.begin(release, champion, now, kind, "drill")
        case Return() | Settle() | Rollback():
            return champion, None
    if rollout is None:
        return champion, None
    match decision:
        case Join(release=release):
            return champion, rollout.joined(release, now)
        case Advance(to=to):
            return champion, rollout.advanced(to, now)
        case Reweigh(weights=weights):
            return champion, rollout.weighed(weights, now)
        case Note():
            return champion, replace(rollout, noted=now)
        case Promote(release=release):
            new = release or rollout.release
            return new, rollout.promoted(now) if kind in ("canary", "blue_green") else None
    return champion, rollout


def draw(kind: str) -> str:
    """The picture: who answers (upper band) and who answers unseen (lower band), day by day."""
    width = LEFT + DAYS * EACH + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 224" width="{width}" height="224" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(kind)}: shares of the traffic over {DAYS} days</title>",
        f'<rect width="{width}" height="224" fill="#ffffff"/>',
        '<text x="8" y="76" fill="#444">answers</text>',
        '<text x="8" y="160" fill="#444">in shadow</text>',
    ]
    met: dict[str, None] = {}
    before = ""
    for number, day in enumerate(play(kind)):
        met |= dict.fromkeys(each["release"] for each in (*day.arms, *day.shadows))
        x, y = LEFT + number * EACH, 14.0
        for arm in day.arms:
            tall = round(arm["weight"] * HEIGHT, 1)
            if tall:
                parts.append(_block(x, y, tall, arm["release"], 1.0))
            y += tall
        for place, shadow in enumerate(day.shadows[:2]):
            parts.append(_block(x, 146.0 + 12 * place, 10, shadow["release"], shadow["share"]))
        name = type(day.decision).__name__.lower()
        if day.decision.acts and name != before:  # a word that goes on stands once
            title = escape(day.decision.says)
            parts.append(f'<text x="{x + 2}" y="190" fill="#222"><title>{title}</title>{name}</text>')
        before = name
        parts.append(f'<text x="{x + 2}" y="208" fill="#666">day {number + 1}</text>')
    parts += [
        f'<rect x="8" y="{86 + 17 * n}" width="10" height="10" fill="{COLOURS[release]}"/>'
        f'<text x="22" y="{95 + 17 * n}" fill="#444">late@{release}</text>'
        for n, release in enumerate(sorted(met))
    ]
    return "".join(parts) + "</svg>\n"


def _block(x: float, y: float, tall: float, release: str, opacity: float) -> str:
    return f'<rect x="{x}" y="{y}" width="{EACH - 2}" height="{tall}" fill="{COLOURS[release]}" opacity="{opacity}"/>'


def main() -> None:
    """Write all pictures."""
    for kind in DECLARED:
        (HERE / f"{kind}.svg").write_text(draw(kind))


if __name__ == "__main__":
    main()
