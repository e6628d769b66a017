"""How the answers of two releases to the same rows compare, without labels: agreement, differences, latency, errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Agreement:
    """`same`: the share of rows with the same answer (the same class; of numbers, within 1%). `difference` is the mean
    absolute one of predictions, `largest` its 99th percentile. Latencies (ms) are medians and p95 of what each took.
    """

    rows: int
    same: float
    difference: float
    largest: float
    errors: tuple[float, float]
    latency: tuple[float, float]

    @property
    def says(self) -> str:
        """In words."""
        return (
            f"{self.same:.1%} of {self.rows:,} answers are the same, they differ by {self.difference:.3g} on average and "
            f"{self.largest:.3g} at most in 99% of rows; errors {self.errors[0]:.2%} against {self.errors[1]:.2%}; "
            f"p95 {self.latency[0]:.3g} ms against {self.latency[1]:.3g} ms"
        )

    def as_json(self) -> dict[str, object]:
        """For audit entries and `release show`: the challenger's figure first where there are two."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def agreement(worse: pa.Table, base: pa.Table, task: str) -> Agreement | None:
    """Compare rows that both answered, side by side; `worse` are the challenger's. None without rows."""
    if not len(worse):
        return None
    p, q = _values(worse), _values(base)
    both = np.isfinite(p).all(axis=1) & np.isfinite(q).all(axis=1)
    p, q = p[both], q[both]
    if task == "multiclass_classification":
        same = p.argmax(axis=1) == q.argmax(axis=1)
    elif task == "binary_classification":
        same = (p >= 0.5).all(axis=1) == (q >= 0.5).all(axis=1)
    else:
        same = (np.abs(p - q) <= 0.01 * np.maximum(np.abs(q), 1e-12)).all(axis=1)
    apart = np.abs(p - q).max(axis=1)
    failed = tuple(float(pc.mean(pc.not_equal(pc.fill_null(each["error"], ""), "")).as_py()) for each in (worse, base))
    latency = tuple(
        float(np.quantile(pc.fill_null(each["latency_ms"], 0.0).to_numpy(), 0.95)) for each in (worse, base)
    )
    if not len(apart):
        return Agreement(len(worse), 0.0, 0.0, 0.0, failed, latency)  # type: ignore[arg-type]
    return Agreement(
        len(worse),
        float(same.mean()),
        float(apart.mean()),
        float(np.quantile(apart, 0.99)),
        failed,  # type: ignore[arg-type]
        latency,  # type: ignore[arg-type]
    )


def _values(rows: pa.Table) -> np.ndarray:
    """Predictions as (rows, numbers); NaN where there is none."""
    many = "predictions" in rows.column_names and rows["predictions"].null_count < rows.num_rows
    if not many:
        return pc.fill_null(rows["prediction"], float("nan")).to_numpy().astype(float).reshape(-1, 1)
    listed = rows["predictions"].to_pylist()
    width = max(len(each) for each in listed if each)
    return np.array([each or [float("nan")] * width for each in listed], dtype=float)
