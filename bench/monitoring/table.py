"""What an experiment gives, and how all of it is printed: one table, ours first, with goals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """What one tool reached in one experiment. `reached`: whether that is the goal; None when no goal is set for it."""

    experiment: str
    tool: str
    measured: str
    reached: bool | None = None


def printed(lines: Iterable[Line], goals: dict[str, str]) -> str:
    """The table in Markdown, as it stands in docs/monitoring.md."""
    rows = [("experiment", "tool", "measured", "goal", "")]
    shown = ""
    for line in lines:
        mark = {True: "reached", False: "MISSED", None: ""}[line.reached]
        first = line.experiment != shown
        rows.append((line.experiment * first, line.tool, line.measured, goals[line.experiment] * first, mark))
        shown = line.experiment
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]])
