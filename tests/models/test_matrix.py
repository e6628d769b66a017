"""A matrix is answered as the table of the same rows is, by every form of a model."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard import models
from modelyard.models import compiling
from modelyard.models import signature as signatures

NAMES = ["a", "b", "c"]
X = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32).astype(np.float64)
ROWS = pa.table({name: X[:, place] for place, name in enumerate(NAMES)} | {"y": X.sum(axis=1) > 0})
BY_NAME = ColumnTransformer([("some", StandardScaler(), ["c", "a"])])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "model",
    [HistGradientBoostingClassifier(max_iter=5), make_pipeline(BY_NAME, LogisticRegression()), LogisticRegression()],
    ids=["trees", "by name", "bare"],
)
def test_matrix_and_table_agree(model, compiled, tmp_path):
    signature = signatures.infer(ROWS, NAMES, "y", "binary_classification", True)
    model.fit(ROWS.select(NAMES).to_pandas(), np.asarray(ROWS["y"]).astype(int))
    models.save(model, tmp_path, signature=signature)
    loaded = models.load(tmp_path, signature=signature)
    if compiled:
        assert compiling.compile(loaded, tmp_path, ROWS, signature, 1e-4)["kept"]
        loaded = models.load(tmp_path, signature=signature, threads=1)
    # The order in memory is another, so a sum may round otherwise.
    np.testing.assert_allclose(loaded.predict_matrix(X), loaded.predict(ROWS.select(NAMES)), rtol=1e-12)
    missing = X[:4].copy()
    missing[1, 1] = np.nan
    if not compiled and type(model) is HistGradientBoostingClassifier:
        table = pa.table({name: pa.array(missing[:, place], from_pandas=True) for place, name in enumerate(NAMES)})
        np.testing.assert_array_equal(loaded.predict_matrix(missing), loaded.predict(table))


def test_other_inputs_than_numbers_have_no_matrix(tmp_path):
    rows = ROWS.append_column("n", pa.array(range(300)))
    signature = signatures.infer(rows, [*NAMES, "n"], "y", "binary_classification", True)
    model = LogisticRegression().fit(rows.select([*NAMES, "n"]).to_pandas(), np.asarray(rows["y"]).astype(int))
    models.save(model, tmp_path, signature=signature)
    assert models.load(tmp_path, signature=signature).predict_matrix is None
