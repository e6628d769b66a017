"""Guards and losses: what they prove, what they refuse to conclude, and that row losses are the metrics' own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from modelyard.release.guards import Evidence, judge
from modelyard.release.losses import LOSSES, known
from modelyard.release.pairs import Pairs
from modelyard.release.tally import LATENCIES, OUTPUTS, latency_bin, output_bin
from modelyard.spec.metrics import PAIRED
from modelyard.spec.strategies import Canary
from modelyard.spec.values import Margin
from modelyard.stats.sequential import Rate

RNG = np.random.default_rng(7)


def canary(**guard: str) -> Canary:
    return Canary.model_validate({"guard": {name: {"margin": margin} for name, margin in guard.items()}})


def pairs(name: str, y: np.ndarray, a: np.ndarray, b: np.ndarray, blocks: int = 24) -> tuple[Pairs, ...]:
    loss = LOSSES[name]
    found = []
    for rows in np.array_split(np.arange(len(y)), blocks):
        one, two = loss.rows(y[rows], a[rows], []), loss.rows(y[rows], b[rows], [])
        found.append(Pairs(len(rows), one.sum(), two.sum(), one @ one, two @ two, one @ two))
    return tuple(found)


def verdict(name: str, margin: str, seen: tuple[Pairs, ...]) -> str:
    (finding,) = judge(canary(**{name: margin}), Evidence(pairs={name: seen}))
    return finding.verdict


def test_every_metric_that_a_declaration_may_name_has_its_loss() -> None:
    assert {task: set(names) for task, names in PAIRED.items()} == {
        task: {name for name, loss in LOSSES.items() if task in loss.tasks} for task in PAIRED
    }


def test_mean_losses_are_the_metrics() -> None:
    y, p = RNG.integers(0, 2, 500).astype(float), RNG.random(500)
    assert LOSSES["log_loss"].rows(y, p, []).mean() == pytest.approx(sk.log_loss(y, p))
    assert LOSSES["brier"].rows(y, p, []).mean() == pytest.approx(sk.brier_score_loss(y, p))
    assert 1 - LOSSES["accuracy"].rows(y, p, []).mean() == pytest.approx(sk.accuracy_score(y, p >= 0.5))
    names = ["a", "b", "c"]
    labels, many = RNG.choice(names, 500), RNG.dirichlet([1, 1, 1], 500)
    assert LOSSES["log_loss"].rows(labels, many, names).mean() == pytest.approx(sk.log_loss(labels, many, labels=names))
    assert 1 - LOSSES["accuracy"].rows(labels, many, names).mean() == pytest.approx(
        sk.accuracy_score(labels, np.array(names)[many.argmax(axis=1)])
    )
    values = RNG.normal(size=500)
    assert LOSSES["mae"].rows(values, p, []).mean() == pytest.approx(sk.mean_absolute_error(values, p))
    assert LOSSES["rmse"].rows(values, p, []).mean() ** 0.5 == pytest.approx(sk.root_mean_squared_error(values, p))


def test_labels_of_unknown_classes_are_not_judged() -> None:
    assert known(["a", "z", None], ["a", "b"]).tolist() == [True, False, False]
    assert known([1.0, None], []).tolist() == [True, False]


def test_margins_say_the_same_of_a_metric_and_of_its_loss() -> None:
    scale, shift = LOSSES["rmse"].allowed(Margin(0.1, True), 4.0)
    assert (4.0 * scale + shift) ** 0.5 == pytest.approx(2.0 * 1.1)
    scale, shift = LOSSES["accuracy"].allowed(Margin(0.1, True), 0.2)
    assert 1 - (0.2 * scale + shift) == pytest.approx(0.8 * 0.9)
    scale, shift = LOSSES["accuracy"].allowed(Margin(0.01, False), 0.2)
    assert 1 - (0.2 * scale + shift) == pytest.approx(0.79)


@pytest.mark.parametrize("name", ["mae", "mse", "rmse"])
def test_a_worse_regression_fails_a_better_one_passes_an_equal_one_passes(name: str) -> None:
    y = RNG.normal(size=4000)
    fine, poor = y + RNG.normal(0, 1.0, 4000), y + RNG.normal(0, 1.4, 4000)
    assert verdict(name, "5%", pairs(name, y, poor, fine)) == "fail"
    assert verdict(name, "5%", pairs(name, y, fine, poor)) == "pass"
    assert verdict(name, "5%", pairs(name, y, fine, fine)) == "pass"


def test_few_rows_and_few_stretches_conclude_nothing() -> None:
    y = RNG.normal(size=4000)
    poor = y + 3
    assert verdict("mae", "5%", pairs("mae", y[:60], poor[:60], y[:60])) == "not yet"
    assert verdict("mae", "5%", pairs("mae", y, poor, y, blocks=4)) == "not yet"
    assert verdict("mae", "5%", ()) == "not yet"


def test_unanimity_of_few_rows_is_no_proof() -> None:
    y = np.ones(150)
    same = np.full(150, 0.9)
    assert verdict("accuracy", "1pp", pairs("accuracy", y, same, same)) == "not yet"
    y, same = np.ones(20_000), np.full(20_000, 0.9)
    assert verdict("accuracy", "1pp", pairs("accuracy", y, same, same)) == "pass"


def test_rows_that_err_together_count_for_less() -> None:
    storms = np.repeat(RNG.normal(0.0, 1.0, 24), 200)
    y = np.zeros(4800)
    seen = pairs("mse", y, np.sqrt(np.abs(1 + storms + 0.5)), np.ones(4800))
    assert verdict("mse", "1%", seen) == "not yet"


def rates(worse: tuple[int, int], base: tuple[int, int]) -> str:
    seen = Evidence(rates={"error_rate": ((Rate(*worse), Rate(*base)),)})
    (finding,) = judge(canary(error_rate="1pp"), seen)
    return finding.verdict


def test_an_error_rate_fails_passes_or_waits() -> None:
    assert rates((100, 20), (1900, 19)) == "fail"
    assert rates((20_000, 100), (20_000, 100)) == "pass"
    assert rates((100, 0), (1900, 0)) == "not yet", "no errors in a hundred rows do not rule out one per cent"
    assert rates((0, 0), (1900, 0)) == "not yet"
    assert rates((10, 10), (190, 0)) == "fail", "it does not need many rows when every one fails"


def test_a_difference_nobody_would_notice_is_no_reason_to_roll_back() -> None:
    assert rates((10_000_000, 50_000), (10_000_000, 47_000)) == "pass"


def test_the_error_rate_may_change_between_steps() -> None:
    """Simpson: errors rise when traffic does, for both alike."""
    quiet, storm = (Rate(100, 0), Rate(9_900, 0)), (Rate(5_000, 500), Rate(5_000, 500))
    (finding,) = judge(canary(error_rate="1pp"), Evidence(rates={"error_rate": (quiet, storm)}))
    assert finding.verdict != "fail"


def test_alpha_is_shared_by_the_guards() -> None:
    y = RNG.normal(size=3000)
    seen = pairs("mae", y, y + RNG.normal(0, 1.02, 3000), y + RNG.normal(0, 1.0, 3000))
    (alone,) = judge(canary(mae="2%"), Evidence(pairs={"mae": seen}))
    shared, _, _ = judge(canary(mae="2%", error_rate="1pp", latency_p95="20%"), Evidence(pairs={"mae": seen}))
    assert alone.upper is not None and shared.upper is not None and alone.upper < shared.upper


def test_findings_are_plain_json() -> None:
    (finding,) = judge(canary(mae="2%"), Evidence())
    assert finding.as_json() == {
        "guard": "mae",
        "verdict": "not yet",
        "says": "mae: no row that both releases answered has its label yet",
        "rows": 0,
        "margin": "2%",
        "alpha": 0.01,
    }


def latencies(*steps: tuple[np.ndarray, np.ndarray]) -> str:
    """The verdict on latencies (ms) of challenger and champion, step by step."""
    seen = Evidence(
        latencies=tuple(
            tuple(np.bincount(latency_bin(each), minlength=LATENCIES) for each in step)  # type: ignore[misc]
            for step in steps
        )
    )
    (finding,) = judge(canary(latency_p95="20%"), seen)
    return finding.verdict


def waits(rows: int, scale: float = 1.0) -> np.ndarray:
    return scale * RNG.lognormal(1.0, 0.4, rows)


def test_slow_answers_fail_and_as_fast_ones_pass() -> None:
    assert latencies((waits(300, 2.0), waits(900))) == "fail"
    assert latencies((waits(60, 10.0), waits(600))) == "fail", "few rows suffice where nearly all are slow"
    assert latencies((waits(40_000), waits(60_000))) == "pass"
    assert latencies((waits(100), waits(100))) == "not yet"
    assert latencies((waits(0), waits(100))) == latencies((waits(100), waits(0))) == "not yet"


def test_load_that_grows_with_the_share_of_the_traffic_is_nobodys_fault() -> None:
    quiet, busy = (waits(300), waits(5700)), (waits(5000, 2.0), waits(5000, 2.0))
    assert latencies(quiet, busy) != "fail"


def outputs(worse: np.ndarray, base: np.ndarray, margin: str = "10pp") -> str:
    counted = tuple(np.bincount(output_bin(each), minlength=OUTPUTS) for each in (worse, base))
    (finding,) = judge(canary(output_shift=margin), Evidence(outputs=(counted,)))  # type: ignore[arg-type]
    return finding.verdict


def test_outputs_that_lie_elsewhere_fail_and_alike_ones_pass() -> None:
    assert outputs(RNG.beta(5, 2, 3000), RNG.beta(2, 5, 9000)) == "fail"
    assert outputs(RNG.beta(2, 5, 9000), RNG.beta(2, 5, 9000)) == "pass"
    assert outputs(RNG.beta(2, 5, 200), RNG.beta(2, 5, 200)) == "not yet"
    assert outputs(RNG.normal(1e6, 1e5, 3000), RNG.normal(2e6, 1e5, 3000)) == "fail"
    assert outputs(np.zeros(0), np.zeros(100)) == "not yet"


def test_bins_of_outputs_keep_their_order() -> None:
    values = np.concatenate([-np.logspace(9, -4, 60), [0.0], np.logspace(-4, 9, 60)])
    assert (np.diff(output_bin(values)) >= 0).all()
    assert output_bin(np.array([-np.inf, np.inf])).tolist() == [0, OUTPUTS - 1]
