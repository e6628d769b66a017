"""Recognise categories that are written differently, though they mean the same: other case, other spaces, swapped codes.

The cure is upstream: a mapping, not a retraining.
"""

from __future__ import annotations

import re

import numpy as np

from modelyard.stats.category import CategoryLayout
from modelyard.stats.significance import chi_squared, psi
from modelyard.stats.tally import Counts, Tally

MOST = 0.8
"""The share of the unseen rows (as far as their values are known) that must be explained."""
MOVED = 0.02
FITS = 0.02
CHANCE = 1e-3
_TOLD = 3


def spelling(layout: CategoryLayout, window: Tally) -> dict[str, str]:
    """Which known values the window's new ones are, written in another case or with other spaces and signs: known ->
    new. Empty unless that explains most of what is new."""
    plain = {_plain(word): word for word in reversed(layout.top)}
    found = {word: plain[_plain(word)] for word in window.fresh if _plain(word) in plain and word not in layout.top}
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
    before, after = reference.cells, window.cells
    p, q = before[:size] / reference.count, after[:size] / window.count
    moved = np.flatnonzero(np.abs(p - q) >= MOVED)
    if len(moved) < 2:
        return []
    was = moved[np.argsort(-p[moved], kind="stable")]
    now = moved[np.argsort(-q[moved], kind="stable")]
    if (was == now).any() or not _agree(before, _renamed(after, was, now)):
        return []
    return [(layout.top[a], layout.top[b]) for a, b in zip(was[:_TOLD], now[:_TOLD], strict=True)]


def _renamed(cells: Counts, was: Counts, now: Counts) -> Counts:
    renamed = cells.copy()
    renamed[was] = cells[now]
    return renamed


def _agree(before: Counts, after: Counts) -> bool:
    return chi_squared(before, after) > CHANCE and psi(before, after) < FITS


def _plain(word: str) -> str:
    """The word without case, spaces and joining signs.

    >>> _plain("New-York "), _plain("new_york")
    ('newyork', 'newyork')
    """
    return re.sub(r"[\s_\-.]+", "", word).casefold()
