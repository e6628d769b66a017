"""The metrics agree with scikit-learn's and are absent where they are undefined; their intervals cover."""

import numpy as np
import pytest
from sklearn import metrics as sk

from modelyard.errors import InputError
from modelyard.stats import metrics
from modelyard.stats.metrics import estimate

RNG = np.random.default_rng(5)
Y = (RNG.random(500) < 0.3).astype(int)
P = np.round(np.clip(0.3 * Y + RNG.random(500) * 0.7, 0, 1), 2)


def test_binary_metrics_agree_with_scikit_learn():
    said = P >= 0.5
    expected = {
        "log_loss": sk.log_loss(Y, P),
        "roc_auc": sk.roc_auc_score(Y, P),
        "brier": sk.brier_score_loss(Y, P),
        "accuracy": sk.accuracy_score(Y, said),
        "precision": sk.precision_score(Y, said),
        "recall": sk.recall_score(Y, said),
        "f1": sk.f1_score(Y, said),
        "average_precision": sk.average_precision_score(Y, P),
    }
    found = metrics.score("binary_classification", Y, P)
    assert list(found) == list(metrics.names("binary_classification"))
    assert found == pytest.approx(expected)


def test_multiclass_metrics_agree_with_scikit_learn():
    classes = ["a", "b", "c"]
    y = RNG.choice(classes, 300).astype(object)
    p = RNG.dirichlet([1, 1, 1], 300)
    said = np.array(classes)[p.argmax(axis=1)]
    found = metrics.score("multiclass_classification", y, p, classes)
    assert found == pytest.approx(
        {
            "log_loss": sk.log_loss(y.astype(str), p),
            "accuracy": sk.accuracy_score(y.astype(str), said),
            "f1_macro": sk.f1_score(y.astype(str), said, average="macro"),
            "roc_auc_ovr": sk.roc_auc_score(y.astype(str), p, multi_class="ovr"),
        }
    )


def test_labels_that_went_through_the_log_as_text_mean_the_same():
    p = RNG.dirichlet([1, 1, 1], 4)
    classes = [1, 2, 3]
    numbers = metrics.score("multiclass_classification", np.array([1, 2, 3, 1]), p, classes)
    assert metrics.score("multiclass_classification", np.array(["1", "2", "3", "1"]), p, classes) == numbers


def test_regression_metrics_agree_with_scikit_learn():
    y = RNG.normal(10, 3, 200)
    p = y + RNG.normal(1, 1, 200)
    found = metrics.score("regression", y, p)
    assert found == pytest.approx(
        {
            "rmse": np.sqrt(sk.mean_squared_error(y, p)),
            "mae": sk.mean_absolute_error(y, p),
            "mape": sk.mean_absolute_percentage_error(y, p),
            "smape": np.mean(2 * np.abs(p - y) / (np.abs(p) + np.abs(y))),
            "wape": np.abs(p - y).sum() / np.abs(y).sum(),
            "r2": sk.r2_score(y, p),
            "bias": (p - y).mean(),
        }
    )


@pytest.mark.parametrize(
    ("task", "y", "p", "absent"),
    [
        ("binary_classification", [0, 0], [0.1, 0.2], {"roc_auc", "average_precision", "recall", "precision", "f1"}),
        ("binary_classification", [1, 1], [0.1, 0.2], {"roc_auc", "precision"}),
        ("regression", [0.0, 0.0], [1.0, 2.0], {"mape", "wape", "r2"}),
        ("regression", [], [], set(metrics.names("regression"))),
    ],
)
def test_what_is_undefined_is_absent(task, y, p, absent):
    assert set(metrics.names(task)) - set(metrics.score(task, np.array(y), np.array(p))) == absent


def test_a_metric_of_another_task_is_named():
    with pytest.raises(InputError, match=r"rmse is no metric of binary_classification. There are log_loss"):
        metrics.score("binary_classification", np.array([0, 1]), np.array([0.1, 0.2]), only="rmse")


def test_a_class_that_the_model_does_not_know_is_left_out():
    p = RNG.dirichlet([1, 1, 1], 3)
    known = metrics.score("multiclass_classification", np.array(["a", "b"]), p[:2], ["a", "b", "c"])
    assert metrics.score("multiclass_classification", np.array(["a", "b", "z"]), p, ["a", "b", "c"]) == known


@pytest.mark.parametrize(("task", "name"), [(task, name) for task in metrics.METRICS for name in metrics.names(task)])
def test_an_estimate_is_the_metric(task, name):
    classes = ["a", "b", "c"] if task == "multiclass_classification" else None
    y, p = (RNG.choice(classes, 500), RNG.dirichlet([1, 1, 1], 500)) if classes else (Y, P)
    y = y if task != "regression" else RNG.normal(10, 3, 500)
    found = estimate(task, name, y, p, classes or ())
    assert found.value == metrics.score(task, y, p, classes, only=name)[name]
    assert found.error > 0


def test_intervals_cover_although_neighbours_err_alike():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        error = np.repeat(rng.normal(0, 1, 400), 5)
        interval = estimate("regression", "rmse", np.zeros(2_000), error).interval
        hits += interval[0] <= 1.0 <= interval[1]
    assert hits >= 180


def test_one_class_or_no_row_is_not_a_number_but_a_reason():
    assert estimate("binary_classification", "roc_auc", np.ones(50), np.full(50, 0.5)).why == "labels of one class only"
    assert estimate("regression", "rmse", np.array([]), np.array([])).why == "no labelled rows"
