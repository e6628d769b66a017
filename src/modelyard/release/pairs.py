"""Losses of two releases on the rows that both answered, and what they prove: a paired test needs far fewer rows than two samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.release.losses import LOSSES
from modelyard.spec.values import Margin
from modelyard.stats.sequential import Moments, design_effect, mean_bounds

MIN_BLOCKS = 8
"""Fewer stretches of time than this say nothing about how much rows resemble their neighbours."""


@dataclass(frozen=True)
class Pairs:
    """Sufficient statistics of two losses per row, `a` the challenger's and `b` the champion's."""

    n: int = 0
    a: float = 0.0
    b: float = 0.0
    aa: float = 0.0
    bb: float = 0.0
    ab: float = 0.0

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def excess(self, scale: float, shift: float) -> Moments:
        """The moments of `a - scale*b - shift`.

        >>> Pairs(2, a=3.0, b=2.0, aa=5.0, bb=2.0, ab=3.0).excess(1.0, 0.0)    # a = 1, 2; b = 1, 1
        Moments(n=2, total=1.0, squares=1.0)
        """
        total = self.a - scale * self.b - shift * self.n
        squares = self.aa + scale * scale * self.bb - 2 * scale * self.ab
        squares += shift * shift * self.n - 2 * shift * (self.a - scale * self.b)
        return Moments(self.n, total, max(squares, 0.0))


@dataclass(frozen=True)
class Compared:
    """How much more a challenger loses per row than is allowed, with always-valid bounds; `says` both metrics."""

    rows: int
    excess: float
    lower: float
    upper: float
    says: str


def compare(name: str, margin: Margin, blocks: Sequence[Pairs], alpha: float) -> Compared | None:
    """Compare by the metric `name`; a negative margin asks for an improvement. None without rows."""
    whole = sum(blocks, Pairs())
    if not whole.n:
        return None
    loss = LOSSES[name]
    scale, shift = loss.allowed(margin, whole.b / whole.n)
    moments = [block.excess(scale, shift) for block in blocks]
    effect = design_effect(moments, least=MIN_BLOCKS)
    size = loss.size if loss.size is not None else math.sqrt((whole.aa + whole.bb) / (2 * whole.n))
    filled = sum(1 for block in blocks if block.n) >= MIN_BLOCKS
    excess = sum(moments, Moments()).smoothed(size)
    lower, upper = mean_bounds(excess, alpha, effect=effect) if filled else (-math.inf, math.inf)
    a, b = whole.a / whole.n, whole.b / whole.n
    says = f"{name}: {shown(name, a)} against {shown(name, b)} on {whole.n:,} labelled rows of both"
    return Compared(whole.n, excess.mean, lower, upper, says)


def shown(name: str, loss: float) -> str:
    """The metric that a mean loss stands for, as text."""
    value = {"rmse": math.sqrt(max(loss, 0.0)), "accuracy": 1 - loss}.get(name, loss)
    return f"{value:.4g}"
