"""Fit in isolation, track: the way to a model version."""

from __future__ import annotations

from modelyard.train import window
from modelyard.train.again import recipe, refit, refit_on
from modelyard.train.cut import Cut, split
from modelyard.train.fitting import CHILD, Fitted, fit_each

__all__ = ["CHILD", "Cut", "Fitted", "fit_each", "recipe", "refit", "refit_on", "split", "window"]
