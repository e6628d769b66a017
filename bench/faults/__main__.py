"""Faults of the gateway, each with the promise it must keep: killed, hung, full, cut off, without its database, swapped.

    .venv/bin/python bench/faults [--only kill,swap,...] [--quick]

Runs as any user; `power` (a copy of a loop-mounted ext4 image, taken mid-run) and `fsync` (strace) need root and are said
to be skipped elsewhere. Load is bounded and on the loopback only. Ends with 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from scenes import SCENES


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="of: " + ", ".join(SCENES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    given = parser.parse_args()
    names = list(SCENES) if given.only is None else given.only.split(",")
    unknown = set(names) - set(SCENES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print(f"load average {os.getloadavg()[0]:.1f}", flush=True)
    broken = 0
    for name in names:
        place = Path(tempfile.mkdtemp(prefix="yard-fault-"))
        promise, scene = SCENES[name]
        try:
            kept, says = scene(place, given.quick)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        broken += kept is False
        word = {True: "kept", False: "BROKEN", None: "skipped"}[kept]
        print(f"{name:8} {word:7}  promise: {promise}\n{'':18}seen: {says}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
