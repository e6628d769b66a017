"""Which release answers a request: a keyed hash of its routing key against the arms' weights.

The same key always meets the same arm, without a cookie, as long as the weights stand; and when an arm's weight grows,
keys move to it and none moves away from it. With two arms the key's place is held against the weight; with more, each
arm draws a number of its own for the key, and the arm with the smallest -ln(u)/weight answers (weighted rendezvous
hashing; Thaler & Ravishankar 1998).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from modelyard.serve.segment import frozen
from modelyard.spec.predicate import Predicate


@dataclass(frozen=True)
class Arm:
    """A name in the log, the release (digest) behind it, and its weight (answering) or share (in shadow)."""

    name: str
    release: str
    weight: float


@dataclass(frozen=True)
class Table:
    """The routes of one deployment at one revision. The first arm is at home: it answers what no strategy may touch.

    `route_by`: the input (or key) whose value is the routing key. `segment`: only its rows are divided and shadowed.
    """

    arms: tuple[Arm, ...]
    shadows: tuple[Arm, ...] = ()
    warm: tuple[str, ...] = ()
    salt: str = ""
    route_by: str | None = None
    segment: Predicate | None = None

    @classmethod
    def of(cls, routes: Mapping[str, Any]) -> Table:
        """The table of a `Deployment` record's `routes`."""
        return cls(
            tuple(Arm(each["arm"], each["release"], float(each["weight"])) for each in routes.get("arms", ())),
            tuple(Arm(each["arm"], each["release"], float(each["share"])) for each in routes.get("shadows", ())),
            tuple(routes.get("warm", ())),
            str(routes.get("salt", "")),
            routes.get("route_by"),
            frozen(routes["segment"]) if routes.get("segment") else None,
        )

    def named(self, name: str) -> int | Arm | None:
        """The arm that a request may ask for by name: its number among `arms`, a shadow, or None."""
        for number, arm in enumerate(self.arms):
            if arm.name == name:
                return number
        return next((shadow for shadow in self.shadows if shadow.name == name), None)

    @property
    def champion(self) -> Arm | None:
        """The arm of the release that has proved itself."""
        return next((arm for arm in self.arms if arm.name == "champion"), None)

    def releases(self) -> list[str]:
        """Digests of all releases that must be loaded, those that answer first."""
        wanted = [*(arm.release for arm in self.arms), *(arm.release for arm in self.shadows), *self.warm]
        return list(dict.fromkeys(wanted))

    def assign(self, keys: Sequence[str]) -> np.ndarray:
        """The number of the arm (in `arms`) that answers each routing key."""
        if len(self.arms) == 1:
            return np.zeros(len(keys), dtype=np.intp)
        if len(self.arms) == 2:
            return (points(keys, self.salt) >= 1 - self.arms[1].weight).astype(np.intp)
        waits = np.full((len(self.arms), len(keys)), np.inf)
        for number, arm in enumerate(self.arms):
            if arm.weight:
                waits[number] = -np.log1p(-points(keys, f"{arm.name}:{self.salt}")) / arm.weight
        return waits.argmin(axis=0)

    def shadowed(self, shadow: Arm, keys: Sequence[str]) -> np.ndarray:
        """Which routing keys `shadow` answers too, unseen; independent of the arm that answers."""
        if shadow.weight >= 1:
            return np.ones(len(keys), dtype=bool)
        return points(keys, f"shadow:{shadow.name}:{self.salt}") < shadow.weight


def sampled(request_ids: Sequence[str], deployment: str, rate: float) -> np.ndarray:
    """Which requests are logged at a `rate` below 1: by a keyed hash of the id, so that who knows the id can tell; who is
    logged at some rate is logged at every higher one."""
    return points(request_ids, f"log:{deployment}") < rate


def points(keys: Sequence[str], salt: str) -> np.ndarray:
    """Each key's place in [0, 1): BLAKE2b keyed with the salt, its first 53 bits."""
    secret = blake2b(salt.encode(), digest_size=32).digest()
    whole = b"".join(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest() for key in keys)
    return (np.frombuffer(whole, dtype=">u8") >> np.uint64(11)).astype(np.float64) / float(1 << 53)
