"""A saved model answers as the fitted one did; what cannot be kept safely is refused by name."""

import json

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from modelyard import models
from modelyard.errors import ModelFormatError
from modelyard.models import frame, outputs, signature, target

ROWS = 400
TEXT = ["origin", "größe"]
NUMBERS = ["distance", "hour", "temp"]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    distance = rng.normal(1000, 300, ROWS)
    temp = [None if i % 9 == 0 else float(v) for i, v in enumerate(rng.normal(15, 5, ROWS))]
    hour = rng.integers(0, 24, ROWS)
    late = distance + 20 * hour + rng.normal(0, 100, ROWS) > 1200
    return pa.table(
        {
            "origin": pa.array(
                [None if i % 11 == 0 else v for i, v in enumerate(rng.choice(["EWR", "JFK", "LGA"], ROWS))]
            ),
            "größe": pa.array(rng.choice(["groß", "klein"], ROWS).tolist()),
            "distance": distance,
            "hour": hour,
            "temp": temp,
            "wet": rng.random(ROWS) < 0.2,
            "late": late,
            "kind": np.where(late, "late", np.where(hour > 12, "noon", "early")).tolist(),
            "delay": distance / 10 + hour,
        }
    )


TARGETS = {"binary_classification": "late", "multiclass_classification": "kind", "regression": "delay"}


def prepared(table, task, columns):
    sig = signature.infer(table, columns, TARGETS[task], task, None)
    return sig, frame.to_pandas(table, sig), target.encode(table, sig)


def encoded(encoder, *rest):
    return make_pipeline(make_column_transformer((encoder, TEXT), remainder="passthrough"), *rest)


def onehot():
    return OneHotEncoder(handle_unknown="ignore")


def ordinal(unknown=-1):
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unknown)


def filled(*rest):
    return make_pipeline(
        make_column_transformer((onehot(), TEXT), (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS)), *rest
    )


BINARY = {
    "logistic": filled(LogisticRegression()),
    "boosted": encoded(ordinal(), HistGradientBoostingClassifier(max_iter=10)),
    "boosted with categories": encoded(
        ordinal(np.nan), HistGradientBoostingClassifier(max_iter=5, categorical_features=[0, 1])
    ),
    "boosted by selector": make_pipeline(
        make_column_transformer((ordinal(), make_column_selector(dtype_include=object)), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=5),
    ),
    "forest": filled(RandomForestClassifier(5)),
    "extra trees": filled(ExtraTreesClassifier(5)),
    "gradient": filled(GradientBoostingClassifier(n_estimators=3)),
    "target encoder": encoded(TargetEncoder(), SimpleImputer(), LogisticRegression(max_iter=2000)),
    "calibrated": CalibratedClassifierCV(encoded(onehot(), HistGradientBoostingClassifier(max_iter=3)), cv=2),
    "searched": GridSearchCV(filled(LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2),
    "selected": filled(SelectKBest(f_classif, k=3), LogisticRegression()),
    "splines": make_pipeline(
        make_column_transformer(
            (SplineTransformer(), ["distance"]),
            (KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), ["hour"]),
        ),
        LogisticRegression(),
    ),
    "ufunc": make_pipeline(
        make_column_transformer((FunctionTransformer(np.cbrt), ["distance"])), LogisticRegression(max_iter=2000)
    ),
    "lightgbm in a pipeline": encoded(onehot(), lightgbm.LGBMClassifier(n_estimators=5, verbose=-1)),
}
MANY = {
    "logistic": filled(LogisticRegression()),
    "boosted": encoded(ordinal(), HistGradientBoostingClassifier(max_iter=5)),
    "forest": filled(RandomForestClassifier(5)),
}
VALUES = {
    "ridge": filled(Ridge()),
    "linear": filled(LinearRegression()),
    "boosted": encoded(ordinal(), HistGradientBoostingRegressor(max_iter=5)),
    "forest": filled(RandomForestRegressor(5)),
}
CASES = [
    pytest.param(task, model, id=f"{task}: {name}")
    for task, each in (("binary_classification", BINARY), ("multiclass_classification", MANY), ("regression", VALUES))
    for name, model in each.items()
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("task", "model"), CASES)
def test_a_loaded_model_answers_as_the_fitted_one(task, model, table, tmp_path):
    sig, X, y = prepared(table, task, TEXT + NUMBERS)
    model.fit(X, y)
    expected = outputs.ask(model, X, sig)

    manifest = models.save(model, tmp_path / "a", signature=sig)
    loaded = models.load(tmp_path / "a", signature=sig)

    assert manifest["format"] == "skops"
    np.testing.assert_array_equal(loaded.predict(table), expected)


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, RandomForestClassifier, LogisticRegression])
def test_fitting_again_gives_the_same_bytes(kind, table, tmp_path):
    sig, X, y = prepared(table, "binary_classification", ["distance", "hour"])
    digests = {models.save(kind(random_state=3).fit(X, y), tmp_path, signature=sig)["native"] for _ in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize("task", TARGETS)
def test_lightgbm_is_kept_as_text_with_the_categories_of_pandas(task, table, tmp_path):
    sig, X, y = prepared(table, task, [*TEXT, *NUMBERS, "wet"])
    X = X.astype(dict.fromkeys(TEXT, "category"))
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    model = kind(n_estimators=10, min_child_samples=5, verbose=-1).fit(X, y)

    manifest = models.save(model, tmp_path, signature=sig)
    answer = models.load(tmp_path, signature=sig).predict(table)

    assert manifest["format"] == "lightgbm"
    assert (tmp_path / "model.txt").read_text().startswith("tree")
    expected = model.predict(X) if task == "regression" else model.predict_proba(X)
    np.testing.assert_allclose(answer, expected[:, 1] if task == "binary_classification" else expected, rtol=1e-12)


def test_lightgbm_reads_an_unseen_category_as_missing(table, tmp_path):
    sig, X, y = prepared(table, "binary_classification", TEXT + NUMBERS)
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X.astype(dict.fromkeys(TEXT, "category")), y)
    models.save(model, tmp_path, signature=sig)
    loaded = models.load(tmp_path, signature=sig)
    place = table.column_names.index("origin")
    unseen = table.set_column(place, "origin", pa.array(["XXX"] * ROWS))
    missing = table.set_column(place, "origin", pa.array([None] * ROWS, pa.string()))
    np.testing.assert_array_equal(loaded.predict(unseen), loaded.predict(missing))


