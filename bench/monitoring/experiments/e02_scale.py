"""A million rows, a hundredth of a standard deviation in 12 columns: certain, and of no interest."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tools
import windows
from table import Line

TITLE = "2 scale and benign"
GOAL = "no alarm"


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """One window; the CPU is that of the whole process of a peer, and of the comparison alone of ours (see cost.py)."""
    rng = np.random.default_rng(2)
    reference, window = windows.draw(rng, 100_000), windows.draw(rng, 1_000_000, shift=0.01)
    found = tools.ours(reference, [window])[0].alarms
    yield Line(TITLE, "modelyard", f"{len(found)} columns", not found)
    for tool in tools.DRIFT:
        if tool in peers:
            before = tools.children_cpu()
            seen = tools.asked(tool, peers[tool], reference, [window])[0]
            cpu = tools.children_cpu() - before
            yield Line(TITLE, tool, seen.error or f"{len(seen.alarms)} columns; {cpu:.0f} s of CPU")
