"""Rows that come twice, and a window that comes again: marginal distributions cannot show it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import tools
import windows
from table import Line

from modelyard.stats import compare_frames

TITLE = "5 rows"
GOAL = "2 of 2 named, fresh windows clean"
FRESH = 10


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """The reference of a replay is what came before it: the training rows and the last window."""
    rng = np.random.default_rng(5)
    reference = windows.draw(rng, windows.REFERENCE)
    last, rows = windows.draw(rng, windows.WINDOW), windows.draw(rng, windows.WINDOW)
    before = pa.concat_tables([reference, last])
    doubled = pa.concat_tables([rows.slice(0, 3_500), rows.slice(0, 1_500)])
    named = _kinds(before, doubled) == {"duplicates"}, _kinds(before, last) == {"replay"}
    fresh = [windows.draw(rng, windows.WINDOW) for _ in range(FRESH)]
    clean = sum(not _kinds(before, window) for window in fresh)
    text = f"{sum(named)} of 2 named; {clean} of {FRESH} fresh windows clean"
    yield Line(TITLE, "modelyard", text, all(named) and clean == FRESH)
    for tool in tools.DRIFT:
        if tool in peers:
            twice, again = tools.asked(tool, peers[tool], before, [doubled, last])
            told = ", ".join(sorted(twice.alarms | again.alarms)) or "nothing"
            yield Line(TITLE, tool, f"names no rows; columns that alarm: {told}")


def _kinds(reference: pa.Table, window: pa.Table) -> set[str]:
    found = compare_frames(reference, window)["columns"]
    return {kind for each in found if each["verdict"] in ("warn", "page") for kind in each["kinds"]}
