"""What a deployment's answers are compared with: the profile of the training rows of the release that gave them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from modelyard.records import Deployment, Release
from modelyard.stats import Profile
from modelyard.stats.performance import Performance
from modelyard.store import Blobs, Store


def champion(store: Store, deployment: str) -> Release | None:
    """The release that answers now: the arm called champion, else the one with the largest weight; None before the
    first."""
    found = store.one(Deployment, name=deployment)
    arms = found.routes.get("arms", []) if found else []
    if not arms:
        return None
    best = max(arms, key=lambda arm: (arm.get("arm") == "champion", arm.get("weight", 0.0)))
    return by_digest(store, best["release"])


def by_digest(store: Store, digest: str) -> Release | None:
    """The release with this digest, or None."""
    return next(iter(store.read(Release, digest=digest, limit=1)), None)


def profile(store: Store, release: Release | None) -> Profile | None:
    """The profile of a release's training rows, or None when it has none (a model that was brought along)."""
    digest = release.body.get("reference") if release else None
    return read(store.blobs, digest) if digest else None


def performance(store: Store, release: Release | None) -> Performance | None:
    """What a release was worth on rows it had not seen, or None when that was not kept (a model brought along)."""
    digest = release.body.get("performance") if release else None
    return read_performance(store.blobs, digest) if digest else None


@lru_cache(maxsize=16)
def read_performance(blobs: Blobs, digest: str) -> Performance:
    """A stored performance. Content-addressed, as `read`."""
    return Performance.from_json(json.loads(blobs.get(digest)))


@lru_cache(maxsize=16)
def read(blobs: Blobs, digest: str) -> Profile:
    """A stored reference. Content-addressed, so reading it once is enough."""
    return Profile.from_json(json.loads(blobs.get(digest)))


@lru_cache(maxsize=16)
def read_signature(blobs: Blobs, digest: str) -> dict[str, Any]:
    """A stored signature. Content-addressed, as `read`."""
    return dict(json.loads(blobs.get(digest)))


def classes(store: Store, release: Release) -> tuple[str, ...]:
    """The names of a multiclass model's classes in the order of its probabilities; empty for other tasks."""
    signature: Any = release.body.get("signature")
    if isinstance(signature, str):
        signature = read_signature(store.blobs, signature)
    named = signature.get("classes") if isinstance(signature, Mapping) else None
    return tuple(str(name) for name in named or ())
