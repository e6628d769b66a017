"""Sequential tests, estimates and forecasts: what they promise, by simulation with fixed seeds."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.stats import cbpe, metrics
from modelyard.stats.calibration import Bins, Curve
from modelyard.stats.changepoint import locate
from modelyard.stats.dle import ErrorBins
from modelyard.stats.edetector import EDetector
from modelyard.stats.forecast import crossing
from modelyard.stats.performance import DAY, Performance, design_effect
from modelyard.stats.rhythm import Rhythm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_an_e_detector_does_not_care_how_rows_are_cut_into_looks(values: list[float], cut: int) -> None:
    rows, fresh = np.array(values), EDetector.above(0.2, run_length=50)
    once, twice = fresh.update(rows), fresh.update(rows[:cut]).update(rows[cut:])
    assert once.alarmed == twice.alarmed
    assert once.logs == pytest.approx(twice.logs)
    assert EDetector.from_json(twice.to_json()).alarmed == once.alarmed


def test_an_e_detector_stays_quiet_for_its_run_length_and_sees_a_rise_soon() -> None:
    rng = np.random.default_rng(5)
    quiet = [EDetector.above(0.2).update((rng.random(20_000) < 0.2) * 1.0).alarmed for _ in range(10)]
    assert sum(each is not None for each in quiet) <= 1
    rises = [(rng.random(8_000) < np.repeat([0.2, 0.3], [4_000, 4_000])) * 1.0 for _ in range(20)]
    delays = [(EDetector.above(0.2).update(rows).alarmed or 8_000) - 4_000 for rows in rises]
    assert min(delays) > 0
    assert np.median(delays) < 600


def test_the_evidence_of_an_alarm_that_lasts_is_a_number_that_can_be_kept() -> None:
    long = EDetector.above(0.2).update(np.ones(5_000))
    assert 1 < long.evidence < np.inf and long.update(np.zeros(10)).evidence > 1


def test_rows_that_err_together_count_for_less() -> None:
    rng = np.random.default_rng(6)
    days = np.clip(0.2 + rng.normal(0, 0.1, 60), 0, 1)
    rows = (rng.random((60, 300)) < days[:, None]).ravel() * 1.0
    seconds = np.repeat(np.arange(60) * 86_400.0, 300)
    effect = design_effect(rows, seconds, DAY)
    assert effect > 10
    assert EDetector.above(0.2).update(rows).alarmed is not None, "as independent rows they would alarm"
    assert EDetector.above(0.2).update(rows, effect=effect).alarmed is None


def test_a_season_that_is_known_does_not_alarm_and_a_rise_on_top_of_it_does() -> None:
    rng = np.random.default_rng(7)
    seconds = np.arange(0, 16 * 604_800, 600.0)
    chance = 0.2 + 0.05 * np.sin(2 * np.pi * seconds / 604_800)
    rows = (rng.random(len(seconds)) < chance) * 1.0
    history = 8 * 1008
    rhythm = Rhythm.of(seconds[:history], rows[:history])
    shift = rhythm.at(seconds[history:])
    assert EDetector.above(0.2).update(rows[history:], shift=shift).alarmed is None
    risen = (rng.random(len(seconds)) < chance + 0.08) * 1.0
    assert EDetector.above(0.2).update(risen[history:], shift=shift).alarmed is not None


def test_a_metric_without_labels_is_the_metric_with_them_while_scores_mean_what_they_meant() -> None:
    rng = np.random.default_rng(8)

    def draw(n: int, a: float) -> tuple[np.ndarray, np.ndarray]:
        score = rng.beta(a, 5, n)
        return score, (rng.random(n) < score**1.3) * 1.0

    curve = Curve.fit(*draw(20_000, 2))
    for a in (2, 3, 4):
        score, y = draw(5_000, a)
        for name in ("roc_auc", "log_loss", "brier", "accuracy", "f1"):
            of = partial(metrics.of_labels, "binary_classification", name)
            found = cbpe.estimate(name, of, score, curve)
            assert found is not None
            value, (low, high) = found
            assert of(score)(y) == metrics.METRICS["binary_classification"][name](y, score)
            assert value == pytest.approx(of(score)(y), abs=0.02), name
            assert low < value < high


def test_an_error_without_labels_grows_with_what_is_predicted() -> None:
    rng = np.random.default_rng(9)
    p = rng.gamma(3, 10, 10_000)
    bins = ErrorBins.fit(p, p + rng.normal(0, 0.1 * p))
    high = p[p > 50]
    value, (low, top) = bins.estimate("mae", high) or (0.0, (0.0, 0.0))
    assert value == pytest.approx(0.1 * np.sqrt(2 / np.pi) * high.mean(), rel=0.1)
    assert low < value < top


def test_calibration_is_judged_beyond_chance() -> None:
    rng = np.random.default_rng(10)
    score = rng.random(4_000)
    p_values = [Bins.of(score, (rng.random(4_000) < score) * 1.0).p_value() for _ in range(100)]
    assert 0.3 < np.mean(p_values) < 0.7
    off = Bins.of(score, (rng.random(4_000) < np.clip(score + 0.1, 0, 1)) * 1.0)
    assert off.p_value() < 1e-6
    assert 0.05 < off.gap() < 0.12


def test_a_curve_from_few_rows_is_itself_uncertain_and_that_is_no_fault_of_the_answers() -> None:
    alone = both = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        score, now = rng.beta(2, 3, 500), rng.beta(2, 3, 2_000)
        happened = (rng.random(500) < score) * 1.0
        curve = Curve.fit(score, happened)
        window = Bins.of(curve.at(now), (rng.random(2_000) < now) * 1.0)
        alone += window.p_value() < 1e-3
        both += window.p_value(known=Bins.of(curve.at(score), happened)) < 1e-3
    assert alone >= 10 and both == 0


def test_a_few_lucky_rows_are_not_the_frequency_of_all_scores_beyond_them() -> None:
    """Where scores tell next to nothing, a model fitted again on more rows answers a little above or below all of them."""
    rng = np.random.default_rng(8)
    ends = []
    for _ in range(40):
        score, happened = rng.normal(0.2, 0.005, 2_000), (rng.random(2_000) < 0.2) * 1.0
        ends += Curve.fit(score, happened).at(np.array([0.1, 0.3])).tolist()
    assert max(abs(np.array(ends) - 0.2)) < 0.15 and np.mean(abs(np.array(ends) - 0.2)) < 0.06


def test_a_model_that_is_fitted_again_and_answers_a_little_lower_is_not_off() -> None:
    rng = np.random.default_rng(14)
    for _ in range(20):
        score, happened = rng.normal(0.203, 0.002, 2_000), (rng.random(2_000) < 0.2) * 1.0
        judged = Performance.of("binary_classification", happened, score)
        again = judged.fitted_again(score, score - 0.006)
        loss, due = again.losses((rng.random(5_000) < 0.2) * 1.0, rng.normal(0.197, 0.002, 5_000))
        assert abs((loss - due).mean() - judged.excess) < 0.02


def test_weeks_that_err_together_tell_how_far_a_week_may_lie_from_the_curve() -> None:
    rng = np.random.default_rng(13)

    def weeks(count: int, shock: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        score = rng.uniform(0.2, 0.8, count * 500)
        together = np.repeat(rng.normal(0, shock, count), 500)
        y = (rng.random(len(score)) < np.clip(score + together, 0, 1)) * 1.0
        return y, score, np.repeat(np.arange(count) * 7 * DAY, 500)

    def usual(shock: float) -> float:
        y, score, at = weeks(30, shock)
        known = Performance.of("binary_classification", y, score, seconds=at)
        again = Performance.from_json(known.to_json())
        assert again.gaps == known.gaps and again.gaps is not None
        return again.gaps.limit(3.4)

    assert usual(0.0) < 0.06
    assert usual(0.1) > 0.15, "a week may lie that far from the curve, and has"


@pytest.mark.parametrize("kind", ["sudden", "gradual"])
def test_a_change_is_found_where_it_began(kind: str) -> None:
    rng = np.random.default_rng(11)
    shape = np.where(np.arange(40) >= 25, 1.0, 0.0) if kind == "sudden" else np.maximum(np.arange(40) - 24, 0) / 5
    found = [locate(shape + rng.normal(0, 0.2, 40), np.full(40, 0.04)) for _ in range(20)]
    right = [each for each in found if each and each.kind == kind and abs(each.at - 25) <= 3]
    assert len(right) >= 16


def test_noise_is_no_change() -> None:
    rng = np.random.default_rng(12)
    assert sum(locate(rng.normal(0, 1, 30), np.ones(30)) is not None for _ in range(100)) <= 5


def test_a_model_that_was_well_for_months_and_fades_since_is_dated_and_a_step_is_not() -> None:
    rng = np.random.default_rng(14)
    weeks = np.arange(28)
    fading = 0.86 - 0.012 * np.maximum(weeks - 13, 0) + rng.normal(0, 0.006, 28)
    found = crossing(fading, float(0.86 - 0.012 * (27 - 13 + 6)))
    assert found is not None and found.low <= 6 <= found.high and abs(found.slope + 0.012) < 0.003
    assert crossing(0.86 - 0.1 * (weeks >= 15) + rng.normal(0, 0.006, 28), 0.6) is None


def test_a_forecast_covers_the_date_and_a_season_never_falls() -> None:
    rng = np.random.default_rng(13)
    covered, spoken = 0, 0
    for _ in range(60):
        n = int(rng.integers(16, 40))
        slope = -rng.uniform(0.003, 0.006)
        found = crossing(0.8 + slope * np.arange(n) + rng.normal(0, 0.006, n), 0.8 + slope * (n + 9))
        if found:
            spoken += 1
            covered += found.low <= 10 <= found.high
    assert spoken >= 25
    assert covered >= 0.75 * spoken
    for period in (8, 13, 26, 52):
        wave = 0.8 + 0.04 * np.sin(2 * np.pi * (np.arange(26) / period + rng.random())) + rng.normal(0, 0.006, 26)
        found = crossing(wave, 0.72)
        assert found is None or found.low > 12
