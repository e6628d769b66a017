"""One cause behind several findings of a column, when there is one that is known: its own kind, with its own cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.stats import recoded, units
from modelyard.stats.category import CategoryLayout, shown
from modelyard.stats.checks import Level
from modelyard.stats.distance import Layout
from modelyard.stats.tally import Tally


@dataclass(frozen=True)
class Cause:
    """`kind`: unit, case or recode; `says`: what happened, and `explains` the kinds of finding that it stands for."""

    kind: str
    says: str
    explains: tuple[str, ...]
    least: Level = "warn"


def find(layout: Layout, reference: Tally, window: Tally, kinds: Sequence[str]) -> Cause | None:
    """The cause of a column's findings, by their kinds; None when none is recognised."""
    if isinstance(layout, CategoryLayout):
        return _of_category(layout, reference, window, kinds)
    if {"distribution", "range"} & {*kinds}:
        unit = units.change(layout, reference, window)
        if unit is not None:
            return Cause("unit", f"its unit seems changed, {unit}", ("distribution", "range", "precision"), "page")
    return None


def _of_category(layout: CategoryLayout, reference: Tally, window: Tally, kinds: Sequence[str]) -> Cause | None:
    if "unseen" in kinds and (written := recoded.spelling(layout, window)):
        told = ", ".join(f"'{shown(known)}' → '{shown(new)}'" for known, new in written.items())
        return Cause("case", f"known values are written differently: {told}", ("unseen", "distribution"))
    if "distribution" in kinds and (pairs := recoded.swapped(layout, reference, window)):
        told = ", ".join(f"'{shown(known)}' → '{shown(now)}'" for known, now in pairs)
        return Cause("recode", f"its values seem to have changed places: {told}", ("distribution",))
    return None
