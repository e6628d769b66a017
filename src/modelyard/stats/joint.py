"""Joint drift: columns that look unchanged one by one may have changed together. A classifier that tells the rows of
the window from those of the reference shows it (the domain classifier; Lopez-Paz & Oquab, ICLR 2017).

Boosted trees in two folds on at most 5,000 + 5,000 rows: each row is scored by the trees that have not seen it. The
test is that of Mann and Whitney on the scores of each fold; the effect is the area under the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import special

from modelyard.stats import arrow, hashing

MOST = 5_000
FEWEST = 500
WARN, PAGE, SURE = 0.55, 0.75, 5.0
_WORDS = 30
_TOLD = 3
_ROUNDS = 40
_TREES: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.15,
    "min_data_in_leaf": 30,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "max_bin": 63,
    "seed": 1,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Joint:
    """`auc`: .5 when nothing tells window from reference; `z`: its distance from .5 in standard deviations by chance;
    `leaning`: the columns that tell most, with their share of the gain."""

    auc: float
    z: float
    leaning: dict[str, float]

    @property
    def p_value(self) -> float:
        """One-sided."""
        return float(special.ndtr(-self.z))


def judge(reference: pa.Table, current: pa.Table, columns: Sequence[str]) -> Joint | None:
    """How well these columns together tell the rows of two tables apart; None for fewer than two usable columns or 500
    rows on either side.

    The rows are chosen by a hash of their values and of how often they came before, so that their order is of no
    account.
    """
    usable = [name for name in columns if _usable(reference[name].type) and _usable(current[name].type)]
    if len(usable) < 2 or min(reference.num_rows, current.num_rows) < FEWEST:
        return None
    (first, folds), (second, more) = _sample(reference.select(usable)), _sample(current.select(usable))
    features = [_encoded(first[name], second[name]) for name in usable]
    y = np.concatenate([np.zeros(len(first)), np.ones(len(second))])
    fold = np.concatenate([folds, more])
    x = np.column_stack(features)
    found = [_scored(x, y, fold == side) for side in (False, True)]
    if any(each is None for each in found):
        return None
    scores = [each for each in found if each is not None]
    auc = float(np.mean([score[0] for score in scores]))
    # Each fold is scored by what the other taught: both areas err alike, and their mean is no surer than one of them.
    chance = float(np.mean([score[1] for score in scores]))
    gain = np.sum([score[2] for score in scores], axis=0)
    order = np.argsort(-gain, kind="stable")[:_TOLD]
    leaning = {usable[i]: round(float(gain[i] / gain.sum()), 3) for i in order if gain[i] > 0}
    return Joint(auc, (auc - 0.5) / chance, leaning)


def _usable(kind: pa.DataType) -> bool:
    return arrow.family(kind) in ("integer", "number", "boolean", "text")


def _sample(table: pa.Table) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """At most 5,000 rows, and the fold of each: equal rows are in one fold, or trees would know them by heart."""
    fold = hashing.Fold(table.num_rows)
    for name in table.column_names:
        array = arrow.plain(table[name])
        if arrow.family(array.type) == "text":
            codes, words = arrow.codes(array)
            fold.add(name, 0, np.append(hashing.texts(words), np.uint64(0))[codes])
        else:
            fold.add(name, 0, hashing.numbers(arrow.numbers(array)[0]))
    hashes = fold.done()
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(order) else np.zeros(0, np.int64)
    came_before = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    key = hashing.mix(ordered + hashing.mix(came_before.astype(np.uint64)))
    chosen = np.argsort(key, kind="stable")[:MOST]
    return table.take(pa.array(order[chosen])), ordered[chosen] % np.uint64(2) == 1


def _encoded(first: pa.ChunkedArray, second: pa.ChunkedArray) -> arrow.Floats:
    """Both samples of a column as numbers: frequent words by how frequent they are, all others as one."""
    if "text" not in (arrow.family(first.type), arrow.family(second.type)):
        return np.concatenate([arrow.numbers(arrow.plain(column))[0] for column in (first, second)])
    both = pa.concat_arrays(
        [pa.array(arrow.texts(arrow.plain(column))).cast(pa.string()) for column in (first, second)]
    )
    codes, words = arrow.codes(both)
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    order = np.lexsort((hashing.texts(words), -counts))
    place = np.empty(len(words) + 1)
    place[order] = np.minimum(np.arange(len(words)), _WORDS)
    place[-1] = np.nan
    return place[codes]


def _scored(
    x: arrow.Floats, y: arrow.Floats, test: npt.NDArray[np.bool_]
) -> tuple[float, float, npt.NDArray[np.float64]] | None:
    """Area under the curve on the test rows, its standard deviation by chance, and the gain of each column."""
    n, m = int((y[test] == 0).sum()), int((y[test] == 1).sum())
    if min(n, m, int((y[~test] == 0).sum()), int((y[~test] == 1).sum())) < FEWEST // 10:
        return None
    import lightgbm

    weight = np.where(y[~test] == 1, (y[~test] == 0).mean(), (y[~test] == 1).mean())
    rows = lightgbm.Dataset(x[~test], y[~test], weight=weight)
    trees = lightgbm.train(_TREES, rows, num_boost_round=_ROUNDS, keep_training_booster=True)  # else by way of a text
    ranks = _ranks(np.asarray(trees.predict(x[test], num_threads=1)))
    auc = (float(ranks[y[test] == 1].sum()) - m * (m + 1) / 2) / (n * m)
    return auc, float(np.sqrt((n + m + 1) / (12 * n * m))), np.asarray(trees.feature_importance("gain"))


def _ranks(values: arrow.Floats) -> arrow.Floats:
    """Ranks from 1, ties by their mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], dtype=np.float64)
