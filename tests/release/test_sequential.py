"""Sequential tests keep their promise under repeated looks: few false alarms, and power against what matters."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

from modelyard.release import losses
from modelyard.stats import sequential
from modelyard.stats.sequential import (
    Moments,
    Rate,
    design_effect,
    mean_bounds,
    rate_bounds,
    rate_log_e,
    rate_log_e_below,
    share_log_e,
    worse_log_e,
)

LOOKS = 25


def first_alarm(p: float, q: float, n: int, m: int, alpha: float, runs: int, test=worse_log_e) -> list[int | None]:
    """Per run, at which of 25 looks (n challenger, m champion rows each) the test rejected; None when never."""
    rng = np.random.default_rng(11)
    hits = rng.binomial(n, p, (runs, LOOKS)).cumsum(axis=1)
    base = rng.binomial(m, q, (runs, LOOKS)).cumsum(axis=1)
    wanted = math.log(1 / alpha)

    def looks(run: int) -> int | None:
        for look in range(LOOKS):
            rows = look + 1
            strata = [(Rate(n * rows, int(hits[run, look])), Rate(m * rows, int(base[run, look])))]
            if test(strata) >= wanted:
                return rows
        return None

    return [looks(run) for run in range(runs)]


@pytest.mark.parametrize(("rate", "rows"), [(0.05, 50), (0.005, 500), (0.5, 20)])
@pytest.mark.parametrize("test", [rate_log_e, share_log_e, worse_log_e])
def test_identical_releases_alarm_more_rarely_than_promised(rate: float, rows: int, test) -> None:
    alarms = [each for each in first_alarm(rate, rate, rows, 9 * rows, 0.05, 400, test) if each]
    assert len(alarms) <= 0.03 * 400


def test_half_a_percent_against_nine_tenths_is_found_within_a_few_looks() -> None:
    alarms = first_alarm(0.009, 0.005, 500, 4500, 0.05, 200)
    found = [each for each in alarms if each]
    assert len(found) >= 0.95 * 200
    assert np.median(found) <= 8


def test_a_challenger_that_always_fails_is_found_within_ten_rows() -> None:
    assert set(first_alarm(1.0, 0.01, 5, 95, 0.01 / 3, 50)) <= {1, 2}


def test_one_that_fails_every_fifth_time_is_found_within_thirty_looks_of_five() -> None:
    assert None not in first_alarm(0.2, 0.01, 5, 95, 0.01, 100)


def test_bounds_cover_the_true_difference_at_every_look() -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(60):
        hits, base = rng.binomial(500, 0.02, 10).cumsum(), rng.binomial(2000, 0.01, 10).cumsum()
        for look in range(10):
            strata = [(Rate(500 * (look + 1), int(hits[look])), Rate(2000 * (look + 1), int(base[look])))]
            low, high = rate_bounds(strata, 0.025)
            if not low <= 0.01 <= high:
                missed += 1
                break
    assert missed <= 3


def test_a_bound_and_its_test_agree() -> None:
    strata = [(Rate(3000, 40), Rate(20_000, 200))]
    low, high = rate_bounds(strata, 0.01)
    wanted = math.log(100)
    assert rate_log_e(strata, above=low - 1e-6) >= wanted > rate_log_e(strata, above=low + 1e-6)
    assert rate_log_e_below(strata, below=high + 1e-6) >= wanted > rate_log_e_below(strata, below=high - 1e-6)


def test_evidence_of_two_looks_adds_up() -> None:
    one, two = Rate(100, 3), Rate(50, 1)
    assert one + two == Rate(150, 4)
    values = np.random.default_rng(1).normal(size=100)
    whole = Moments.of(values.tolist())
    parts = Moments.of(values[:30].tolist()) + Moments.of(values[30:].tolist())
    assert (parts.n, parts.total, parts.squares) == pytest.approx((whole.n, whole.total, whole.squares))
    assert whole.variance == pytest.approx(values.var(ddof=1))


def test_a_mean_of_nothing_is_seldom_found_to_be_something() -> None:
    """Skewed differences (exponential, centred), 40 looks from 100 to 4,000 rows."""
    rng = np.random.default_rng(5)
    alarms = {"low": 0, "high": 0}
    for _ in range(300):
        values = rng.exponential(1.0, 4000) - 1.0
        sums, squares = values.cumsum(), (values * values).cumsum()
        looks = [Moments(n, sums[n - 1], squares[n - 1]) for n in range(100, 4001, 100)]
        bounds = [mean_bounds(moments, 0.05) for moments in looks]
        alarms["low"] += any(low > 0 for low, _ in bounds)
        alarms["high"] += any(high < 0 for _, high in bounds)
    assert all(count <= 0.05 * 300 for count in alarms.values()), alarms


def test_a_fifth_of_a_standard_deviation_is_found_within_a_thousand_rows() -> None:
    values = np.random.default_rng(6).normal(0.2, 1.0, 1000)
    low, _ = mean_bounds(Moments.of(values.tolist()), 0.01)
    assert low > 0


def test_neighbours_that_are_alike_count_for_less() -> None:
    rng = np.random.default_rng(8)
    apart = [Moments.of(rng.normal(size=100).tolist()) for _ in range(24)]
    alike = [Moments.of((rng.normal(size=100) + rng.normal()).tolist()) for _ in range(24)]
    assert design_effect(apart) < 3 < 20 < design_effect(alike)


@pytest.mark.parametrize("module", [sequential, losses])
def test_examples_in_docstrings_hold(module) -> None:
    assert doctest.testmod(module).failed == 0
