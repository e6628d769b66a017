"""Which known fault turns the reference's numbers into the window's? It is done to the reference, and named when the
result agrees with the window: a cause that explains all values, not only some figures of them.

Needs the rows of both tables. Agreement is that of Kolmogorov and Smirnov: the largest difference of both distribution
functions is no more than chance makes it (one time in a thousand), or than 2 points, and no more than a tenth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.stats.arrow import Floats
from modelyard.stats.causes import Cause
from modelyard.stats.checks import SHARE_PAGE, SHARE_WARN, Level, share_level
from modelyard.stats.natural import NEW
from modelyard.stats.numeric import FAR
from modelyard.stats.significance import proportions
from modelyard.stats.units import KNOWN, Unit

MOST = 20_000
"""So many values of each side are enough to compare their distributions."""
SLACK, LOOSEST, CRITICAL = 0.02, 0.1, 1.95
GRIDS = tuple(step * 10.0**power for power in range(6, -7, -1) for step in (5.0, 1.0))
ON_GRID = 0.98
NEARLY = 1e-7
CHANCE = 0.01
MOVED = ("distribution", "range", "stuck", "precision")


@dataclass(frozen=True)
class Sides:
    """The finite values of the reference and of the window, sorted; `present`: the share of rows that have one; `chance`: how
    rarely a value may seem to have grown; `usual`: the share by which new ones do."""

    before: Floats
    after: Floats
    present: float = 1.0
    chance: float = CHANCE
    usual: float = 0.0

    @property
    def room(self) -> float:
        """How far the distribution functions of two samples of one world may lie apart."""
        chance = CRITICAL * np.sqrt(1 / len(self.before) + 1 / len(self.after))
        return float(min(max(chance, SLACK), LOOSEST))

    @property
    def apart(self) -> float:
        """How far they lie apart as they are."""
        return _apart(_thinned(self.before), _thinned(self.after))

    def explained(self, remade: Floats) -> float | None:
        """How far the window lies from the reference so remade (sorted); None when they do not agree."""
        found = _apart(_thinned(remade), _thinned(self.after)) if len(remade) else 1.0
        return found if found <= self.room else None


def find(before: Floats, after: Floats, *, alarming: bool, chance: float = CHANCE, usual: float = 0.0) -> Cause | None:
    """The fault that explains (m,) values of a window by the (n,) of its reference, missing as NaN; None when none does.

    Of a column that does not alarm (`alarming`) only a new value is told, which alarms itself when it is more than
    `chance`, 2 points of the rows, and the `usual` growth of such values.
    """
    finite = [np.sort(np.clip(values[np.isfinite(values)], -FAR, FAR)) for values in (before, after)]
    if min(map(len, finite)) == 0 or finite[0][0] == finite[0][-1]:
        return None
    sides = Sides(finite[0], finite[1], len(finite[1]) / len(after), chance, usual)
    tried = (_all_one, _unit, _cut, _rounded, _one_value) if alarming else (_rounded, _new)
    return next((cause for each in tried if (cause := each(sides)) is not None), None)


def times_cut(before: Floats, after: Floats) -> Cause | None:
    """Times (seconds) that are whole days, hours or minutes now and were not: what no range shows. None when it is not so."""
    known, now = (values[np.isfinite(values)] for values in (before, after))
    if min(len(known), len(now)) == 0:
        return None
    for name, step in (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0)):
        if _on(np.sort(now), step) >= ON_GRID and _on(np.sort(known), step) < 0.5:
            return Cause("precision", f"its times are whole {name} now", ("precision", "range"), "warn")
    return None


def _all_one(sides: Sides) -> Cause | None:
    if sides.after[0] < sides.after[-1]:
        return None
    return Cause("stuck", f"every value is {sides.after[0]:.6g} now", MOVED)


def _unit(sides: Sides) -> Cause | None:
    """A factor under 8 could as well be a season: then values must be the reference's own when converted back, or on its grid
    (whole numbers, cents), and not as they came."""
    grid = _grid(sides.before)
    found = [(off, unit) for unit in KNOWN if (off := _converted(sides, unit, grid)) is not None]
    if not found:
        return None
    unit = min(found, key=lambda each: each[0])[1]
    return Cause("unit", f"its unit seems changed, {unit}", ("distribution", "range", "precision", "stuck"), "page")


def _converted(sides: Sides, unit: Unit, grid: float) -> float | None:
    """How far the reference in another unit lies from the window; None when they do not agree."""
    step = _grid(sides.after)
    step = step if step <= grid * abs(unit.factor) / 2 else 0.0  # else rounding would make neighbours one
    remade = np.sort(sides.before * unit.factor + unit.offset)
    if step:
        remade = np.round(remade / step) * step
    off = sides.explained(remade)
    if off is None or off > sides.apart / 2:
        return None
    if unit.sure or unit.factor == -1:
        return off
    back = (sides.after - unit.offset) / unit.factor
    on_grid = grid > 0 and _on(sides.after, grid) < 0.5 and _on(back, grid, step / 2 / abs(unit.factor)) >= ON_GRID
    return off if on_grid or _among(sides.after, remade) >= ON_GRID > 0.5 > _among(sides.after, sides.before) else None


def _new(sides: Sides) -> Cause | None:
    """A value that is news by itself."""
    cause = _one_value(sides)
    return cause if cause is not None and cause.least != "info" else None


def _one_value(sides: Sides) -> Cause | None:
    """One value holds more of the rows, and all others are as before."""
    values, counts = np.unique(sides.after, return_counts=True)
    was = np.searchsorted(sides.before, values, "right") - np.searchsorted(sides.before, values, "left")
    n, m = len(sides.before), len(sides.after)
    growth = counts / m - was / n
    place = int(np.argmax(growth))
    value, grown = float(values[place]), float(growth[place])
    p_value = proportions((int(was[place]), n), (int(counts[place]), m)) * len(values)
    if grown < SHARE_WARN or p_value > sides.chance:
        return None
    rest, others = sides.before[sides.before != value], sides.after[sides.after != value]
    if min(len(rest), len(others)) == 0 or Sides(rest, others).explained(rest) is None:
        return None
    share = counts[place] / m
    if was[place] / n >= NEW * share:
        says = f"one value ({value:.6g}) holds {grown:.1%} more of the rows, the others are as before"
        return Cause("stuck", says, MOVED)
    level = share_level(grown * sides.present, sides.usual * sides.present)
    held = "hardly held" if was[place] else "never held"
    says = f"{share:.1%} are {value:.6g}, which the reference {held}; the others are as before"
    beyond = not sides.before[0] <= value <= sides.before[-1]
    return Cause("range" if beyond else "stuck", says, MOVED, level if level != "ok" else "info")


def _cut(sides: Sides) -> Cause | None:
    """Nothing lies beyond a limit any more: what did became the limit, or is gone."""
    for turned in (1.0, -1.0):
        before, after = (np.sort(side * turned) for side in (sides.before, sides.after))
        limit, seen = after[-1], Sides(before, after)
        lost = float((before > limit).mean())
        if lost < SHARE_WARN:
            continue
        if any(seen.explained(before + by) is not None for by in _steps(before, after)):
            continue  # a shift would look the same: nobody can tell
        where = f"nothing lies {'above' if turned > 0 else 'below'} {limit * turned:.6g} any more, where {lost:.1%} did"
        heap, was = int((after == limit).sum()), int((before == limit).sum())
        grown = heap / len(after) - was / len(before)
        sure = grown > lost / 2 and proportions((was, len(before)), (heap, len(after))) < CHANCE
        level: Level = "page" if lost * sides.present >= SHARE_PAGE else "warn"
        if sure and seen.explained(np.minimum(before, limit)) is not None:
            told = f"{where}; {heap / len(after):.1%} are exactly that, the others are as before"
            return Cause("cut", told, MOVED, level)
        off = seen.explained(before[before <= limit])
        if lost >= 2 * seen.room and off is not None and off <= seen.apart / 2:
            return Cause("cut", f"{where}; the others are as before", MOVED, level)
    return None


def _steps(before: Floats, after: Floats) -> list[float]:
    """By how much all values may have moved: as their middle, their mean or their ends did."""
    ends = [float(after[place] - before[place]) for place in (0, -1)]
    return [float(np.median(after) - np.median(before)), float(after.mean() - before.mean()), *ends]


def _rounded(sides: Sides) -> Cause | None:
    """Values on a coarser grid than the reference's: the reference rounded to it, or cut to it, is the window."""
    for grid in GRIDS:
        if _on(sides.after, grid) < ON_GRID or grid > np.abs(sides.after).max():
            continue
        if _on(sides.before, grid) > 0.5:
            return None
        for way in (np.round, np.floor, np.ceil, np.trunc):
            if sides.explained(np.sort(way(sides.before / grid) * grid)) is not None:
                return Cause("precision", f"its values are rounded to multiples of {grid:.6g}", MOVED, "warn")
        return None
    return None


