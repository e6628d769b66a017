"""Arms and shadows as the routing table has them."""

from __future__ import annotations

from typing import Any

from modelyard.release.state import Rollout

Routes = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Arms with their weights, and shadows with their shares."""

CHALLENGER = "challenger"
"""Arms of challengers are called this, or this with the beginning of their digest where there are several."""


def arm(name: str, release: str, weight: float) -> dict[str, Any]:
    """An arm that answers a share of the requests."""
    return {"arm": name, "release": release, "weight": weight}


def shadow(name: str, release: str, share: float) -> dict[str, Any]:
    """An arm that answers beside the others, unseen."""
    return {"arm": name, "release": release, "share": share}


def named(rollout: Rollout, release: str) -> str:
    """What a challenger's arm is called."""
    return CHALLENGER if release == rollout.release else f"{CHALLENGER}-{release[:6]}"


def watched(rollout: Rollout) -> Routes:
    """In probation: the new champion answers, the one before it answers everything in shadow, loaded and ready."""
    return [arm("champion", rollout.release, 1.0)], [shadow("previous", rollout.champion, 1.0)]
