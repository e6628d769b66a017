"""Recognise categories that are written differently, though they mean the same: other case, other spaces, swapped codes.

The cure is upstream: a mapping, not a retraining.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from modelyard.stats.category import CategoryLayout, short
from modelyard.stats.distance import comparable
from modelyard.stats.significance import chi_squared, psi
from modelyard.stats.tally import Counts, Tally

MOST = 0.8
"""The share of the unseen rows (as far as their values are known) that must be explained."""
MOVED = 0.02
GONE = 0.1
"""A value is gone when it came less than a tenth as often."""
FITS = 0.02
CHANCE = 1e-3
_TOLD = 3


def spelling(layout: CategoryLayout, window: Tally) -> dict[str, str]:
    """Which known values the window's new ones are, written in another case or with other spaces and signs: known ->
    new. Empty unless that explains most of what is new."""
    bare = {plain(word): word for word in reversed(layout.top)}
    found = {word: bare.get(plain(word)) or _known(word, layout) for word in window.fresh if word not in layout.top}
    found = {word: known for word, known in found.items() if known}
    told = sum(window.fresh[word] for word in found)
    if not found or told < MOST * sum(window.fresh.values()):
        return {}
    return {known: new for new, known in list(found.items())[:_TOLD]}


def swapped(layout: CategoryLayout, reference: Tally, window: Tally) -> list[tuple[str, str]]:
    """Known values that have taken each other's places: (known, now called); empty unless this explains the change.

    The cells that moved by two points or more must be a rearrangement of one another, and all cells so rearranged must
    agree with the reference, by test and by size.
    """
    size = len(layout.top)
    if size < 2 or reference.count == 0 or window.count == 0:
        return []
    before, after = comparable(layout, reference, window)
    p, q = before[:size] / reference.count, after[:size] / window.count
    moved = np.flatnonzero(np.abs(p - q) >= MOVED)
    if len(moved) < 2:
        return []
    was = moved[np.argsort(-p[moved], kind="stable")]
    now = moved[np.argsort(-q[moved], kind="stable")]
    if (was == now).any() or not _agree(before, _renamed(after, was, now)):
        return []
    return [(layout.top[a], layout.top[b]) for a, b in zip(was[:_TOLD], now[:_TOLD], strict=True)]


def all_one(layout: CategoryLayout, reference: Tally, window: Tally) -> str:
    """The one known value that all rows of the window have, where the reference had others; empty when it is not so."""
    there = np.flatnonzero(window.cells)
    if len(there) != 1 or there[0] >= len(layout.top) or np.count_nonzero(reference.cells) < 2:
        return ""
    return layout.top[int(there[0])]


def renamed(layout: CategoryLayout, reference: Tally, window: Tally) -> list[tuple[str, str]]:
    """Which values have new names: (known, now called); empty unless known values are gone, and as many new ones have come
    with their shares, while all others are as before.

    Pairs are by share: told are those that no other share is near to.
    """
    size, fresh = len(layout.top), {word: n for word, n in window.fresh.items() if word not in layout.top}
    if size == 0 or min(reference.count, window.count) == 0:
        return []
    p, q = reference.cells[:size] / reference.count, window.cells[:size] / window.count
    gone = np.flatnonzero((p >= MOVED) & (q < GONE * p))
    new = [word for word, n in fresh.items() if n >= MOVED / 2 * window.count]
    if len(gone) == 0 or len(gone) != len(new):
        return []
    before, after = comparable(layout, reference, window)
    after = after.copy()
    after[size:] = window.cells[size : len(after)]
    gone = gone[np.argsort(-p[gone], kind="stable")]
    new.sort(key=lambda word: -fresh[word])
    after[gone] += np.array([fresh[word] for word in new], dtype=after.dtype)
    if not _agree(before, after):
        return []
    shares = np.concatenate(([np.inf], p[gone], [0.0]))
    noise = 3 * np.sqrt(p[gone] * (1 / reference.count + 1 / window.count))
    clear = np.flatnonzero(np.minimum(-np.diff(shares)[:-1], -np.diff(shares)[1:]) > noise)
    return [(layout.top[gone[i]], new[i]) for i in clear[:_TOLD].tolist()]


def _renamed(cells: Counts, was: Counts, now: Counts) -> Counts:
    renamed = cells.copy()
    renamed[was] = cells[now]
    return renamed


def _agree(before: Counts, after: Counts) -> bool:
    return chi_squared(before, after) > CHANCE and psi(before, after) < FITS


def _known(word: str, layout: CategoryLayout) -> str:
    """The rare known value that is this word in capitals, in small letters or without spaces at its ends; empty when none
    is: of rare values the hash alone is known."""
    bare = word.strip()
    tried = [each for each in (bare, bare.upper(), bare.lower(), bare.title(), bare.capitalize()) if each != word]
    if not tried:
        return ""
    known = np.isin(short(pa.array(tried, pa.string())), layout.known)
    return next((each for each, there in zip(tried, known, strict=True) if there), "")


def plain(word: str) -> str:
    """The word without case, spaces and joining signs.

    >>> plain("New-York "), plain("new_york")
    ('newyork', 'newyork')
    """
    return re.sub(r"[\s_\-.]+", "", word).casefold()
