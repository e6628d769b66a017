"""Weights of training rows: what is older counts less, by half after each half-life."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa


def by_age(times: pa.ChunkedArray, half_life: timedelta, as_of: datetime) -> np.ndarray:
    """A weight of 0 to 1 for each row time, 1/2 after one half-life before `as_of`."""
    now = pa.scalar(as_of, pa.timestamp("us", "UTC")).cast(pa.int64()).as_py()
    age = (now - times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()) / 1e6
    return np.exp2(-np.maximum(age, 0.0) / half_life.total_seconds())
