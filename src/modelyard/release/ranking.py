"""A challenger's place among several: how its loss on labelled rows compares with the champion's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.release.pairs import Pairs, compare
from modelyard.spec.values import Margin


@dataclass(frozen=True)
class Rank:
    """`excess`: how much more it loses per row than the champion; `proven`: it is better by what was asked for."""

    excess: float
    proven: bool
    says: str


def rank(metric: str, by: Margin, blocks: Sequence[Pairs], alpha: float) -> Rank | None:
    """Where a challenger stands by `metric`; better means proven to be, by at least `by`. None without labelled rows."""
    compared = compare(metric, Margin(-by.amount, by.relative), blocks, alpha)
    if compared is None:
        return None
    proven = compared.upper < 0
    asked = f"by {by} or more " if by.amount else ""
    told = f"proven better {asked}".strip() if proven else f"not proven better {asked}yet"
    plain = sum(blocks, Pairs())
    return Rank((plain.a - plain.b) / plain.n, proven, f"{compared.says}, {told}")
