"""How far one window lies from another, column by column: effect sizes that a person can read, free of sample size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelyard.stats import numeric
from modelyard.stats.category import TAIL, CategoryLayout
from modelyard.stats.measured import MeasuredLayout
from modelyard.stats.numeric import NumberLayout
from modelyard.stats.significance import psi
from modelyard.stats.tally import Counts, Tally

Layout = NumberLayout | CategoryLayout | MeasuredLayout


def distances(layout: Layout, reference: Tally, window: Tally) -> dict[str, float]:
    """`shift` (root of PSI), `missing`, `outside`, `unseen`, `heap`, `digits` (root of PSI), `integers`: shares and
    differences.

    A root of PSI moves in proportion to the change, as the shares do, so that spreads of it mean something.
    """
    result = {"missing": abs(share(window.nulls, window.rows) - share(reference.nulls, reference.rows))}
    if isinstance(layout, MeasuredLayout):
        return result | _of_parts(layout, reference, window)
    if isinstance(layout, CategoryLayout):
        unseen = {} if layout.kind == "boolean" else {"unseen": share(layout.unseen(window), window.count)}
        return result | {"shift": root(psi(*comparable(layout, reference, window)))} | unseen
    result["outside"] = share(beyond(layout, window), window.count)
    if layout.kind == "timestamp":
        return result
    result["shift"] = root(psi(*comparable(layout, reference, window)))
    if layout.kind == "number":
        result["integers"] = abs(share(window.integers, window.count) - share(reference.integers, reference.count))
    if layout.smooth:
        result["heap"] = heap(reference, window)[0]
        result["digits"] = root(psi(reference.buckets, window.buckets))
    return result


def _of_parts(layout: MeasuredLayout, reference: Tally, window: Tally) -> dict[str, float]:
    """The same of each measure, but for what is missing: named "measure: distance"."""
    found: dict[str, float] = {}
    for name, part in layout.parts.items():
        if name in reference.parts and name in window.parts:
            each = distances(part, reference.parts[name], window.parts[name])
            found |= {f"{name}: {what}": value for what, value in each.items() if what != "missing"}
    return found


def comparable(layout: NumberLayout | CategoryLayout, reference: Tally, window: Tally) -> tuple[Counts, Counts]:
    """The cells of both whose distributions should agree.

    A reference has seen all its own values, so that its unseen cell is empty and its rare values lie in the tail
    cells; the same rare values of a window were often never seen. They are counted together; whether too many are new
    is another question.
    """
    if not isinstance(layout, CategoryLayout) or len(window.cells) == 0 or len(reference.cells) == 0:
        return reference.cells, window.cells
    known, rare = len(layout.top), slice(len(layout.top), len(layout.top) + TAIL)
    before, after = reference.cells[: known + TAIL], window.cells[: known + TAIL].copy()
    if before[rare].any():
        after[rare] += window.cells[-TAIL:]
    return before, after


def moved(layout: NumberLayout, reference: Tally, window: Tally) -> float:
    """How far values moved on average (the Wasserstein distance), in robust standard deviations of the reference.

    What is known from counts at the edges of bins, at least: rows that crossed one edge of a bin but not the other may
    have come to rest behind it. Infinite where half of the reference is one value, so that it has no such scale.
    """
    middle, spread = numeric.quantiles(reference, layout), numeric.deviation(reference, layout)
    if middle is None or spread is None or window.count == 0 or len(layout.edges) < 2:
        return np.inf
    scale = min(spread, (middle[-1] - middle[0]) / numeric.IQR_OF_NORMAL)
    if scale <= 0:
        return np.inf
    edges = np.clip(np.unique(np.append(layout.edges, layout.heavy)), -numeric.FAR, numeric.FAR)
    before, upto = (_shares(layout, window, edges, side) - _shares(layout, reference, edges, side) for side in (0, 1))
    starts, ends = upto[:-1], before[1:]
    same = np.sign(starts) == np.sign(ends)
    through = np.where(same, np.minimum(np.abs(starts), np.abs(ends)), 0.0)
    sizes = ((min(max(size, -numeric.FAR), numeric.FAR), n) for size, n in numeric.far(window))
    beyond_ends = sum(n * max(edges[0] - size, size - edges[-1], 0.0) for size, n in sizes)
    return float((through * np.diff(edges)).sum() + beyond_ends / window.count) / scale


def _shares(layout: NumberLayout, tally: Tally, at: npt.NDArray[np.float64], included: int) -> npt.NDArray[np.float64]:
    """The share of values below each place, or up to and with it; those of a bin are spread evenly over it."""
    bins = len(layout.edges) - 1
    light = np.interp(at, np.clip(layout.edges, -numeric.FAR, numeric.FAR), np.cumsum(tally.cells[: bins + 1]))
    heavy, counts = np.array(layout.heavy), tally.cells[bins + 2 :]
    under = heavy[None, :] <= at[:, None] if included else heavy[None, :] < at[:, None]
    return (light + (counts[None, :] * under).sum(axis=1)) / tally.count


def share(part: float, whole: float) -> float:
    """`part / whole`, 0 of nothing."""
    return part / whole if whole else 0.0


def root(value: float) -> float:
    """The square root of a PSI; 0 when debiasing took it below."""
    return float(np.sqrt(max(value, 0.0)))


def beyond(layout: NumberLayout, window: Tally) -> int:
    """Rows under or over the reference's range."""
    if len(window.cells) == 0 or not layout.edges:
        return 0
    return int(window.cells[0] + window.cells[max(len(layout.edges) - 1, 1) + 1])


def heap(reference: Tally, window: Tally) -> tuple[float, int]:
    """The largest growth of a hash bucket's share, and the bucket: the least by which one value's share has grown."""
    if window.count == 0 or reference.count == 0 or len(window.buckets) == 0 or len(reference.buckets) == 0:
        return 0.0, 0
    growth = window.buckets / window.count - reference.buckets / reference.count
    place = int(np.argmax(growth))
    return max(float(growth[place]), 0.0), place
