"""The compiled form is kept where it agrees with the model, and only there."""

import lightgbm
import numpy as np
import onnx
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from modelyard import models
from modelyard.models import compiling, frame, signature, target
from modelyard.models.compiled import Compiled
from modelyard.models.compiling import serialised

ROWS = 1500


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(1)
    distance = rng.integers(0, 1000, ROWS).astype(float)
    return pa.table(
        {
            "origin": rng.choice(["EWR", "JFK", "LGA"], ROWS).tolist(),
            "distance": distance,
            "hour": rng.integers(0, 24, ROWS),
            "late": (distance + rng.normal(0, 300, ROWS)) > 600,
            "kind": rng.choice(["a", "b", "c"], ROWS).tolist(),
            "delay": distance / 7 + rng.normal(0, 1, ROWS),
        }
    )


def columns(encoder, *rest):
    return make_pipeline(make_column_transformer((encoder, ["origin"]), remainder="passthrough"), *rest)


def built(table, task, model, directory, inputs=("origin", "distance", "hour")):
    name = {"binary_classification": "late", "multiclass_classification": "kind", "regression": "delay"}[task]
    sig = signature.infer(table, list(inputs), name, task)
    X, y = frame.to_pandas(table, sig), target.encode(table, sig)
    models.save(model.fit(X, y), directory, signature=sig)
    native = models.load(directory, signature=sig)
    return sig, native, compiling.compile(native, directory, table, sig, 1e-4)


ENCODER = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
ONEHOT = OneHotEncoder(handle_unknown="ignore")
CASES = {
    "logistic": ("binary_classification", columns(ONEHOT, StandardScaler(), LogisticRegression())),
    "boosted": ("binary_classification", columns(ENCODER, HistGradientBoostingClassifier(max_iter=20))),
    "forest": ("binary_classification", columns(ONEHOT, RandomForestClassifier(10, max_depth=6))),
    "classes": ("multiclass_classification", columns(ONEHOT, LogisticRegression(max_iter=500))),
    "ridge": ("regression", columns(ONEHOT, Ridge())),
    "boosted values": ("regression", columns(ENCODER, HistGradientBoostingRegressor(max_iter=20))),
}


@pytest.mark.parametrize("name", CASES)
def test_common_models_have_a_compiled_form_that_agrees(name, table, tmp_path):
    task, model = CASES[name]
    sig, native, parity = built(table, task, model, tmp_path)
    assert parity["kept"], parity["says"]
    assert parity["rows"] > ROWS
    compiled = models.load(tmp_path, signature=sig)
    assert isinstance(compiled, Compiled)
    np.testing.assert_allclose(compiled.predict(table), native.predict(table), atol=1e-3, rtol=1e-4)


def test_a_bare_estimator_of_numbers_takes_one_matrix(table, tmp_path):
    sig, _, parity = built(table, "regression", Ridge(), tmp_path, inputs=("distance", "hour"))
    assert parity["kept"], parity["says"]
    assert sorted(feed.name for feed in models.load(tmp_path, signature=sig)._onnx._feeds) == ["all_inputs"]


def test_lightgbm_on_numbers_is_compiled(table, tmp_path):
    model = lightgbm.LGBMRegressor(n_estimators=10, verbose=-1)
    sig, _, parity = built(table, "regression", model, tmp_path, inputs=("distance", "hour"))
    assert parity["kept"], parity["says"]
    assert isinstance(models.load(tmp_path, signature=sig), Compiled)


def test_a_form_that_differs_is_not_kept_and_says_by_how_much(table, tmp_path):
    model = columns(ENCODER, HistGradientBoostingClassifier(max_iter=20, categorical_features=[0]))
    _, _, parity = built(table, "binary_classification", model, tmp_path)
    assert not parity["kept"]
    assert not (tmp_path / "compiled.onnx").exists()
    assert "not" in parity["says"]


def test_what_no_converter_knows_says_so(table, tmp_path):
    from sklearn.neighbors import NearestCentroid

    model = columns(ONEHOT, NearestCentroid())
    _, _, parity = built(table, "binary_classification", model, tmp_path)
    assert not parity["kept"]
    assert parity["says"].startswith("not compiled: ")


def test_where_only_missing_values_differ_the_model_itself_answers_for_them(table, tmp_path):
    sig, native, parity = built(table, *CASES["forest"], tmp_path)
    assert parity["kept"], parity["says"]
    place = table.column_names.index("distance")
    missing = table.set_column(place, "distance", pa.array([None, *range(ROWS - 1)], pa.float64()))
    compiled = models.load(tmp_path, signature=sig)
    np.testing.assert_array_equal(compiled.predict(missing), native.predict(missing))


def test_the_order_in_which_a_converter_lists_operator_sets_changes_nothing():
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
    graph = onnx.helper.make_graph([], "g", [], [])
    one, other = (onnx.helper.make_model(graph, opset_imports=given) for given in (opsets, opsets[::-1]))
    assert one.SerializeToString() != other.SerializeToString()
    assert serialised(one) == serialised(other)
    assert len(onnx.load_from_string(serialised(one)).opset_import) == 2
