"""A first try on a sample of a new project's table: which columns give the target away, which heuristic is worth
beating, and what the training function reaches. So the checks that are written hold, and mean something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import log_loss, r2_score, roc_auc_score, root_mean_squared_error
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modelyard.api.scaffold.roles import Goal
from modelyard.api.scaffold.template import classifier, regressor
from modelyard.models import Baseline
from modelyard.models.columns import floats
from modelyard.models.frame import to_pandas
from modelyard.models.signature import infer
from modelyard.models.target import encode

TIME = "__time"
ROWS = 25_000
SURE, SUSPICIOUS = 0.995, 0.96
MOST_GROUPS = 40
SEED = 7


@dataclass(frozen=True)
class Alone:
    """How well one column predicts the target by itself: 0 nothing, 1 everything (AUC, share of errors or of variance)."""

    column: str
    score: float


@dataclass(frozen=True)
class Trial:
    """What a first fit reached on held-out rows, beside the heuristic over the columns `by`."""

    by: tuple[str, ...]
    metric: str
    model: float
    baseline: float
    sanity: str
    reached: float

    @property
    def margin(self) -> float:
        """How much smaller the model's error was than the heuristic's, as a share."""
        return (self.baseline - self.model) / self.baseline if self.baseline > 0 else 0.0


def alone(table: pa.Table, inputs: Sequence[str], goal: Goal) -> list[Alone]:
    """Every input's own score on rows that it was not learnt from, best first."""
    signature = infer(table, inputs, goal.target, goal.task, goal.positive)
    y = encode(table, signature)
    half = np.random.default_rng(SEED).random(len(table)) < 0.5
    if half.all() or not half.any() or (goal.task != "regression" and len(np.unique(y[half])) < 2):
        return []
    scored = [Alone(name, _alone(table.column(name), y, half, goal)) for name in inputs]
    return sorted(scored, key=lambda one: -one.score)


def together(table: pa.Table, inputs: Sequence[str], goal: Goal) -> list[tuple[str, str, str]]:
    """Pairs of number columns whose sum, difference, product or quotient is the target in practically every row."""
    if goal.task != "regression" or len(table) < 20:
        return []
    y = floats(table.column(goal.target))
    values = {name: floats(table.column(name)) for name in inputs if _is_number(table.column(name).type)}
    names, found = list(values)[:60], []
    with np.errstate(all="ignore"):
        for place, one in enumerate(names):
            for other in names[place + 1 :]:
                found += [
                    (a, b, sign) for a, b, sign in _ways(one, other) if _same(_SIGNS[sign](values[a], values[b]), y)
                ]
    return found


_SIGNS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


def _ways(one: str, other: str) -> list[tuple[str, str, str]]:
    return [(one, other, "+"), (one, other, "*"), *((a, b, s) for a, b in ((one, other), (other, one)) for s in "-/")]


def _same(made: np.ndarray, y: np.ndarray) -> bool:
    """Whether both agree up to rounding; a hundred rows are looked at first."""
    near = np.isclose(made[:100], y[:100], rtol=1e-3, atol=1e-9)
    return bool(near.mean() > 0.9 and np.isclose(made, y, rtol=1e-3, atol=1e-9).mean() > 0.98)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _alone(values: pa.ChunkedArray, y: np.ndarray, half: np.ndarray, goal: Goal) -> float:
    x = _as_numbers(values, y, half, goal)[:, None]
    leaf = max(5, int(half.sum() / 500))
    if goal.task == "regression":
        tree = DecisionTreeRegressor(max_leaf_nodes=64, min_samples_leaf=leaf, random_state=SEED).fit(x[half], y[half])
        return max(0.0, float(r2_score(y[~half], tree.predict(x[~half]))))
    tree = DecisionTreeClassifier(max_leaf_nodes=64, min_samples_leaf=leaf, random_state=SEED).fit(x[half], y[half])
    if goal.task == "binary_classification":
        test = y[~half]
        return float(roc_auc_score(test, tree.predict_proba(x[~half])[:, 1])) if len(np.unique(test)) > 1 else 0.0
    right = float(np.mean(tree.predict(x[~half]) == y[~half]))
    usual = float(np.mean(y[~half] == _most_frequent(y[half])))
    return max(0.0, (right - usual) / (1 - usual)) if usual < 1 else 0.0


