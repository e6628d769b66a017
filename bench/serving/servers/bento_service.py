"""BentoML as its documentation has it: a service with one API, batched or not."""

import os

import bentoml
import joblib
import numpy as np

BATCH = os.environ.get("BENCH_BATCH") == "1"


@bentoml.service(workers=1, traffic={"timeout": 60, "concurrency": 256})
class Model:
    """One model, one API."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api(batchable=BATCH, max_batch_size=1000, max_latency_ms=60_000)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """One probability per row."""
        return self.model.predict_proba(rows)[:, 1]