def test_a_booster_that_dropped_columns_takes_those_it_knows(table, tmp_path):
    sig, X, y = prepared(table, "binary_classification", NUMBERS)
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1}, lightgbm.Dataset(X[["hour", "temp"]], y), num_boost_round=5
    )
    models.save(booster, tmp_path, signature=sig)
    expected = booster.predict(X[["hour", "temp"]])
    np.testing.assert_allclose(models.load(tmp_path, signature=sig).predict(table), expected)


@pytest.mark.parametrize("task", TARGETS)
def test_lightgbm_is_asked_in_the_order_that_it_was_fitted_in(task, table, tmp_path):
    sig, X, y = prepared(table, task, [*TEXT, *NUMBERS])
    X = X[[*reversed(NUMBERS), *reversed(TEXT)]].astype(dict.fromkeys(TEXT, "category"))
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    model = kind(n_estimators=10, min_child_samples=5, verbose=-1).fit(X, y)
    models.save(model, tmp_path, signature=sig)
    expected = model.predict(X) if task == "regression" else model.predict_proba(X)
    expected = expected[:, 1] if task == "binary_classification" else expected
    np.testing.assert_allclose(models.load(tmp_path, signature=sig).predict(table), expected, rtol=1e-12)


def test_lightgbm_of_a_matrix_is_asked_by_place(table, tmp_path):
    sig, X, y = prepared(table, "binary_classification", NUMBERS)
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X.to_numpy(), y)
    models.save(model, tmp_path, signature=sig)
    expected = model.predict_proba(X.to_numpy())[:, 1]
    np.testing.assert_allclose(models.load(tmp_path, signature=sig).predict(table), expected, rtol=1e-12)


def test_an_estimator_that_dropped_columns_takes_those_it_knows(table, tmp_path):
    sig, X, y = prepared(table, "binary_classification", NUMBERS)
    model = HistGradientBoostingClassifier(max_iter=3).fit(X[["temp", "hour"]], y)
    models.save(model, tmp_path, signature=sig)
    expected = model.predict_proba(X[["temp", "hour"]])[:, 1]
    np.testing.assert_array_equal(models.load(tmp_path, signature=sig).predict(table), expected)


def test_an_onnx_model_is_kept_as_it_is(table, tmp_path):
    from skl2onnx import to_onnx

    sig, X, y = prepared(table, "binary_classification", ["distance", "hour"])
    fitted = LogisticRegression().fit(X.to_numpy(dtype=float), y)
    proto = to_onnx(fitted, X.to_numpy(np.float32), options={"zipmap": False})
    for model in (proto, proto.SerializeToString()):
        assert models.save(model, tmp_path, signature=sig)["format"] == "onnx"
        answer = models.load(tmp_path, signature=sig).predict(table)
        np.testing.assert_allclose(answer, fitted.predict_proba(X.to_numpy(dtype=float))[:, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (make_pipeline(FunctionTransformer(lambda X: X), Ridge()), "lambda"),
        (make_pipeline(FunctionTransformer(json.loads), Ridge()), "json.loads"),
        ({"a": 1}, "no predict"),
        (None, "no predict"),
        (b"not a model", "no ONNX model"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(model, says, table, tmp_path):
    sig = signature.infer(table, NUMBERS, "delay", "regression", None)
    with pytest.raises(ModelFormatError, match=says):
        models.save(model, tmp_path, signature=sig)


def test_a_damaged_file_is_refused(table, tmp_path):
    sig, X, y = prepared(table, "regression", ["distance", "hour"])
    models.save(Ridge().fit(X, y), tmp_path, signature=sig)
    (tmp_path / "model.skops").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelFormatError, match="cannot be read"):
        models.load(tmp_path, signature=sig)


def test_strings_reach_models_as_objects_with_nan(table):
    sig = signature.infer(table, [*TEXT, *NUMBERS, "wet"], "late", "binary_classification", None)
    X = frame.to_pandas(table, sig)
    assert [str(dtype) for dtype in X.dtypes] == ["object", "object", "float64", "int64", "float64", "bool"]
    assert pd.isna(X["origin"][0]) and isinstance(X["origin"][0], float)


def test_the_range_of_large_whole_numbers_is_exact():
    numbers = [2**53 + 1, -(2**60) - 1, 5] * 10
    (item,) = signature.infer(pa.table({"n": numbers, "y": [0, 1, 1] * 10}), ["n"], "y", "binary_classification")[
        "inputs"
    ]
    assert (item["min"], item["max"]) == (-(2**60) - 1, 2**53 + 1)
