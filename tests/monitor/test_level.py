"""The level that a release is held to comes down with what it shows, never up, and not by a few weeks' luck."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.monitor.level import merged, shown
from modelyard.stats.performance import Performance

BEGIN = date(2024, 3, 4)
KNOWN = Performance("binary_classification", 600, loss=0.11, excess=0.0, error=0.01, spread=0.25, effect=1.0)


def served(*weeks: float, rows: int = 100) -> dict[str, np.ndarray]:
    """Whole weeks of days with this mean excess each."""
    days = {}
    for place, mean in enumerate(weeks):
        for day in range(7):
            days[str(BEGIN + timedelta(days=7 * place + day))] = np.array([rows, 0.0, rows * mean])
    return days


def level(*weeks: float, rows: int = 100) -> float:
    return shown(KNOWN, served(*weeks, rows=rows), BEGIN + timedelta(weeks=len(weeks)))


def test_weeks_that_agree_say_the_level():
    assert level(*[-0.02] * 12) == pytest.approx(-0.02)


def test_three_weeks_say_nothing():
    assert level(-0.02, -0.02, -0.02) == 0.0


def test_a_release_is_held_to_what_it_was_approved_for():
    assert level(*[0.05] * 12) == 0.0


def test_weeks_that_differ_tell_less():
    levels = [level(*[-0.05 - wild, -0.05 + wild] * 4) for wild in (0.0, 0.02, 0.05, 0.1)]
    assert levels[:2] == pytest.approx([-0.05, -0.05]), "as sure as unseen rows were: nothing is added"
    assert levels[1] < levels[2] < levels[3] < 0.0


def test_rows_after_the_last_week_that_counts_are_left_out():
    days = served(*[-0.02] * 8, *[0.3] * 2)
    assert shown(KNOWN, days, BEGIN + timedelta(weeks=8)) == level(*[-0.02] * 8)


@given(st.lists(st.floats(-0.5, 0.5), max_size=12), st.integers(1, 1000))
def test_it_lies_between_what_was_shown_and_what_was_promised(weeks: list[float], rows: int):
    assert min([0.0, *weeks]) - 1e-9 <= level(*weeks, rows=rows) <= 0.0


def test_sums_of_the_same_day_are_added():
    days = merged([{"2024-03-05": np.array([1, 2, 3])}, {"2024-03-04": np.ones(3), "2024-03-05": np.ones(3)}])
    assert {day: parts.tolist() for day, parts in days.items()} == {"2024-03-04": [1, 1, 1], "2024-03-05": [2, 3, 4]}
    assert list(days) == sorted(days)
