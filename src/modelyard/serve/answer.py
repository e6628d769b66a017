"""What a request is answered: predictions with the release and arm they are of, and what is to be told about its rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

Warning = tuple[int, str, str]


@dataclass(frozen=True)
class Answer:
    """The answer to one request. `predictions` has one value per row: a number, or a list in the order of the classes.

    `warnings` are (row, pointer, code). `release` and `arm` are those of the first row; in a replay, where each row is a
    request of its own, `arms` and `releases` say them per row, `rejected` lists (row, code) of the rows that were refused
    or could not be answered, and their prediction is None.
    """

    request_id: str
    release: str
    arm: str
    predictions: Sequence[Any]
    warnings: Sequence[Warning] = ()
    arms: Sequence[str] = ()
    releases: Sequence[str] = ()
    rejected: Sequence[tuple[int, str]] = field(default_factory=tuple)

    @property
    def answered(self) -> int:
        """How many rows have a prediction."""
        return len(self.predictions) - len({row for row, _ in self.rejected})

    def as_json(self) -> dict[str, Any]:
        """The answer as the gateway gives it over HTTP."""
        return {
            "request_id": self.request_id,
            "release": self.release,
            "arm": self.arm,
            "predictions": list(self.predictions),
            "warnings": [{"row": row, "pointer": place, "code": code} for row, place, code in self.warnings],
        }


def labels(values: Sequence[Any], signature: Mapping[str, Any]) -> list[Any]:
    """Predictions as classes: the likeliest; for a binary target the positive one from one half on."""
    classes = signature.get("classes")
    if not classes:
        return list(values)
    if signature["task"] == "binary_classification":
        return [None if value is None else classes[int(value >= 0.5)] for value in values]
    return [None if value is None else classes[int(np.argmax(value))] for value in values]


def of_log(request_id: str, rows: pa.Table) -> Answer:
    """The answer that was given before, from its logged rows (in order)."""
    many = rows["predictions"].null_count < len(rows)
    values = rows["predictions" if many else "prediction"].to_pylist()
    warnings = [
        (row, each["pointer"], each["code"])
        for row, told in zip(rows["row"].to_pylist(), rows["warnings"].to_pylist(), strict=True)
        for each in json.loads(told)
    ]
    arms, releases = rows["arm"].to_pylist(), rows["release"].to_pylist()
    return Answer(request_id, releases[0], arms[0], values, warnings, arms, releases)
