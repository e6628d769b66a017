"""A simulation's figures: solely from the prediction log and the feedback joined to it, over rows both arms answered."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.spec.models import Model
from modelyard.stats import metrics
from modelyard.store import Store
from modelyard.store.predictions import window

STATIC = "static"
COLUMNS = ("request_id", "row", "at", "arm", "role", "release", "prediction", "predictions")


def read(store: Store, deployment: str, start: datetime, end: datetime) -> pa.Table:
    """Labelled rows of [start, end) that both answered: the policy, and the first release in its place.

    Columns: at, release, label, and `policy` and `static`: numbers, or lists for many classes. A row that one of both
    refused (the other may have been trained on such values) says nothing of which is better.
    """
    log = window(store, deployment, start=start, end=end, columns=COLUMNS, labelled=True)
    value = "predictions" if log["predictions"].null_count < len(log) else "prediction"
    answers = log.filter(pc.equal(log["role"], "answer"))
    shadow = log.filter(pc.and_(pc.equal(log["role"], "shadow"), pc.equal(log["arm"], STATIC)))
    answers = answers.select(["request_id", "row", "at", "release", "label", value]).rename_columns(
        ["request_id", "row", "at", "release", "label", "policy"]
    )
    shadow = shadow.select(["request_id", "row", value]).rename_columns(["request_id", "row", "static"])
    return beside(answers, shadow).sort_by("at")


def beside(answers: pa.Table, shadow: pa.Table) -> pa.Table:
    """Join on (request_id, row), without rows that one of both did not answer.

    By position: Arrow's own join takes no list columns.
    """
    numbered = shadow.select(["request_id", "row"]).append_column("place", pa.array(np.arange(len(shadow))))
    places = (
        answers.select(["request_id", "row"])
        .append_column("here", pa.array(np.arange(len(answers))))
        .join(numbered, ["request_id", "row"], join_type="inner")
        .sort_by("here")
    )
    joined = answers.take(places["here"]).append_column("static", shadow["static"].take(places["place"]))
    return joined.filter(pc.and_(pc.is_valid(joined["policy"]), pc.is_valid(joined["static"])))


def bounds(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Windows to show: calendar months for long spans, weeks for shorter ones, days for the shortest."""
    span = end - start
    if span < timedelta(days=28):
        step = timedelta(days=1)
    elif span < timedelta(days=120):
        step = timedelta(days=7)
    else:
        return _months(start, end)
    edges = [start]
    while edges[-1] + step < end:
        edges.append(edges[-1] + step)
    return list(zip(edges, [*edges[1:], end], strict=True))


def _months(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    edges = [start]
    while True:
        last = edges[-1]
        following = datetime(last.year + last.month // 12, last.month % 12 + 1, 1, tzinfo=UTC)
        if following >= end:
            return list(zip(edges, [*edges[1:], end], strict=True))
        edges.append(following)


def primary(model: Model) -> str:
    """The metric that a simulation is told in: of the first `better_than`, else of the first check, else the task's."""
    for check in model.checks:
        if check.better_than is not None and check.better_than.metric:
            return check.better_than.metric
    for check in model.checks:
        if check.metric is not None:
            return check.metric.name
    return "rmse" if model.task == "regression" else "log_loss"


def figures(table: pa.Table, model: Model, metric: str, classes: list[Any] | None) -> dict[str, Any]:
    """One row of the board: labelled rows, and the metric of policy and static (None where it is undefined)."""
    return {
        "rows": len(table),
        "policy": _score(table, "policy", model, metric, classes),
        "static": _score(table, "static", model, metric, classes),
    }


def _score(table: pa.Table, column: str, model: Model, metric: str, classes: list[Any] | None) -> float | None:
    if not len(table):
        return None
    label = np.asarray(table["label"].to_pylist() if classes and len(classes) > 2 else table["label"])
    values = table[column]
    predicted = np.array(values.to_pylist()) if pa.types.is_list(values.type) else values.to_numpy()
    return metrics.score(model.task, label, predicted, classes).get(metric)


def by_window(
    table: pa.Table,
    model: Model,
    metric: str,
    classes: list[Any] | None,
    start: datetime,
    end: datetime,
    names: dict[str, str],
) -> list[dict[str, Any]]:
    """The board, window by window, with the release that answered most rows in each."""
    board = []
    for low, high in bounds(start, end):
        inside = pc.and_(pc.greater_equal(table["at"], pa.scalar(low)), pc.less(table["at"], pa.scalar(high)))
        rows = table.filter(inside)
        most = Counter(rows["release"].to_pylist()).most_common(1)
        board.append(
            {
                "start": low.isoformat(),
                "end": high.isoformat(),
                **figures(rows, model, metric, classes),
                "release": names.get(most[0][0], most[0][0][:12]) if most else None,
            }
        )
    return board
