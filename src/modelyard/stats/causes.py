"""One cause behind several findings of a column, when there is one that is known: its own kind, with its own cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelyard.stats import numeric, recoded, units
from modelyard.stats.category import TAIL, CategoryLayout, shown
from modelyard.stats.checks import Level
from modelyard.stats.distance import Layout, heap
from modelyard.stats.numeric import NumberLayout
from modelyard.stats.significance import psi
from modelyard.stats.tally import Tally

SAME = 0.02
"""What is left beside a cause agrees with the reference when its PSI is less: no more than information."""
HEAP, ALL, NONE = 0.05, 0.95, 0.05
SPREAD = 12
"""Of fewer values (told by hash buckets) one that grows is a shift like others."""
COARSER, ROUNDED = 1.5, 0.5


@dataclass(frozen=True)
class Cause:
    """`kind`: unit, range, stuck, precision, unseen, case or recode; `says`: what happened, where the findings do not;
    `explains`: the kinds of finding that it stands for; `least`: the level that it has at least."""

    kind: str
    says: str
    explains: tuple[str, ...]
    least: Level = "info"


def find(layout: Layout, reference: Tally, window: Tally, kinds: Sequence[str]) -> Cause | None:
    """The cause of a column's findings, by their kinds; None when none is recognised."""
    match layout:
        case CategoryLayout():
            return _of_category(layout, reference, window, kinds)
        case NumberLayout() if layout.kind != "timestamp":
            return _of_number(layout, reference, window, kinds)
        case _:
            return None


def _of_number(layout: NumberLayout, reference: Tally, window: Tally, kinds: Sequence[str]) -> Cause | None:
    if {"distribution", "range"} & {*kinds}:
        unit = units.change(layout, reference, window)
        if unit is not None:
            return Cause("unit", f"its unit seems changed, {unit}", ("distribution", "range", "precision"), "page")
    if "schema" in kinds:
        return None
    if "range" in kinds and "distribution" in kinds and _within(layout, reference, window):
        return Cause("range", "", ("distribution", "precision"))
    if {"distribution", "stuck", "precision"} & {*kinds} and (told := _one_value(layout, reference, window)):
        return Cause("stuck", told, ("distribution", "stuck", "precision"))
    if "distribution" in kinds and "range" not in kinds and _rounded(layout, reference, window):
        return Cause("precision", "its values repeat as rounded ones do", ("distribution", "precision"), "warn")
    return None


def _within(layout: NumberLayout, reference: Tally, window: Tally) -> bool:
    """Whether most values lie within the known range, distributed as before."""
    outside = [0, max(len(layout.edges) - 1, 1) + 1]
    before, after = (np.delete(tally.cells, outside) for tally in (reference, window))
    return bool(after.sum() > window.count / 2) and psi(before, after) < SAME


def _one_value(layout: NumberLayout, reference: Tally, window: Tally) -> str:
    """That one value grew and all others are as before, by hash buckets; empty when it is not so."""
    growth, place = heap(reference, window)
    if growth < HEAP or np.count_nonzero(reference.buckets) < SPREAD:
        return ""
    if psi(np.delete(reference.buckets, place), np.delete(window.buckets, place)) >= SAME:
        return ""
    found = numeric.heaped(layout, reference, window, place)
    value = "" if found is None else f" ({found:.6g})"
    rest = ", the others are as before" if window.buckets[place] < ALL * window.buckets.sum() else ""
    return f"one value{value} holds {growth:.1%} more of the rows{rest}"


def _rounded(layout: NumberLayout, reference: Tally, window: Tally) -> bool:
    """Whether fewer values come, each more often, while mean and deviation stay."""
    before, after = (numeric.deviation(tally, layout) for tally in (reference, window))
    first, second = (numeric.mean(tally, layout) for tally in (reference, window))
    if before is None or after is None or first is None or second is None:
        return False
    if abs(second - first) > 0.1 * before or abs(after - before) > 0.2 * before:
        return False
    p, q = reference.buckets / reference.buckets.sum(), window.buckets / window.buckets.sum()
    coarser = (q @ q) > COARSER * (p @ p) and np.count_nonzero(reference.buckets) >= SPREAD
    return bool(coarser) and psi(reference.buckets, window.buckets) >= ROUNDED


def _of_category(layout: CategoryLayout, reference: Tally, window: Tally, kinds: Sequence[str]) -> Cause | None:
    if "unseen" in kinds and (written := recoded.spelling(layout, window)):
        told = ", ".join(f"'{shown(known)}' → '{shown(new)}'" for known, new in written.items())
        return Cause("case", f"known values are written differently: {told}", ("unseen", "distribution"), "warn")
    if "distribution" in kinds and (pairs := recoded.swapped(layout, reference, window)):
        told = ", ".join(f"'{shown(known)}' → '{shown(now)}'" for known, now in pairs)
        return Cause("recode", f"its values seem to have changed places: {told}", ("distribution",), "warn")
    if "distribution" in kinds and (only := recoded.all_one(layout, reference, window)):
        return Cause("stuck", f"every value is '{shown(only)}' now", ("distribution",))
    if "unseen" in kinds and (pairs := recoded.renamed(layout, reference, window)):
        told = ", ".join(f"'{shown(known)}' → '{shown(now)}'" for known, now in pairs)
        return Cause("recode", f"its values seem renamed: {told}", ("unseen", "distribution"), "warn")
    before, after = reference.cells[:-TAIL], window.cells[:-TAIL]
    few = after.sum() < NONE * window.count
    if "unseen" in kinds and (few or (after.sum() > window.count / 2 and psi(before, after) < SAME)):
        return Cause("unseen", "", ("distribution",))
    return None