def _as_numbers(values: pa.ChunkedArray, y: np.ndarray, half: np.ndarray, goal: Goal) -> np.ndarray:
    """Numbers as they are; categories in the order of what the target is like in them, on the learning half."""
    if not pa.types.is_string(values.type):
        return floats(values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values)
    encoded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    level = y if goal.task != "multiclass_classification" else np.unique(y, return_inverse=True)[1]
    count = np.bincount(codes[half], minlength=len(encoded.dictionary))
    total = np.bincount(codes[half], weights=level[half].astype(float), minlength=len(encoded.dictionary))
    means: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), float(np.mean(level[half])))
    return means[codes]


def _most_frequent(y: np.ndarray) -> Any:
    values, counts = np.unique(y, return_counts=True)
    return values[counts.argmax()]


def groups(scores: Sequence[Alone], distinct_values: dict[str, int]) -> tuple[str, ...]:
    """The columns of the heuristic: the one or two of few values that tell most by themselves."""
    few = [one.column for one in scores if 2 <= distinct_values.get(one.column, 0) <= MOST_GROUPS]
    return tuple(few[:2]) if len(few) > 1 and np.prod([distinct_values[c] for c in few[:2]]) <= 600 else tuple(few[:1])


def first_fit(
    table: pa.Table, inputs: Sequence[str], goal: Goal, by: Sequence[str], params: dict[str, Any]
) -> Trial | None:
    """Fit the written training function on four fifths (the older ones, when there is a time) and judge it on the rest.

    None when the rest does not allow it: no rows, or a class that is missing there.
    """
    signature = infer(table, inputs, goal.target, goal.task, goal.positive)
    train, test = _cut(table)
    y, y_test = encode(train, signature), encode(test, signature)
    if not _judgeable(y, y_test, goal):
        return None
    function = (regressor if goal.task == "regression" else classifier).fit
    model = function(to_pandas(train, signature), y, params=params, seed=SEED)
    heuristic = Baseline.of(train, y, by, signature).predict(test)
    frame = to_pandas(test, signature)
    if goal.task == "regression":
        guess = model.predict(frame)
        errors = [float(root_mean_squared_error(y_test, p)) for p in (guess, heuristic)]
        return Trial(tuple(by), "rmse", errors[0], errors[1], "r2", float(r2_score(y_test, guess)))
    shares = model.predict_proba(frame)
    if goal.task == "binary_classification":
        errors = [float(log_loss(y_test, p, labels=[0, 1])) for p in (shares[:, 1], heuristic)]
        return Trial(tuple(by), "log_loss", errors[0], errors[1], "roc_auc", float(roc_auc_score(y_test, shares[:, 1])))
    classes = signature["classes"]
    if list(model.classes_) != classes:
        return None
    errors = [float(log_loss(y_test, p / p.sum(axis=1, keepdims=True), labels=classes)) for p in (shares, heuristic)]
    right = float(np.mean(np.asarray(classes, dtype=object)[shares.argmax(axis=1)] == y_test))
    return Trial(tuple(by), "log_loss", errors[0], errors[1], "accuracy", right)


def _cut(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    if TIME in table.column_names:
        table = table.filter(pc.is_valid(table[TIME])).sort_by(TIME)
    else:
        table = table.take(np.random.default_rng(SEED).permutation(len(table)))
    fifth = int(len(table) * 0.8)
    return table.slice(0, fifth), table.slice(fifth)


def _judgeable(y: np.ndarray, y_test: np.ndarray, goal: Goal) -> bool:
    if len(y) < 10 or len(y_test) < 5:
        return False
    return goal.task == "regression" or (len(np.unique(y)) > 1 and len(np.unique(y_test)) > 1)
