"""Checks of models, slices, comparisons: what a model is worth, as verdicts."""

from __future__ import annotations

from modelyard.evaluate.judge import Evidence, Versus, judge
from modelyard.evaluate.scored import Scored

__all__ = ["Evidence", "Scored", "Versus", "judge"]
