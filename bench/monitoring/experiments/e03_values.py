"""Faults in the values of one column: is it found, and is no other column accused?"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tools
import windows
from table import Line

from modelyard.stats import compare_frames

TITLE = "3 value faults"
GOAL = "11 of 11 hits, no other column; .10 sd is info at most"


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """One window per fault, and one with a shift that is too small to matter."""
    rng = np.random.default_rng(3)
    reference = windows.draw(rng, windows.REFERENCE)
    planted = list(windows.FAULTS.items())
    broken = [windows.broken(windows.draw(rng, windows.WINDOW), *fault, rng) for _, fault in planted]
    for tool, seen in tools.by_tool(peers, reference, broken).items():
        missed = [name for (name, (column, _)), each in zip(planted, seen, strict=True) if column not in each.alarms]
        extra = [len(each.alarms - {column}) for (_, (column, _)), each in zip(planted, seen, strict=True)]
        hits = len(planted) - len(missed)
        note = f" (missed: {', '.join(missed)})" if missed else ""
        reached = hits == len(planted) and not any(extra) if tool == "modelyard" else None
        others = f"{min(extra)}–{max(extra)}" if max(extra) else "0"
        yield Line(TITLE, tool, f"{hits} of {len(planted)}{note}; other columns per window: {others}", reached)
    small = windows.broken(windows.draw(rng, windows.WINDOW), "n3", lambda _, v: v + 0.1 * 5, rng)
    verdict = next(c for c in compare_frames(reference, small)["columns"] if c["column"] == "n3")["verdict"]
    yield Line(TITLE, "modelyard", f".10 sd: {verdict}", verdict in ("ok", "info"))
