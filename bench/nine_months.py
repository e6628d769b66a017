"""Nine months of flights, one policy, a turn of the controller every day: seconds of the clock and of the processors.

    python bench/nine_months.py [STEP] [TO]        # default 1d 2013-12-31; goal: 120 s by the clock on two cores

The data must be there (`python examples/flights/get_data.py`). Every run begins with an empty memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent.parent


def spent() -> tuple[float, float]:
    """Seconds of the clock, and of the processors in child processes that have ended, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic(), used.ru_utime + used.ru_stime


def main(step: str = "1d", to: str = "2013-12-31") -> None:
    """Simulate and print."""
    with tempfile.TemporaryDirectory() as home:
        began = spent()
        yard = [
            Path(sys.executable).parent / "yard",
            "simulate",
            "--project",
            HERE / "examples/flights",
            "--home",
            home,
        ]
        span = ["--from", "2013-04-01", "--to", to, "--step", step, "--json"]
        done = subprocess.run([*yard, *span], stdout=subprocess.PIPE, check=True)
        clock, processor = (after - before for before, after in zip(began, spent(), strict=True))
    found = json.loads(done.stdout)["summary"]
    print(f"{clock:.0f} s of the clock, {processor:.0f} s of the processors (load {os.getloadavg()[0]:.1f})")
    print({name: found[name] for name in ("metric", "policy", "static", "rows", "retrains", "promotions", "rollbacks")})


if __name__ == "__main__":
    main(*sys.argv[1:])
