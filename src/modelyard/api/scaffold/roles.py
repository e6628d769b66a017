"""What each column of a table is for: target, time, key, input, or none of these, and why. Pure guesses, from facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.api.scaffold.look import Column
from modelyard.errors import DataError
from modelyard.spec.models import Task
from modelyard.spec.wording import nearest

MOST_CLASSES = 50
FEW_NUMBERS = 10
TIME_HINT = re.compile(
    r"(^|_)(time|timestamp|datetime|date|day|created|ts|at|on)(_|$)|date$|time$|^(event|order|invoice)", re.I
)
_LATER_HINT = re.compile(
    r"updat|modif|status|close|end|finish|deliver|complet|resol|cancel|return|paid|arriv|birth|expir", re.I
)
_KEY_HINT = re.compile(
    r"(^|[_\W])(id|uuid|guid|key|no|nr|number|code)$|(?<=[a-z])(Id|ID|No|Nr|Key)$|^(id|uuid|index|column0)", re.I
)
_YES = (
    "1",
    "yes",
    "y",
    "true",
    "t",
    "positive",
    "pos",
    "churn",
    "churned",
    "fraud",
    "late",
    "default",
    "spam",
    "bad",
    "ja",
    "oui",
    "si",
    "sí",
    "da",
    "tak",
    "sim",
)


@dataclass(frozen=True)
class Goal:
    """What is to be predicted: `positive` is the class whose probability is asked for (binary), None elsewhere."""

    target: str
    task: Task
    why: str
    positive: Any = None


def goal(columns: Mapping[str, Column], target: str, values: list[Any], where: str) -> Goal:
    """The task that a target calls for, from its kind and its distinct `values` (at most MOST_CLASSES + 1, frequent ones first).

    DataError: no such column, no value, only one value, or a kind that cannot be predicted.
    """
    column = columns.get(target)
    if column is None:
        near = nearest(target, columns) or "Name one of its columns."
        raise DataError(f"there is no column {target!r} to be the target", where=where, hint=near)
    if column.present == 0:
        raise DataError(f"the target {target!r} has no value in any row", where=where, hint="Name another column.")
    if column.distinct == 1:
        hint = "A model needs at least two different values to tell apart: give more rows, or another target."
        raise DataError(f"the target {target!r} has one value only, {_shown(values[0])}", where=where, hint=hint)
    match column.kind:
        case "boolean":
            return Goal(target, "binary_classification", "true or false", True)
        case "string":
            return _of_text(column, values, where)
        case "integer" | "number":
            return _of_numbers(column, values)
    raise DataError(
        f"the target {target!r} is a {column.kind}, which cannot be predicted",
        where=where,
        hint="Make a number or a category of it, for example a duration, and give that column.",
    )


def _of_text(column: Column, values: list[Any], where: str) -> Goal:
    if column.distinct == 2:  # the rarer one comes last
        low, high = sorted(values, key=lambda value: str(value).strip().lower() in _YES)
        return Goal(column.name, "binary_classification", f"two values, {_shown(low)} and {_shown(high)}", high)
    if column.distinct > MOST_CLASSES:
        raise DataError(
            f"the target {column.name!r} is text with {column.distinct:,} different values",
            where=where,
            hint=f"At most {MOST_CLASSES} can be told apart as classes: group them, or name another target.",
        )
    return Goal(column.name, "multiclass_classification", f"{column.distinct} classes")


def _of_numbers(column: Column, values: list[Any]) -> Goal:
    whole = all(float(value).is_integer() for value in values)
    if column.distinct == 2:
        high = max(values)
        high = int(high) if float(high).is_integer() else high
        low = next(int(v) if float(v).is_integer() else v for v in values if v != max(values))
        return Goal(column.name, "binary_classification", f"two values, {low} and {high}", high)
    if whole and column.distinct <= FEW_NUMBERS and column.present >= 20 * column.distinct:
        why = f"{column.distinct} whole numbers, taken as classes; if they are amounts, say regression"
        return Goal(column.name, "multiclass_classification", why)
    return Goal(column.name, "regression", "numbers")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def time(columns: Iterable[Column], target: str) -> str | None:
    """The column that most looks like the time at which a row came about; None when none does.

    Columns named like something that happens later (closed, delivered, status, ...) are passed over: a row's time must
    not lie after what is to be predicted.
    """
    best: tuple[float, str] | None = None
    for place, column in enumerate(columns):
        if not column.moments or column.name == target or column.missing > 0.05:
            continue
        if column.distinct < 2 or _LATER_HINT.search(column.name):
            continue
        score = 2.0 * bool(TIME_HINT.search(column.name)) + (column.kind == "timestamp") - 0.01 * place
        if best is None or score > best[0]:
            best = (score, column.name)
    return best[1] if best else None


def key(columns: Iterable[Column], taken: set[str]) -> str | None:
    """The column that names each row: unique, never missing, and called like an identifier or standing first."""
    found = [
        (not _KEY_HINT.search(column.name), place, column.name)
        for place, column in enumerate(columns)
        if column.unique and column.kind in ("integer", "string") and column.name not in taken and column.rows > 1
        if _KEY_HINT.search(column.name)
        or (place == 0 and (column.counts or (column.kind == "string" and column.length <= 64)))
    ]
    return min(found)[2] if found else None


def unfit(column: Column) -> str | None:
    """Why a column cannot be an input as it is, or should not; None when it can."""
    if column.present == 0:
        return "it has no value in any row"
    if column.constant:
        return "it has one value only"
    if column.moments:
        return "a time: make numbers of it in the SQL (an hour, an age), if it is known at the row's time"
    if column.kind == "list":
        return "a list: make columns of it in the SQL"
    if column.kind == "string" and column.distinct > 50 and column.distinct > 0.5 * column.present:
        return "nearly every row has its own text, which would be learnt by heart"
    if column.kind == "string" and column.length > 60 and column.distinct > 50:
        return "free text: make categories or numbers of it in the SQL"
    named = bool(_KEY_HINT.search(column.name))
    if column.kind == "integer" and column.unique and named:
        return "an identifier, which would be learnt by heart"
    if column.counts:
        return "a number of the row, which would be learnt by heart"
    if named and column.kind in ("integer", "string") and column.distinct > max(100, 0.02 * column.present):
        return "an identifier, which would be learnt by heart"
    return None
