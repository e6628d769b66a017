"""Weights of training rows: what is older counts less, by half after each half-life."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa


def by_age(times: pa.ChunkedArray, half_life: timedelta) -> np.ndarray:
    """A weight for each row time: 1 for the newest row, 1/2 one half-life before it."""
    seconds = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
    return np.exp2((seconds - seconds.max()) / half_life.total_seconds())
