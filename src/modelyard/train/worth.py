"""What a model is worth on rows that it has not seen, and how much it leans on each column: kept with its release, so
that whoever watches it later knows what was usual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.stats import metrics
from modelyard.stats.performance import Performance, reduced

Predict = Callable[[pa.Table], np.ndarray]
ROWS = 1_000
AT_ONCE = 20
"""So many columns are shuffled for one question: what a model needs for any question is more than for a thousand rows."""
SEED = 7


def performance(
    task: str,
    test: pa.Table,
    y: np.ndarray,
    unseen: np.ndarray,
    predict: Predict,
    *,
    inputs: Sequence[str],
    time: str | None,
    classes: Sequence[Any] = (),
    seen: tuple[pa.Table, np.ndarray, np.ndarray] | None = None,
) -> Performance:
    """From the test rows, their labels and what a model that had not seen them answered.

    `seen`: training rows, their labels and answers; the test rows are often of few weeks, and these say how rows of one
    week err together.
    """
    first = Performance.of(task, y, unseen, seconds=_seconds(test, time), classes=classes)
    also = None
    if seen is not None and time is not None:
        rows, labels, given = seen
        codes, scores = metrics.encoded(task, labels, given, classes)
        if len(codes) == rows.num_rows:
            when = _seconds(rows, time)
            also = None if when is None else (*reduced(task, codes, scores), when, rows.select(list(inputs)))
    return Performance.of(
        task,
        y,
        unseen,
        seconds=_seconds(test, time),
        classes=classes,
        inputs=test.select(list(inputs)),
        importance=importance(first, test, y, predict, inputs, classes),
        also=also,
    )


def importance(
    known: Performance,
    test: pa.Table,
    y: np.ndarray,
    predict: Predict,
    inputs: Sequence[str],
    classes: Sequence[Any] = (),
) -> dict[str, float]:
    """By how much the mean loss grows when one column's values are shuffled among the rows (Breiman 2001), largest
    first, as shares of the sum; on at most 1,000 rows. Empty when no column matters or a shuffled row has no answer."""
    rng = np.random.default_rng(SEED)
    shuffled = [name for name in test.column_names if name in inputs]
    picked = np.linspace(0, test.num_rows - 1, min(test.num_rows, ROWS)).astype(np.int64)
    if len(picked) < 50:
        return {}
    rows, labels = test.take(pa.array(picked)).combine_chunks(), np.asarray(y)[picked]

    def loss(answers: np.ndarray) -> float:
        codes, scores = metrics.encoded(known.task, labels, answers, classes)
        return float(known.losses(*reduced(known.task, codes, scores))[0].mean())

    def mixed(name: str) -> pa.Table:
        place, values = rows.column_names.index(name), rows[name].take(pa.array(rng.permutation(rows.num_rows)))
        return rows.set_column(place, rows.field(place), values)

    try:
        usual = loss(predict(rows))
        grown: dict[str, float] = {}
        for first in range(0, len(shuffled), AT_ONCE):
            some = shuffled[first : first + AT_ONCE]
            answers = np.split(predict(pa.concat_tables([mixed(name) for name in some])), len(some))
            grown |= {name: max(loss(each) - usual, 0.0) for name, each in zip(some, answers, strict=True)}
    except Exception:  # a model may refuse a combination of values that never came; then nothing is said
        return {}
    whole = sum(grown.values())
    if whole <= 0:
        return {}
    ordered = sorted(grown.items(), key=lambda each: -each[1])
    return {name: round(value / whole, 4) for name, value in ordered if value > 0}


def _seconds(table: pa.Table, time: str | None) -> np.ndarray | None:
    if time is None:
        return None
    micros = table.column(time).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return pc.fill_null(micros, 0).to_numpy() / 1e6
