"""What a picture of a column shows: reference against window, as shares of rows in intervals or by value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from modelyard.stats import numeric
from modelyard.stats.category import CategoryLayout
from modelyard.stats.measured import MeasuredLayout
from modelyard.stats.numeric import NumberLayout
from modelyard.stats.profile import Column
from modelyard.stats.significance import psi
from modelyard.stats.tally import Tally

BARS = 24
VALUES = 8
_ENDS = (0.005, 0.995)

Points = list[tuple[float, float, int]]


@dataclass(frozen=True)
class Picture:
    """`before` and `after`: shares of the rows that have a value. Of a histogram `edges` has one more entry, and its
    first and last bar hold all that lies beyond; of values `labels` names each."""

    kind: Literal["histogram", "values"]
    before: tuple[float, ...]
    after: tuple[float, ...]
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    of: str = ""


def picture(column: Column, window: Tally) -> Picture | None:
    """The picture of a column and its window; of a text or vector that of the measure that moved most. None when one
    side has no values, and for times."""
    match column.layout:
        case CategoryLayout() as layout:
            return _values(layout, column.tally, window)
        case MeasuredLayout() as layout:
            return _of_measure(layout, column.tally, window)
        case NumberLayout() as layout:
            return _histogram(layout, column.tally, window)


def _of_measure(layout: MeasuredLayout, reference: Tally, window: Tally) -> Picture | None:
    moved = {
        name: psi(reference.parts[name].cells, window.parts[name].cells)
        for name in layout.parts
        if name in reference.parts and name in window.parts
    }
    if not moved:
        return None
    name = max(moved, key=lambda each: moved[each])
    return _histogram(layout.parts[name], reference.parts[name], window.parts[name], name)


def _values(layout: CategoryLayout, reference: Tally, window: Tally) -> Picture | None:
    if reference.count == 0 or window.count == 0:
        return None
    known = len(layout.top)
    before = dict(zip(layout.top, (reference.cells[:known] / reference.count).tolist(), strict=True))
    after = dict(zip(layout.top, (window.cells[:known] / window.count).tolist(), strict=True))
    new = {word: n / window.count for word, n in window.fresh.items()}
    after |= new
    names = sorted(before.keys() | after.keys(), key=lambda name: -max(before.get(name, 0), after.get(name, 0)))
    shown = [name for name in names if max(before.get(name, 0.0), after.get(name, 0.0)) > 0][:VALUES]
    first, second = ([each.get(name, 0.0) for name in shown] for each in (before, after))
    labels = [f"{name} (new)" if name in new and name not in layout.top else name for name in shown]
    rest = 1 - sum(first), 1 - sum(second)
    if max(rest) > 0.0005:
        labels, first, second = [*labels, "all others"], [*first, max(rest[0], 0)], [*second, max(rest[1], 0)]
    return Picture("values", tuple(first), tuple(second), labels=tuple(labels))


def _histogram(layout: NumberLayout, reference: Tally, window: Tally, of: str = "") -> Picture | None:
    if layout.kind == "timestamp" or reference.count == 0 or window.count == 0:
        return None
    both = [numeric.points(tally, layout) for tally in (reference, window)]
    ends = [numeric.quantiles(tally, layout, _ENDS) for tally in (reference, window)]
    if ends[0] is None or ends[1] is None:
        return None
    low, high = min(ends[0][0], ends[1][0]), max(ends[0][1], ends[1][1])
    if not np.isfinite(high - low):
        return None
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BARS + 1)
    if layout.kind == "integer" and high - low <= BARS:
        edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1)
    before, after = (_bars(points, edges) for points in both)
    return Picture("histogram", tuple(before), tuple(after), edges=tuple(edges.tolist()), of=of)


def _bars(points: Points, edges: npt.NDArray[np.float64]) -> list[float]:
    """Shares per interval; counts of a bin are spread evenly over it."""
    lows, highs, counts = (np.array(each, dtype=np.float64) for each in zip(*points, strict=True))
    below = np.zeros(len(edges))
    for place, edge in enumerate(edges):
        inside = np.where(highs > lows, (edge - lows) / np.where(highs > lows, highs - lows, 1.0), lows < edge)
        below[place] = (np.clip(inside, 0, 1) * counts).sum()
    below[0], below[-1] = 0, counts.sum()
    return (np.diff(below) / counts.sum()).tolist()
