"""What can be decided about a deployment: plain values, which `rollout` carries out and people read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Start:
    """Begin with a release: `first` and `replace` let it serve at once, any other is a strategy that tries it."""

    release: str
    how: str
    says: str
    acts = True


@dataclass(frozen=True)
class Advance:
    """Take step number `to` (from 0)."""

    to: int
    says: str
    acts = True


@dataclass(frozen=True)
class Promote:
    """Make a challenger the champion: `release`, or the only one."""

    says: str
    release: str | None = None
    acts = True


@dataclass(frozen=True)
class Rollback:
    """Go back to the champion from before."""

    says: str
    acts = True


@dataclass(frozen=True)
class Pause:
    """Keep the routes as they are until a person decides."""

    says: str
    acts = True


@dataclass(frozen=True)
class Settle:
    """End the probation: the release stays, the old champion is retired."""

    says: str
    acts = True


@dataclass(frozen=True)
class Finish:
    """End what is tried: the champion stays, the challengers are retired, none of them for being bad."""

    says: str
    acts = True


@dataclass(frozen=True)
class Join:
    """Try one release more beside the others, in the place of `instead` if that is one of them."""

    release: str
    says: str
    instead: str | None = None
    acts = True


@dataclass(frozen=True)
class Drop:
    """Withdraw one of several challengers."""

    release: str
    says: str
    acts = True


@dataclass(frozen=True)
class Reweigh:
    """Give the champion and its challengers (in their order) other shares of the traffic."""

    weights: tuple[float, ...]
    says: str
    acts = True


@dataclass(frozen=True)
class Note:
    """Record how releases compare; nothing else changes."""

    says: str
    acts = True


@dataclass(frozen=True)
class Drill:
    """Switch to the previous release for as long as it takes to measure how long that takes."""

    release: str
    says: str
    acts = True


@dataclass(frozen=True)
class Return:
    """End a drill: the champion answers again. `seconds` until every gateway had switched; None when one had not."""

    seconds: float | None
    says: str
    acts = True


@dataclass(frozen=True)
class Wait:
    """Do nothing yet."""

    says: str
    acts = False


Decision = (
    Start
    | Advance
    | Promote
    | Rollback
    | Pause
    | Settle
    | Finish
    | Join
    | Drop
    | Reweigh
    | Note
    | Drill
    | Return
    | Wait
)
