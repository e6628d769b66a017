"""Fit the heuristic that a model must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.errors import DataError
from modelyard.models import Baseline


def fit(table: pa.Table, y: np.ndarray, *, by: Sequence[str], signature: dict[str, Any]) -> Baseline:
    """The mean (or class shares) per group of the columns `by`; DataError names one that the table lacks."""
    unknown = [name for name in by if name not in table.column_names]
    if unknown:
        raise DataError(
            f"the baseline groups by {unknown[0]!r}, which is no column here",
            hint=f"There are {', '.join(table.column_names)}.",
        )
    return Baseline.of(table, y, by, signature)
