"""Metrics agree with scikit-learn's, and their intervals cover."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from modelyard.stats.metrics import METRICS, estimate


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    y = (rng.random(3_000) < 0.3).astype(float)
    return y, np.round(np.clip(0.3 + 0.2 * y + rng.normal(0, 0.2, 3_000), 0.01, 0.99), 2)


def test_binary(binary):
    y, p = binary
    called = p >= 0.5
    wanted = {
        "roc_auc": sklearn.roc_auc_score(y, p),
        "average_precision": sklearn.average_precision_score(y, p),
        "log_loss": sklearn.log_loss(y, p),
        "brier": sklearn.brier_score_loss(y, p),
        "accuracy": sklearn.accuracy_score(y, called),
        "balanced_accuracy": sklearn.balanced_accuracy_score(y, called),
        "precision": sklearn.precision_score(y, called),
        "recall": sklearn.recall_score(y, called),
        "f1": sklearn.f1_score(y, called),
    }
    found = {name: METRICS["binary_classification"][name](y, p) for name in wanted}
    assert found == pytest.approx(wanted)


def test_multiclass():
    rng = np.random.default_rng(1)
    p, y = rng.dirichlet([1, 1, 1], 900), rng.integers(0, 3, 900)
    names = ["ham", "eggs", "spam"]
    found = {
        m: estimate("multiclass_classification", m, [names[c] for c in y], p, names).value for m in ("f1", "roc_auc")
    }
    assert found["f1"] == pytest.approx(sklearn.f1_score(y, p.argmax(1), average="macro"))
    assert found["roc_auc"] == pytest.approx(sklearn.roc_auc_score(y, p, multi_class="ovr"))


def test_regression():
    rng = np.random.default_rng(2)
    y = rng.gamma(2, 10, 500)
    p = y + rng.normal(0, 3, 500)
    assert METRICS["regression"]["rmse"](y, p) == pytest.approx(sklearn.root_mean_squared_error(y, p))
    assert METRICS["regression"]["r2"](y, p) == pytest.approx(sklearn.r2_score(y, p))
    assert METRICS["regression"]["mape"](y, p) == pytest.approx(sklearn.mean_absolute_percentage_error(y, p))


def test_intervals_cover_although_neighbours_err_alike():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        error = np.repeat(rng.normal(0, 1, 400), 5)
        interval = estimate("regression", "mse", np.zeros(2_000), error).interval
        hits += interval[0] <= 1.0 <= interval[1]
    assert hits >= 180


def test_one_class_or_no_row_is_not_a_number_but_a_reason():
    assert estimate("binary_classification", "roc_auc", np.ones(50), np.full(50, 0.5)).why == "labels of one class only"
    assert estimate("regression", "rmse", np.array([]), np.array([])).why == "no labelled rows"
