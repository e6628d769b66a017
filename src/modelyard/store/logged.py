"""The columns of the prediction log, as `serve` writes and `predictions` reads them."""

from __future__ import annotations

import pyarrow as pa

_TIME = pa.timestamp("us", tz="UTC")
# `role`: answer, shadow, or forced (the request named its arm: no statistic counts it). `propensity`: with which
# probability the routes gave the row its arm; null where they had no say. `weight`: how many rows it stands for, where
# only a sample is logged (null in older rows: 1). What every row has; beside it `in.NAME` per input, as the policy left it (null in rows of a shadow).
COLUMNS = pa.schema(
    {
        "request_id": pa.string(),
        "row": pa.int64(),
        "at": _TIME,
        "time": _TIME,
        "arm": pa.string(),
        "role": pa.string(),
        "release": pa.string(),
        "key": pa.string(),
        "routing": pa.string(),
        "prediction": pa.float64(),
        "predictions": pa.list_(pa.float64()),
        "fallback": pa.bool_(),
        "warnings": pa.string(),
        "error": pa.string(),
        "latency_ms": pa.float64(),
        "propensity": pa.float64(),
        "weight": pa.float64(),
    }
)
