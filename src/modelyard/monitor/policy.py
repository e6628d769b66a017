"""What the input policy did in a stretch of time, from the warnings in the prediction log."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np

from modelyard.records import Segment
from modelyard.store import Store, predictions


def uses(store: Store, deployment: str, start: datetime, end: datetime) -> dict[str, Any]:
    """Rows answered in [start, end), how many the fallback answered, and per input and code in how many rows it acted.

    `{"rows", "fallback", "uses": [{"input", "code", "rows"}]}`, most frequent first; what has not left the gateway's spool
    is not in it.
    """
    if not store.read(Segment, deployment=deployment, end__ge=start, limit=1):
        return {"rows": 0, "fallback": 0, "uses": []}
    found = predictions.answers(store, deployment, start=start, end=end, columns=["fallback", "warnings"])
    counted: Counter[tuple[str, str]] = Counter()
    told = found["warnings"].to_numpy(zero_copy_only=False)
    for text in told[told != "[]"]:
        counted.update({(each.get("input", ""), each["code"]) for each in json.loads(text or "[]")})
    return {
        "rows": found.num_rows,
        "fallback": int(np.count_nonzero(found["fallback"].to_numpy(zero_copy_only=False))),
        "uses": [
            {"input": name, "code": code, "rows": rows}
            for (name, code), rows in counted.most_common()
            if code != "fallback"
        ],
    }
