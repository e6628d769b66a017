"""Which rows a model is trained on, and the sentence that says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.spec.models import Model
from modelyard.train import window

NOW = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TIMES = np.array([round((NOW - DAY * age).timestamp() * 1e6) for age in range(400, 0, -1)])  # one row a day


def declared(value: Any) -> Any:
    model = {"task": "regression", "data": "d", "target": "y", "train": "m:fit"}
    return Model.model_validate(model | {"window": value}).window


@pytest.mark.parametrize(
    ("value", "change", "days", "says"),
    [
        (None, 30, None, "all rows"),
        ("all", 30, None, "all rows"),
        ("90d", 30, 90, "the last 90d"),
        ({"last": "90d"}, 30, 90, "the last 90d"),
        ({"last": "90d", "min_rows": 50}, 30, 90, "the last 90d"),
        (
            {"last": "90d", "min_rows": 200},
            30,
            200,
            "since 2023-08-14: the last 90d hold 90 rows to train on, 200 are needed",
        ),
        ({"last": "90d", "min_rows": 900}, 30, None, "all rows: the last 90d hold 90 rows to train on, 900 are needed"),
        ("since_change", None, None, "all rows: no change is known"),
        (
            "since_change",
            30,
            None,
            "all rows: since the change of 2024-01-31 there are 30 rows to train on, 1,000 are needed",
        ),
        ({"since": "change", "min_rows": 30}, 30, 30, "the 30 rows to train on since the change of 2024-01-31"),
        ({"since": "change", "min_rows": 31, "last": "90d"}, 30, 90, "the last 90d: since the change"),
        (
            {"since": "change", "min_rows": 30, "last": "20d"},
            30,
            20,
            "the last 20d: the change of 2024-01-31 lies before",
        ),
        ({"since": "change", "last": "90d"}, None, 90, "the last 90d: no change is known"),
    ],
)
def test_a_window_begins_where_it_says(value: Any, change: int | None, days: int | None, says: str) -> None:
    start, why = window.choose(declared(value), TIMES, NOW, NOW - DAY * change if change else None)
    assert start == (None if days is None else NOW - DAY * days)
    assert why.startswith(says)


@pytest.mark.parametrize(
    ("value", "test", "days"),
    [
        ({"since": "change", "min_rows": 30}, 14 * DAY, None),
        ({"since": "change", "min_rows": 16}, 14 * DAY, 30),
        ({"since": "change", "min_rows": 25}, None, None),
        ({"since": "change", "min_rows": 24}, None, 30),
        ({"last": "20d", "min_rows": 100}, 14 * DAY, 114),
        ({"last": "20d", "min_rows": 100}, 0.5, 200),
        ({"last": "20d", "min_rows": 6}, 14 * DAY, 20),
    ],
)
def test_rows_to_judge_by_do_not_count_as_rows_to_train_on(value: Any, test: Any, days: int | None) -> None:
    start, why = window.choose(declared(value), TIMES, NOW, NOW - DAY * 30, test)
    assert start == (None if days is None else NOW - DAY * days), why


windows = st.one_of(
    st.sampled_from([None, "since_change", "90d"]),
    st.fixed_dictionaries({"last": st.sampled_from(["5d", "90d"])}, optional={"min_rows": st.integers(1, 500)}),
    st.fixed_dictionaries(
        {"since": st.just("change")},
        optional={"last": st.sampled_from(["5d", "90d"]), "min_rows": st.integers(1, 500)},
    ),
)


@given(windows, st.one_of(st.none(), st.integers(1, 500)))
def test_what_is_chosen_was_read_and_holds_what_is_needed(value: Any, change: int | None) -> None:
    what = declared(value)
    start, why = window.choose(what, TIMES, NOW, NOW - DAY * change if change else None)
    farthest = window.farthest(what, NOW)
    assert why and (farthest is None or (start is not None and start >= farthest))
    least = getattr(what, "min_rows", None) or 0
    held = len(TIMES) if start is None else int((round(start.timestamp() * 1e6) <= TIMES).sum())
    if getattr(what, "since", None) is None:
        assert held >= min(least, len(TIMES))
    elif start != farthest:
        assert held >= (least or window.ENOUGH)
