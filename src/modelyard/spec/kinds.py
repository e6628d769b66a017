"""The kinds of trouble that can be seen or told: what triggers may wait for, and what channels may be asked to tell."""

from __future__ import annotations

OBSERVED = ("drift", "quality", "missing", "schema", "duplicates", "stale")
"""What monitors see: the kinds of observations."""

EVENTS = ("rollback", "rollout_paused", "refused", "training_failed", "approval", "trigger")
"""What happens and must be known: a release was taken back, a rollout waits for a person, a candidate did not pass, training
failed, a release waits for approval, a trigger was declared to tell."""

TOLD = {"stale": "stale_source"}
"""Observations whose alert has a name of its own."""

ALERTS = (*(TOLD.get(kind, kind) for kind in OBSERVED), *EVENTS)
"""The kinds of alerts."""
