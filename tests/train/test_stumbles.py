"""What is said to a training function that asks for what it does not get."""

from __future__ import annotations

import pyarrow as pa
import pytest

from modelyard.train.fitting import about_inputs

TABLE = pa.table({"shop": ["a", "b"], "day": [1, 2], "price": [1.0, 2.0], "gone": pa.array([None, None], pa.float64())})


@pytest.mark.parametrize(
    ("message", "inputs", "words"),
    [
        (
            "the training function failed: KeyError: 'shop' (a.py line 3)",
            ["price"],
            ["'shop'", "no input", "shop AS the_shop"],
        ),
        ("the training function failed: KeyError: 'price'", ["price"], []),
        ("the training function failed: KeyError: 'banana'", ["price"], []),
        ("the training function failed: ValueError: nan", ["price", "gone"], []),  # said first: see test_fit
    ],
)
def test_the_cure_is_named(message, inputs, words):
    hint = about_inputs(message, TABLE, {"inputs": [{"name": name} for name in inputs]})
    assert bool(hint) == bool(words)
    assert all(word in (hint or "") for word in words)
