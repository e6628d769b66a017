"""Two columns whose correlation breaks from .9 to 0, each for itself unchanged."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tools
import windows
from table import Line

from modelyard.stats import compare_frames

TITLE = "6 joint only"
GOAL = "an alarm; unchanged windows |z| ≤ 4"
NULLS = 20


def run(peers: Mapping[str, Path]) -> Iterator[Line]:
    """The area under the curve and z of our classifier; peers look at columns one by one."""
    rng = np.random.default_rng(6)
    reference = windows.pair(rng, windows.REFERENCE, 0.9)
    broken = windows.pair(rng, windows.WINDOW, 0.0)
    result = compare_frames(reference, broken)
    joint = result["rows"]["joint"]
    nulls = [compare_frames(reference, windows.pair(rng, windows.WINDOW, 0.9)) for _ in range(NULLS)]
    most = max(abs(each["rows"]["joint"]["z"]) for each in nulls)
    alarmed = tools.alarms(result) == {"(joint)"}
    quiet = not any(tools.alarms(each) for each in nulls)
    text = (
        f"{'alarm' if alarmed else 'no alarm'}, AUC {joint['auc']:.2f}, z {joint['z']:.0f}; unchanged: |z| ≤ {most:.1f}"
    )
    yield Line(TITLE, "modelyard", text, alarmed and quiet and most <= 4)
    for tool in tools.DRIFT:
        if tool in peers:
            seen = tools.asked(tool, peers[tool], reference, [broken])[0]
            yield Line(TITLE, tool, seen.error or f"{len(seen.alarms)} columns alarm")
