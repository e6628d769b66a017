"""Values that go missing, little by little or all at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tools
import windows
from table import Line

TITLE = "4 missing"
GOAL = "3 of 3, no crash"


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """A column with 1% of missing values in the reference."""
    rng = np.random.default_rng(4)
    reference = windows.draw(rng, windows.REFERENCE)
    planted = list(windows.MISSING.items())
    broken = [windows.broken(windows.draw(rng, windows.WINDOW), *fault, rng) for _, fault in planted]
    for tool, seen in tools.by_tool(peers, reference, broken).items():
        hits = sum(column in each.alarms for (_, (column, _)), each in zip(planted, seen, strict=True))
        errors = [each.error for each in seen if each.error]
        note = f"; {len(errors)} crashed: {errors[0]}" if errors else ""
        yield Line(TITLE, tool, f"{hits} of 3{note}", hits == 3 and not errors if tool == "modelyard" else None)
