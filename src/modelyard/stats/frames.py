"""Compare two tables alone: no project, no store, no history."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from modelyard.stats.drift import FEWEST_ROWS, compare
from modelyard.stats.profile import Profile


def compare_frames(reference: pa.Table, current: pa.Table, *, min_rows: int = FEWEST_ROWS) -> dict[str, Any]:
    """What differs between two tables: `{"rows": {...}, "columns": [...], "ignored": {...}}`, worst column first."""
    known = Profile.of(reference)
    results = compare(known, Profile.of(current, known), min_rows=min_rows)
    return {
        "rows": {"reference": reference.num_rows, "current": current.num_rows},
        "columns": [result.as_json() for result in results],
        "ignored": known.ignored,
    }
