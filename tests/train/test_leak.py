"""A copy of the target among the inputs is refused, whatever it is called; what only resembles it is not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from modelyard.errors import DataError
from modelyard.train.leak import refuse_copies

ROWS = np.arange(400)
LABELS = np.arange(400) % 3 == 0


def refused(values: pa.Array, labels: pa.Array) -> bool:
    table = pa.table({"harmless": np.arange(400) % 7, "x": values, "y": labels})
    try:
        refuse_copies(table, ("harmless", "x"), "y", ROWS, where="model.m")
    except DataError as error:
        assert "'x'" in str(error) and "model.m" in str(error) and error.hint
        return True
    return False


@pytest.mark.parametrize(
    ("values", "same"),
    [
        (pa.array(LABELS), True),
        (pa.array(LABELS.astype(int)), True),
        (pa.array(["paid" if label else None for label in LABELS]), True),
        (pa.array(np.where(np.arange(400) == 7, 1 - LABELS, LABELS)), False),
        (pa.array(np.where(LABELS, 1.0, np.arange(400) % 5 / 10)), False),
        (pa.array(np.arange(400)), False),
        (pa.array([None] * 400, pa.int64()), False),
    ],
    ids=[
        "the same",
        "as numbers",
        "as a text or nothing",
        "but for one row",
        "finer",
        "a number of its own",
        "nothing",
    ],
)
def test_a_class_under_another_name(values: pa.Array, same: bool) -> None:
    assert refused(values, pa.array(LABELS.astype(int))) is same


def test_a_number_is_the_same_only_when_it_is_equal() -> None:
    amounts = np.arange(400) * 1.5
    assert refused(pa.array(amounts), pa.array(amounts))
    assert not refused(pa.array(amounts * 2), pa.array(amounts))
