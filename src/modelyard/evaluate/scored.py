"""Labels and a model's answers on the same rows, with what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard.stats import metrics


@dataclass(frozen=True, eq=False)
class Scored:
    """`y` and `p` as `metrics.score` takes them."""

    task: str
    y: np.ndarray
    p: np.ndarray
    classes: tuple[Any, ...] | None = None

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.y)

    def all(self) -> dict[str, float]:
        """Every metric that is defined on these rows."""
        return metrics.score(self.task, self.y, self.p, self.classes)

    def metric(self, name: str) -> float | None:
        """One metric; None where it is undefined."""
        return metrics.score(self.task, self.y, self.p, self.classes, only=name).get(name)

    def where(self, rows: np.ndarray) -> Scored:
        """The same for some of the rows (a mask, or indices)."""
        return Scored(self.task, self.y[rows], self.p[rows], self.classes)

    def short_of(self, least: int) -> str:
        """Why nothing can be said about these rows ("" when something can): too few, or one class only."""
        if self.rows < least:
            return f"{self.rows} test rows are too few (at least {least})"
        if self.task != "regression" and len(np.unique(self.y)) < 2:
            return f"the {self.rows} test rows are of one class only"
        return ""