def _grid(values: Floats) -> float:
    """The coarsest grid that the values lie on; 0 when they lie on none."""
    return next((grid for grid in GRIDS if _on(values, grid) >= ON_GRID), 0.0)


def _on(values: Floats, grid: float, slack: float = 0.0) -> float:
    """The share of values that are multiples of `grid`, or no more than `slack` beside one."""
    parts = _thinned(values) / grid
    room = slack / grid + np.minimum(NEARLY * np.maximum(np.abs(parts), 1.0), 0.01)
    return float((np.abs(parts - np.round(parts)) <= room).mean())


def _among(values: Floats, known: Floats) -> float:
    """The share of values that some of the known (sorted) ones are."""
    values = _thinned(values)
    room = NEARLY * np.abs(values)
    return float(
        (np.searchsorted(known, values + room, "right") > np.searchsorted(known, values - room, "left")).mean()
    )


def _thinned(values: Floats) -> Floats:
    """At most so many of sorted values, evenly over their ranks."""
    return values if len(values) <= MOST else values[np.linspace(0, len(values) - 1, MOST).astype(np.int64)]


def _apart(first: Floats, second: Floats) -> float:
    """The largest difference of two distribution functions of sorted values, of which those that differ in the last digits
    are one."""
    room, sides = NEARLY * np.abs(first), (first, second)
    before = [np.searchsorted(side, first - room, "left") / len(side) for side in sides]
    upto = [np.searchsorted(side, first + room, "right") / len(side) for side in sides]
    return float(max(np.abs(one - other).max() for one, other in (before, upto)))
