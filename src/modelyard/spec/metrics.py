"""The metrics that a declaration may name: by task, and which way is better."""

from __future__ import annotations

from typing import Literal

Way = Literal["higher", "lower"]

METRICS: dict[str, dict[str, Way]] = {
    "binary_classification": {
        "log_loss": "lower",
        "roc_auc": "higher",
        "brier": "lower",
        "accuracy": "higher",
        "precision": "higher",
        "recall": "higher",
        "f1": "higher",
        "average_precision": "higher",
    },
    "multiclass_classification": {
        "log_loss": "lower",
        "accuracy": "higher",
        "f1_macro": "higher",
        "roc_auc_ovr": "higher",
    },
    "regression": {
        "rmse": "lower",
        "mae": "lower",
        "mape": "lower",
        "smape": "lower",
        "wape": "lower",
        "r2": "higher",
        "bias": "lower",
    },
}
"""What can be computed; of `bias` the distance from 0 counts."""

RATES = ("error_rate", "fallback_rate", "warning_rate", "latency_p95", "output_shift")
"""What a rollout can be guarded by without labels."""

PAIRED: dict[str, tuple[str, ...]] = {
    "binary_classification": ("log_loss", "brier", "accuracy"),
    "multiclass_classification": ("log_loss", "brier", "accuracy"),
    "regression": ("mae", "mse", "rmse"),
}
"""Metrics that are means over rows, so that a champion and a challenger can be compared row by row."""
