"""Windows from the very world of the reference: how many of them alarm?"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tools
import windows
from table import Line

TITLE = "1 null"
GOAL = "at most 1% of 400 windows with any alarm"
WINDOWS, OF_PEERS = 400, 20


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """Any column (or rows, or columns together) that alarms counts."""
    rng = np.random.default_rng(1)
    reference = windows.draw(rng, windows.REFERENCE)
    drawn = [windows.draw(rng, windows.WINDOW) for _ in range(WINDOWS)]
    for tool, seen in tools.by_tool(peers, reference, drawn, of_peers=OF_PEERS).items():
        alarming = sum(bool(each.alarms) for each in seen)
        errors = [each.error for each in seen if each.error]
        note = f"; {len(errors)} errors: {errors[0]}" if errors else ""
        reached = alarming <= 0.01 * len(seen) if tool == "modelyard" else None
        yield Line(TITLE, tool, f"{alarming} of {len(seen)} windows{note}", reached)
