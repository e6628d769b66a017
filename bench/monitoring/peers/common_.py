"""What every peer's script shares: read the reference, then answer one JSON line per window."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ |= {
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
    "DO_NOT_TRACK": "1",
}  # none phones home
logging.disable(logging.WARNING)


def answer(prepare: Callable[[Any], Callable[[Any], Iterable[str]]]) -> None:
    """`prepare(reference)` gives the function that names the columns of a window (pandas) that alarm."""
    import pandas as pd

    reference, *windows = (pd.read_parquet(path) for path in sys.argv[1:])
    told, sys.stdout = sys.stdout, sys.stderr
    look = prepare(reference)
    for window in windows:
        try:
            line: dict[str, Any] = {"alarms": sorted(set(look(window)))}
        except Exception as error:
            line = {"alarms": [], "error": f"{type(error).__name__}: {error}".splitlines()[0][:160]}
        print(json.dumps(line), file=told, flush=True)
