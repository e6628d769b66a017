"""The heuristic: group means drawn towards the global one, for groups that were seen."""

import numpy as np
import pyarrow as pa
import pytest

from modelyard.errors import DataError
from modelyard.models import Baseline, signature, target
from modelyard.train import baseline

TABLE = pa.table(
    {
        "carrier": ["UA"] * 100 + ["AA"] * 100 + [None] * 10,
        "hour": [1.0, 2.0] * 105,
        "late": [True] * 80 + [False] * 130,
        "kind": ["a"] * 80 + ["b"] * 130,
        "delay": [10.0] * 100 + [0.0] * 110,
    }
)


def fitted(task, name, by):
    sig = signature.infer(TABLE, ["hour"], name, task)
    model = baseline.fit(TABLE, target.encode(TABLE, sig), by=by, signature=sig)
    return Baseline.from_json(model.to_json())


def test_groups_have_their_own_value_and_the_unknown_the_global_one():
    model = fitted("binary_classification", "late", ["carrier"])
    asked = pa.table({"carrier": ["UA", "AA", None, "ZZ"]})
    overall = 80 / 210
    expected = [(80 + 20 * overall) / 120, 20 * overall / 120, 20 * overall / 30, overall]
    np.testing.assert_allclose(model.predict(asked), expected)


def test_whole_numbers_match_however_they_are_stored():
    model = fitted("regression", "delay", ["carrier", "hour"])
    floats, ints = ({"carrier": ["UA"], "hour": pa.array([1], kind)} for kind in (pa.float64(), pa.int64()))
    assert model.predict(pa.table(floats)) == model.predict(pa.table(ints)) > 8


def test_groups_of_many_columns_stay_apart():
    """Six columns of 2**13 values have more groups than 64 bits can number."""
    rows = 2**13
    every = {f"c{place}": pa.array(range(rows)) for place in range(1, 6)}
    same = {name: pa.array([7] * rows) for name in every}
    both = pa.concat_tables([pa.table({"c0": pa.array(range(rows)), **part}) for part in (every, same)])
    model = Baseline.of(both, np.zeros(2 * rows), list(both.column_names), {"task": "regression"})
    assert len(model.groups) == 2 * rows - 1


def test_classes_have_shares():
    model = fitted("multiclass_classification", "kind", ["carrier"])
    p = model.predict(TABLE)
    assert p.shape == (210, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert p[0, 0] > 0.7 and p[150, 0] < 0.1


def test_without_its_columns_it_gives_the_global_value():
    model = fitted("regression", "delay", ["carrier"])
    np.testing.assert_allclose(model.predict(pa.table({"x": [1, 2]})), [1000 / 210] * 2)
    assert fitted("regression", "delay", []).predict(TABLE).tolist() == [1000 / 210] * 210
    assert model.predict(TABLE.slice(0, 0)).shape == (0,)


def test_an_unknown_column_is_named():
    with pytest.raises(DataError, match="groups by 'airline'"):
        fitted("regression", "delay", ["airline"])
