"""How far one window lies from another, column by column: effect sizes that a person can read, free of sample size."""

from __future__ import annotations

import numpy as np

from modelyard.stats.category import TAIL, CategoryLayout
from modelyard.stats.numeric import NumberLayout
from modelyard.stats.significance import psi
from modelyard.stats.tally import Counts, Tally

Layout = NumberLayout | CategoryLayout


def distances(layout: Layout, reference: Tally, window: Tally) -> dict[str, float]:
    """`shift` (root of PSI), `missing`, `outside`, `unseen`, `heap`, `digits` (root of PSI), `integers`: shares and
    differences.

    A root of PSI moves in proportion to the change, as the shares do, so that spreads of it mean something.
    """
    result = {"missing": abs(share(window.nulls, window.rows) - share(reference.nulls, reference.rows))}
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


def comparable(layout: Layout, reference: Tally, window: Tally) -> tuple[Counts, Counts]:
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
