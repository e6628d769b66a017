"""Checks of models, slices, comparisons: what a model is worth, as verdicts."""

from __future__ import annotations

from modelyard.evaluate.scored import Scored
from modelyard.evaluate.verdicts import Evidence, Versus, judge

__all__ = ["Evidence", "Scored", "Versus", "judge"]
