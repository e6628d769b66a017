"""The metrics that a declaration may name: by task, and which way is better."""

from __future__ import annotations

from typing import Literal

Way = Literal["higher", "lower"]

METRICS: dict[str, dict[str, Way]] = {
    "binary_classification": {
        "roc_auc": "higher",
        "average_precision": "higher",
        "log_loss": "lower",
        "brier": "lower",
        "accuracy": "higher",
        "balanced_accuracy": "higher",
        "precision": "higher",
        "recall": "higher",
        "f1": "higher",
        "calibration_error": "lower",
    },
    "multiclass_classification": {
        "roc_auc": "higher",
        "log_loss": "lower",
        "brier": "lower",
        "accuracy": "higher",
        "balanced_accuracy": "higher",
        "f1": "higher",
    },
    "regression": {
        "rmse": "lower",
        "mse": "lower",
        "mae": "lower",
        "mape": "lower",
        "rmsle": "lower",
        "median_absolute_error": "lower",
        "r2": "higher",
    },
}

PRIMARY: dict[str, str] = {
    "binary_classification": "log_loss",
    "multiclass_classification": "log_loss",
    "regression": "rmse",
}

RATES = ("error_rate", "fallback_rate", "warning_rate", "latency_p95")
"""What a rollout can be guarded by without labels."""

PAIRED: dict[str, tuple[str, ...]] = {
    "binary_classification": ("log_loss", "brier", "accuracy"),
    "multiclass_classification": ("log_loss", "brier", "accuracy"),
    "regression": ("mae", "mse", "rmse"),
}
"""Metrics that are means over rows, so that a champion and a challenger can be compared row by row."""
