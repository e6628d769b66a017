"""Naming releases: `late@3`, `late@champion`, `late` (its champion), or at least 12 digits of the digest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from modelyard.errors import InputError, NotFound
from modelyard.records import Alias, Release
from modelyard.store import Store, Transaction

ALIASES = ("champion", "challenger")
NOBODY = 0
"""The number under an alias that names no release at the moment."""


def name(release: Release) -> str:
    """`late@3`."""
    return f"{release.model}@{release.number}"


def find(store: Store | Transaction, ref: str) -> Release:
    """The release called `ref`. NotFound with the nearest names, InputError when a digest's beginning fits several."""
    ref = ref.strip()
    releases = store.read(Release)
    if re.fullmatch(r"[0-9a-f]{12,64}", ref):
        return _by_digest(releases, ref)
    model, _, which = ref.partition("@")
    mine = [release for release in releases if release.model == model]
    if not mine:
        raise NotFound(f"there is no release {ref!r}.", hint=_nearest(ref, releases))
    if re.fullmatch(r"[0-9]{1,18}", which):
        found = [release for release in mine if release.number == int(which)]
    else:
        alias = store.one(Alias, model=model, alias=which or "champion")
        found = [release for release in mine if alias is not None and release.number == alias.number]
    if found:
        return found[0]
    if which in ("", *ALIASES):
        newest = mine[-1]
        raise NotFound(
            f"{model} has no {which or 'champion'} now.",
            hint=f"Its newest release is {name(newest)} ({newest.state.replace('_', ' ')}).",
        )
    raise NotFound(f"there is no release {ref!r}.", hint=_nearest(ref, releases))


def _by_digest(releases: Sequence[Release], start: str) -> Release:
    found = [release for release in releases if release.digest.startswith(start)]
    if not found:
        raise NotFound(f"no release has a digest that begins with {start}.", hint="`yard release list` shows them.")
    if len(found) > 1:
        names = ", ".join(name(release) for release in found)
        raise InputError(f"{start} fits several releases: {names}.", hint="Give more digits, or a name.")
    return found[0]


def _nearest(ref: str, releases: Sequence[Release]) -> str:
    names = [name(release) for release in releases]
    names += sorted({f"{release.model}@champion" for release in releases})
    near = difflib.get_close_matches(ref, names, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There are: {', '.join(names[-5:])}." if names else "There is none yet."
