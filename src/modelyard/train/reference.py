"""The profile that later windows of a release's predictions are compared with: its training rows and its answers there.

A model knows its training rows: its answers there are surer than they will ever be again, which would look like drift
from the first day. Where the same rows were also answered by a model that had not seen them (the test rows of the cut),
the answers are mapped, quantile by quantile, to what unseen rows get.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.stats.profile import Draft, Profile

PREDICTION = "prediction"
_PER_STEP, _STEPS = 100, 200
_SAME = 0.05
_ALIKE = 0.5


class Inputs:
    """The part that needs no model, the profile of the inputs: each step of `work` takes one column in."""

    def __init__(self, table: pa.Table, names: Sequence[str], time: str | None) -> None:
        self._draft = Draft(table.num_rows, table.column(time) if time else None)
        self.work = self._columns(table.select(list(names)))

    def done(self) -> Draft:
        """The profile, after all that is still to do."""
        deque(self.work, maxlen=0)
        return self._draft

    def _columns(self, table: pa.Table) -> Iterator[str]:
        for name, column in zip(table.column_names, table.columns, strict=True):
            self._draft.add(name, column)
            yield name


def profile(
    inputs: Inputs,
    answers: np.ndarray,
    classes: Sequence[Any] | None,
    times: pa.ChunkedArray | None = None,
    unseen: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> Profile:
    """The profile of the inputs and `prediction`; of several classes that is the likeliest one, as text.

    `times`: of rows, and `unseen`: what a model that had not seen them answered. Such answers wander more from week to
    week than those on rows learnt by heart, so their windows say how much is usual. `seen`: what the released model answers
    for the same rows. Where many rows get one answer (a leaf, a shop), the next fit gives them another close by, which may
    be across the edge of a bin: as long as the two models hardly differ, what either says is usual.
    """
    draft = inputs.done()
    draft.add(PREDICTION, _column(answers, classes), computed=True)
    known = draft.done()
    if unseen is None or times is None:
        return known
    known = known.learn(PREDICTION, _column(unseen, classes), times)
    if seen is None or not alike(seen, unseen):
        return known
    return known.learn(PREDICTION, _column(seen, classes), times)


def watched(table: pa.Table, answers: np.ndarray, inputs: Sequence[str], classes: Sequence[Any] | None) -> pa.Table:
    """The inputs and `prediction`."""
    return table.select(list(inputs)).append_column(PREDICTION, _column(answers, classes))


def alike(seen: np.ndarray, unseen: np.ndarray) -> bool:
    """Whether two models' answers for the same rows lie close together as a whole: by half of their spread.

    >>> flat = np.repeat([10.0, 15.0, 30.0], 100)
    >>> alike(flat + 0.5, flat), alike(flat * 3, flat)
    (True, False)
    """
    if seen.ndim != 1 or not len(seen):
        return False
    low, high = np.quantile(unseen, (0.25, 0.75))
    spread = min(float(unseen.std()), float(high - low) / 1.349) or float(unseen.std())
    return bool(np.abs(np.sort(seen) - np.sort(unseen)).mean() <= _ALIKE * spread)


def _column(answers: np.ndarray, classes: Sequence[Any] | None) -> pa.Array:
    if answers.ndim == 1:
        return pa.array(answers, pa.float64())
    names = np.array([str(value) for value in classes or ()], dtype=object)
    return pa.array(names[answers.argmax(axis=1)].tolist(), pa.string())


def as_unseen(answers: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """`answers` mapped by the quantiles of `seen` to those of `unseen`, both for the same rows.

    Two fits differ by a little in any case: what is less than a twentieth of the spread on average (as drift, a PSI
    below .005) is left alone, and a quantile stands for a hundred rows. Else the few rows' noise would be taken for the
    reference, and look like drift in every window of the release.

    >>> as_unseen(np.array([0.0, 0.5, 1.0]), np.linspace(0, 1, 401), np.linspace(0.2, 0.8, 401)).round(2).tolist()
    [0.2, 0.5, 0.8]
    """
    if answers.ndim != 1 or not len(seen):
        return answers
    if np.abs(np.sort(seen) - np.sort(unseen)).mean() <= _SAME * float(unseen.std()):
        return answers
    steps = np.linspace(0, 1, min(max(len(seen) // _PER_STEP, 4), _STEPS) + 1)
    known, wanted = np.quantile(seen, steps), np.quantile(unseen, steps)
    known, first = np.unique(known, return_index=True)
    mapped = np.interp(answers, known, wanted[first])
    outside = np.where(answers > known[-1], answers - known[-1], np.minimum(answers - known[0], 0))
    return np.clip(mapped + outside, min(answers.min(), wanted[0]), max(answers.max(), wanted[-1]))
