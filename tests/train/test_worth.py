"""How much a model leans on each column: by shuffling one after the other, asked in few questions."""

import numpy as np
import pyarrow as pa

from modelyard.stats.performance import Performance
from modelyard.train import worth


def test_the_columns_that_a_model_uses_are_found_by_few_questions(monkeypatch):
    rng = np.random.default_rng(1)
    names = [f"x{place}" for place in range(25)]
    test = pa.table({name: rng.normal(size=400) for name in names})
    y = (2 * test["x3"].to_numpy() + test["x21"].to_numpy() > 0).astype(np.int64)
    asked = []

    def predict(table):
        asked.append(table.num_rows)
        return 1 / (1 + np.exp(-4 * table["x3"].to_numpy() - 2 * table["x21"].to_numpy()))

    known = Performance.of("binary_classification", y, predict(test))
    asked.clear()
    found = worth.importance(known, test, y, predict, names)
    assert list(found) == ["x3", "x21"]
    assert asked == [400, 20 * 400, 5 * 400]

    monkeypatch.setattr(worth, "AT_ONCE", 1)
    assert worth.importance(known, test, y, predict, names) == found


def test_a_model_that_refuses_shuffled_rows_says_nothing():
    rng = np.random.default_rng(1)
    test = pa.table({"low": np.arange(100.0), "high": np.arange(100.0) + 1})
    y = rng.integers(0, 2, 100)

    def predict(table):
        if (table["low"].to_numpy() > table["high"].to_numpy()).any():
            raise ValueError("low above high")
        return np.full(table.num_rows, 0.5)

    known = Performance.of("binary_classification", y, predict(test))
    assert worth.importance(known, test, y, predict, ["low", "high"]) == {}
