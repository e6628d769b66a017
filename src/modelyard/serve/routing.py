"""Which release answers a request: a keyed hash of its routing key against the arms' weights.

The same key always meets the same arm, without a cookie, as long as the weights stand; and when a challenger's weight
grows, keys move to it and none moves away from it (SERVING.md, progressive delivery).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Arm:
    """A name in the log, the release (digest) behind it, and its weight (answering) or share (in shadow)."""

    name: str
    release: str
    weight: float


@dataclass(frozen=True)
class Table:
    """The routes of one deployment at one revision."""

    arms: tuple[Arm, ...]
    shadows: tuple[Arm, ...] = ()
    warm: tuple[str, ...] = ()
    salt: str = ""

    @classmethod
    def of(cls, routes: Mapping[str, Any]) -> Table:
        """The table of a `Deployment` record's `routes`."""
        return cls(
            tuple(Arm(each["arm"], each["release"], float(each["weight"])) for each in routes.get("arms", ())),
            tuple(Arm(each["arm"], each["release"], float(each["share"])) for each in routes.get("shadows", ())),
            tuple(routes.get("warm", ())),
            str(routes.get("salt", "")),
        )

    def releases(self) -> list[str]:
        """Digests of all releases that must be loaded, those that answer first."""
        wanted = [*(arm.release for arm in self.arms), *(arm.release for arm in self.shadows), *self.warm]
        return list(dict.fromkeys(wanted))

    def assign(self, keys: Sequence[str]) -> np.ndarray:
        """The number of the arm (in `arms`) that answers each routing key."""
        if len(self.arms) == 1:
            return np.zeros(len(keys), dtype=np.intp)
        edges = np.cumsum([arm.weight for arm in self.arms])
        return np.searchsorted(edges[:-1], points(keys, self.salt), side="right")

    def shadowed(self, shadow: Arm, keys: Sequence[str]) -> np.ndarray:
        """Which routing keys `shadow` answers too, unseen; independent of the arm that answers."""
        if shadow.weight >= 1:
            return np.ones(len(keys), dtype=bool)
        return points(keys, f"shadow:{shadow.name}:{self.salt}") < shadow.weight


def points(keys: Sequence[str], salt: str) -> np.ndarray:
    """Each key's place in [0, 1): BLAKE2b keyed with the salt, its first 53 bits."""
    secret = blake2b(salt.encode(), digest_size=32).digest()
    whole = b"".join(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest() for key in keys)
    return (np.frombuffer(whole, dtype=">u8") >> np.uint64(11)).astype(np.float64) / float(1 << 53)
