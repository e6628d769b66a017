"""Hotel bookings as they are: mixed types, missing values, many categories, from Arrow to a loaded model's answers."""

from pathlib import Path

import lightgbm
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from modelyard import models
from modelyard.models import compiling, frame, outputs, signature, target

FILE = Path(__file__).parents[3] / "shared" / "data" / "hotel_bookings.parquet"
LEAKS = {"is_canceled", "reservation_status", "reservation_status_date"}


@pytest.fixture(scope="module")
def bookings():
    if not FILE.exists():
        pytest.skip(f"the hotel bookings are not at {FILE}")
    table = pq.read_table(FILE)
    table = table.take(np.random.default_rng(1).permutation(len(table))[:15_000])
    inputs = [name for name in table.column_names if name not in LEAKS]
    sig = signature.infer(table, inputs, "is_canceled", "binary_classification", 1)
    return table, sig, frame.to_pandas(table, sig), target.encode(table, sig)


def test_lightgbm_on_pandas_categories(bookings, tmp_path):
    table, sig, X, y = bookings
    X = X.astype({name: "category" for name in X.columns if X[name].dtype == object})
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(X, y)
    models.save(model, tmp_path, signature=sig)
    answer = models.load(tmp_path, signature=sig).predict(table)
    np.testing.assert_allclose(answer, model.predict_proba(X)[:, 1], rtol=1e-9)


def test_boosted_trees_and_what_becomes_of_their_compiled_form(bookings, tmp_path):
    table, sig, X, y = bookings
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = make_column_transformer((codes, make_column_selector(dtype_include=object)), remainder="passthrough")
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=20, random_state=1)).fit(X, y)
    models.save(model, tmp_path, signature=sig)
    native = models.load(tmp_path, signature=sig, compiled=False)
    np.testing.assert_array_equal(native.predict(table), outputs.ask(model, X, sig))
    parity = compiling.compile(native, tmp_path, table, sig, 1e-4)
    if parity["kept"]:
        np.testing.assert_allclose(
            models.load(tmp_path, signature=sig).predict(table), native.predict(table), atol=1e-4
        )
    else:
        assert parity["says"].startswith("not ")


def test_one_row_is_read_as_the_whole_table_is(bookings):
    table, sig, X, _ = bookings
    for row in range(0, 200, 20):
        one = frame.to_pandas(table.slice(row, 1), sig)
        assert list(one.dtypes) == list(X.dtypes)
        assert one.iloc[0].equals(X.iloc[row])
