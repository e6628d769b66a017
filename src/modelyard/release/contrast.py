"""What answered rows earned under each release: the result of an A/B test, and what a bandit knows of its arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from modelyard.release.pairs import shown
from modelyard.stats.clusters import Mean, difference_bounds, mean
from modelyard.stats.offpolicy import Value, advantage_bounds, value
from modelyard.stats.offpolicy import chances as likely

LABEL = "label"
"""The metric that is the mean of the label itself, such as the share of visitors who bought."""


@dataclass(frozen=True)
class Outcomes:
    """Labelled answers of several arms: which `arm` (0 is the champion), with what `propensity`, what was gained.

    `gain` is higher when better: the label or its negative, or a loss's negative. `group` is the routing key: rows with
    the same one are not independent. `size`: the largest gain of a row, about.
    """

    arm: np.ndarray
    propensity: np.ndarray
    gain: np.ndarray
    group: np.ndarray
    size: float


@dataclass(frozen=True)
class Contrast:
    """Whether a challenger is proven better or worse than the champion, and by how much it gains more."""

    result: Literal["better", "worse", "open"]
    says: str
    rows: int
    estimate: float
    lower: float
    upper: float

    def as_json(self) -> dict[str, object]:
        """For audit entries and `release show`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def fixed(outcomes: Outcomes, metric: str, sign: float, alpha: float) -> Contrast | None:
    """Arm 1 against arm 0 under fixed shares: a difference of two means. None before both have a labelled row.

    `sign` turns a gain back into the metric: -1 for losses. Each direction has half of `alpha`.
    """
    a, b = (_mean(outcomes, number) for number in (1, 0))
    if not a.rows or not b.rows:
        return None
    lower, upper = difference_bounds(a, b, alpha / 2)
    told = f"{a.rows:,} against {b.rows:,} labelled answers"
    return _contrast(metric, sign, (a.value, b.value), a.value - b.value, (lower, upper), told, a.rows + b.rows)


def moving(outcomes: Outcomes, arm: int, metric: str, sign: float, alpha: float) -> Contrast | None:
    """An arm against the champion where shares moved: off-policy, by the logged propensities."""
    values = [_value(outcomes, each) for each in (arm, 0)]
    if not all(each.snips.rows for each in values):
        return None
    a, b = (each.snips.value for each in values)
    bounds = advantage_bounds(
        arm, outcomes.arm, outcomes.propensity, outcomes.gain, outcomes.group, alpha / 2, outcomes.size
    )
    ips = " and ".join(shown(metric, sign * each.ips) for each in values)
    told = f"{values[0].snips.rows:,} against {values[1].snips.rows:,} labelled answers, SNIPS; IPS {ips}"
    return _contrast(metric, sign, (a, b), a - b, bounds, told, len(outcomes.arm))


def chances(outcomes: Outcomes, arms: int) -> tuple[float, ...]:
    """The chance of each arm to be the best; () before each has two labelled groups."""
    values = [_value(outcomes, each).snips for each in range(arms)]
    if any(each.groups < 2 for each in values):
        return ()
    return likely([each.value for each in values], [each.variance for each in values])


def _mean(outcomes: Outcomes, arm: int) -> Mean:
    mine = outcomes.arm == arm
    return mean(outcomes.gain[mine], outcomes.group[mine], outcomes.size)


def _value(outcomes: Outcomes, arm: int) -> Value:
    return value(arm, outcomes.arm, outcomes.propensity, outcomes.gain, outcomes.group, outcomes.size)


def _contrast(
    metric: str,
    sign: float,
    values: Sequence[float],
    estimate: float,
    bounds: tuple[float, float],
    told: str,
    rows: int,
) -> Contrast:
    lower, upper = bounds
    result: Literal["better", "worse", "open"] = "better" if lower > 0 else "worse" if upper < 0 else "open"
    a, b = (shown(metric, sign * each) for each in values)
    proven = {"better": "proven better", "worse": "proven worse"}.get(result, "no difference is proven yet")
    return Contrast(result, f"{metric} {a} against {b} ({told}): {proven}", rows, estimate, lower, upper)
