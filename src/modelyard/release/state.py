"""A deployment as decisions see it: what serves, what is being tried in which phase, and what could be tried next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

Phase = Literal["loading", "steps", "paused", "probation", "drill"]


@dataclass(frozen=True)
class Rollout:
    """Releases being tried. In probation `release` serves already and `champion` is the one before it.

    `kind`: the strategy. `others`: further challengers. `step` counts from 0. `entries` are the times at which the steps
    so far began (in probation, when that began): between two of them the shares of the traffic stand still. `weights`:
    shares that a bandit gave, the champion's first. `noted`: when a comparison was recorded last. `salt`: by which keys
    are divided; it stays when challengers come and go.
    """

    release: str
    champion: str
    phase: Phase
    step: int
    started: datetime
    entries: tuple[datetime, ...]
    kind: str = "canary"
    others: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    noted: datetime | None = None
    salt: str = ""

    @property
    def entered(self) -> datetime:
        """When the present step, or the probation, began."""
        return self.entries[-1]

    @property
    def challengers(self) -> tuple[str, ...]:
        """All that is being tried."""
        return (self.release, *self.others)

    @classmethod
    def begin(cls, release: str, champion: str, now: datetime, kind: str = "canary", phase: Phase = "steps") -> Rollout:
        """The first step."""
        return cls(release, champion, phase, 0, now, (now,), kind, salt=release)

    def advanced(self, to: int, now: datetime) -> Rollout:
        """In step number `to`."""
        return replace(self, step=to, entries=(*self.entries, now))

    def promoted(self, now: datetime) -> Rollout:
        """In probation."""
        return replace(self, phase="probation", entries=(now,), others=(), weights=())

    def paused(self) -> Rollout:
        """The same step, until a person decides."""
        return replace(self, phase="paused")

    def joined(self, release: str, now: datetime) -> Rollout:
        """With one challenger more; shares are set anew."""
        return replace(self, others=(*self.others, release), entries=(*self.entries, now), weights=(), step=0)

    def without(self, release: str, now: datetime) -> Rollout | None:
        """With one challenger less; None when it was the last."""
        left = [each for each in self.challengers if each != release]
        if not left:
            return None
        return replace(self, release=left[0], others=tuple(left[1:]), entries=(*self.entries, now), weights=(), step=0)

    def weighed(self, weights: tuple[float, ...], now: datetime) -> Rollout:
        """With other shares of the traffic."""
        return replace(self, weights=weights, entries=(*self.entries, now), step=1)

    def as_json(self) -> dict[str, Any]:
        """For the deployment's record."""
        return {
            "release": self.release,
            "champion": self.champion,
            "phase": self.phase,
            "step": self.step,
            "started": self.started.isoformat(),
            "entries": [entry.isoformat() for entry in self.entries],
            "kind": self.kind,
            "others": list(self.others),
            "weights": list(self.weights),
            "noted": self.noted.isoformat() if self.noted else None,
            "salt": self.salt,
        }

    @classmethod
    def of(cls, state: dict[str, Any]) -> Rollout | None:
        """From the deployment's record; None when nothing is being tried."""
        if not state:
            return None
        return cls(
            state["release"],
            state["champion"],
            state["phase"],
            state["step"],
            datetime.fromisoformat(state["started"]),
            tuple(datetime.fromisoformat(entry) for entry in state["entries"]),
            state.get("kind", "canary"),
            tuple(state.get("others", ())),
            tuple(state.get("weights", ())),
            datetime.fromisoformat(state["noted"]) if state.get("noted") else None,
            state.get("salt", state["release"]),
        )


@dataclass(frozen=True)
class Situation:
    """A deployment now: the digests of what serves, what is being tried, and what could be tried next.

    `previous`: the release to go back to, which is loaded. `switched`: when traffic last went from one release to
    another, for a promotion, a rollback or a drill.
    """

    champion: str | None
    rollout: Rollout | None = None
    candidate: str | None = None
    previous: str | None = None
    switched: datetime | None = None
