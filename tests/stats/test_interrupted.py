"""What an introduction moved is found with an interval that covers the truth as often as it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.stats import interrupted, periods

WEEK = np.array([0, 1, 2, 0, -1, 3, 3])


def series(rng: np.random.Generator, days: int, phi: float) -> np.ndarray:
    """Trend, a week, and errors that hang together."""
    errors = rng.normal(size=days)
    errors[0] /= np.sqrt(1 - phi**2)
    for day in range(1, days):
        errors[day] += phi * errors[day - 1]
    return 10 + 0.02 * np.arange(days) + WEEK[np.arange(days) % 7] + errors


@pytest.mark.parametrize(("days", "phi"), [(56, 0.3), (90, 0.0), (90, 0.6), (120, 0.8)])
@pytest.mark.parametrize("planted", [0.0, 3.0])
def test_the_interval_covers_the_planted_effect(days: int, phi: float, planted: float) -> None:
    """Of 95% intervals at least 90% must cover; 88% is three standard errors of 100 series below 95% and fails at most 1 in 200."""
    rng, covered, runs = np.random.default_rng(days), 0, 100
    at, numbers = days * 2 // 3, np.arange(days)
    for _ in range(runs):
        y = series(rng, days, phi) + planted * (numbers >= at)
        found = interrupted.step(numbers, y, at, seasons=[numbers % 7])
        assert found is not None and found.low < found.estimate < found.high
        covered += found.low <= planted <= found.high
    assert covered / runs >= 0.88


def test_a_large_effect_is_shown_and_another_introduction_is_not_taken_for_it() -> None:
    rng, numbers = np.random.default_rng(2), np.arange(150)
    y = series(rng, 150, 0.3) + 5 * (numbers >= 60) - 4 * (numbers >= 110)
    first = interrupted.step(numbers, y, 60, others=[110], seasons=[numbers % 7])
    second = interrupted.step(numbers, y, 110, others=[60], seasons=[numbers % 7])
    assert first is not None and first.shown and first.low < 5 < first.high
    assert second is not None and second.shown and second.low < -4 < second.high


def test_missing_periods_only_widen_the_interval() -> None:
    rng, numbers = np.random.default_rng(3), np.arange(120)
    y = series(rng, 120, 0.4) + 6 * (numbers >= 80)
    kept = np.sort(rng.permutation(120)[:80])
    found = interrupted.step(kept, y[kept], 80, seasons=[kept % 7])
    assert found is not None and found.low < 6 < found.high


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_an_effect_moves_with_its_unit(shift: float, scale: float) -> None:
    y = series(np.random.default_rng(4), 60, 0.3)
    numbers = np.arange(60)
    plain = interrupted.step(numbers, y, 40, seasons=[numbers % 7])
    moved = interrupted.step(numbers, shift + scale * y, 40, seasons=[numbers % 7])
    assert plain is not None and moved is not None
    assert np.allclose(
        [moved.estimate, moved.low, moved.high],
        scale * np.array([plain.estimate, plain.low, plain.high]),
        rtol=1e-3,
        atol=scale * 1e-3,
    )


def test_too_little_says_nothing() -> None:
    numbers = np.arange(6)
    assert interrupted.step(numbers, numbers * 1.0, 3, seasons=[numbers % 7]) is None
    constant = interrupted.step(np.arange(30), np.ones(30), 15)
    assert constant is not None and abs(constant.estimate) < 1e-6


def test_the_mean_of_a_difference_has_an_interval_that_knows_of_autocorrelation() -> None:
    rng, covered = np.random.default_rng(5), 0
    for _ in range(100):
        errors = rng.normal(size=40)
        for day in range(1, 40):
            errors[day] += 0.6 * errors[day - 1]
        found = interrupted.mean(np.arange(40), errors + 1)
        assert found is not None
        covered += found.low <= 1 <= found.high
    assert covered >= 88


HOUR = timedelta(hours=1)


@given(st.datetimes(datetime(1960, 1, 1), datetime(2060, 1, 1)), st.sampled_from([1, 6, 24, 168]))
def test_a_time_lies_in_its_period(naive: datetime, hours: int) -> None:
    every, time = hours * HOUR, naive.replace(tzinfo=UTC)
    number = periods.number(time, every)
    assert periods.begin(number, every) <= time < periods.begin(number + 1, every)
    if hours == 168:
        assert periods.begin(number, every).isoweekday() == 1


def test_seasons_are_days_of_the_week_and_hours_of_the_day() -> None:
    numbers = np.arange(-48, 48)
    (days,) = periods.seasons(numbers, timedelta(days=1))
    assert [periods.begin(int(n), timedelta(days=1)).weekday() for n in numbers] == days.tolist()
    days, hours = periods.seasons(numbers, HOUR)
    assert [periods.begin(int(n), HOUR).hour * 60 for n in numbers] == hours.tolist()
    assert periods.seasons(numbers, timedelta(weeks=1)) == []


def test_a_forecast_is_not_blurred_by_a_fall_that_began_within_the_window() -> None:
    """The larger the fall of the last three of seven days, the surer it is; as one step it would look like noise."""
    rng = np.random.default_rng(4)
    days = np.arange(70)
    calm = 100 + 3 * (days % 7 == 0) + rng.normal(0, 1, 70)
    widths = []
    for fall in (2.0, 60.0):
        found = interrupted.step(days, calm - fall * (days >= 67), 63, seasons=[days % 7], forecast=True)
        assert found is not None and abs(found.estimate + fall * 3 / 7) < 1
        widths.append(found.high - found.low)
    assert abs(widths[0] - widths[1]) < 1e-6
