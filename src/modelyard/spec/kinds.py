"""The kinds of trouble that can be seen or told: what triggers may wait for, and what channels may be asked to tell."""

from __future__ import annotations

OBSERVED = (
    "drift",
    "joint",
    "units",
    "missing",
    "schema",
    "duplicates",
    "quality",
    "concept",
    "calibration",
    "slices",
    "kpis",
    "estimate",
    "software",
    "cost",
    "volume",
    "stale",
)
"""What monitors see window by window, and a trigger may wait for: kinds of observations that warn and page."""

FORECAST = "decay"
"""What monitors foresee."""

SLO = "slo"
"""What is observed of declared service levels."""

EVENTS = (
    "rollback",
    "rollout_paused",
    "refused",
    "training_failed",
    "data_failed",
    "data_doubted",
    "approval",
    "trigger",
    "trigger_failed",
)
"""What happens and must be known: a release was taken back, a rollout waits for a person, a candidate did not pass, training
failed, new data could not be taken in, or a check warns of it, a release waits for approval, a trigger was declared to tell, what a trigger asked for failed."""

TOLD = {"stale": "stale_source"}
"""Observations whose alert has a name of its own."""

ALERTS = (*(TOLD.get(kind, kind) for kind in (*OBSERVED, FORECAST, SLO)), *EVENTS)
"""The kinds of alerts."""
