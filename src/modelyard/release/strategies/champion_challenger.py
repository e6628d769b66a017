"""Champion and challengers: several releases answer the same rows in shadow and are ranked on labels as they arrive.

1. a challenger whose guard failed is withdrawn;
2. the best is promoted once it is proven better than the champion by `by`, compared for long enough, and its guards pass;
   the others go on against the new champion;
3. a newly approved release joins; when there are `most` already, in the place of the last in the ranking.
"""

from __future__ import annotations

from modelyard.release.decisions import Decision, Drop, Join, Promote, Rollback, Wait
from modelyard.release.ranking import Rank
from modelyard.release.state import Rollout
from modelyard.release.strategies.matter import Matter, failed, unproven
from modelyard.release.strategies.routing import Routes, arm, named, shadow
from modelyard.spec.strategies import ChampionChallenger


def decide(declared: ChampionChallenger, matter: Matter) -> Decision:
    """What to do next with the challengers."""
    rollout = matter.rollout
    for release in rollout.challengers:
        why = failed(matter, release)
        if why:
            return Drop(release, why) if rollout.others else Rollback(why)
    order = ranked(matter)
    candidate = matter.situation.candidate
    best = order[0] if order else None
    if best is not None and declared.promote == "best" and best[1].proven:
        release, rank = best
        waits = _waits(declared, matter, release)
        if not waits:
            return Promote(f"it ranks first of {len(rollout.challengers)}: {rank.says}", release)
    if candidate is not None:
        if len(rollout.challengers) < declared.most:
            return Join(candidate, f"a newer release is approved: it joins {len(rollout.challengers)} other(s)")
        unranked = [each for each in rollout.challengers if each not in dict(order)]
        last = unranked[0] if unranked else order[-1][0]
        return Join(candidate, f"a newer release is approved, and {declared.most} are being tried already", last)
    return Wait(
        best[1].says if best is not None else "no row that a challenger and the champion answered has its label"
    )


def ranked(matter: Matter) -> list[tuple[str, Rank]]:
    """The challengers that can be ranked, best first."""
    known = [(each, matter.about(each).rank) for each in matter.rollout.challengers]
    return sorted(((each, rank) for each, rank in known if rank is not None), key=lambda item: item[1].excess)


def _waits(declared: ChampionChallenger, matter: Matter, release: str) -> list[str]:
    since = matter.about(release).since or matter.rollout.started
    young = matter.now - since < declared.for_
    until = [f"is compared at least until {since + declared.for_:%Y-%m-%d %H:%M}"] if young else []
    return until + unproven(matter, release)


def routes(declared: ChampionChallenger, rollout: Rollout) -> Routes:
    """The champion answers, every challenger beside it."""
    shadows = [shadow(named(rollout, each), each, declared.share) for each in rollout.challengers]
    return [arm("champion", rollout.champion, 1.0)], shadows
