"""A project in the making: all that is decided about it, from one look at the table and one try on a sample of it."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa

from modelyard.api.scaffold import names, roles, times, trial
from modelyard.api.scaffold.look import Column, Table
from modelyard.api.scaffold.pace import Pace, pace
from modelyard.api.scaffold.roles import Goal
from modelyard.api.scaffold.times import Time
from modelyard.api.scaffold.trial import Alone, Trial
from modelyard.errors import DataError
from modelyard.features.sql import identifier, text

SHOWN = 2


@dataclass(frozen=True)
class Draft:
    """What the files of a project say. `excluded` maps columns to reasons; `suspects` predict well by themselves."""

    project: str
    dataset: str
    model: str
    goal: Goal
    time: Time | None
    key: str | None
    pace: Pace
    columns: dict[str, Column]
    inputs: tuple[str, ...]
    excluded: dict[str, str]
    suspects: tuple[Alone, ...]
    ranked: tuple[str, ...]
    trial: Trial | None
    params: dict[str, Any]
    by_time: bool
    classes: tuple[Any, ...]
    values: dict[str, list[Any]]
    examples: list[dict[str, Any]]
    warnings: tuple[str, ...]


def draft(table: Table, *, target: str, time: str | None, project: str, stem: str) -> Draft:
    """Decide about everything. DataError when nothing can be learnt from the table."""
    classes = table.values(target, roles.MOST_CLASSES + 1) if target in table.columns else []
    goal = roles.goal(table.columns, target, classes, table.where)
    found = times.find(table, target, time)
    key = roles.key(table.columns.values(), {target, found.column if found else ""})
    excluded, inputs = _inputs(table, goal, found, key)
    sample = _sample(table, goal, found, inputs)
    scores = _quietly(trial.alone, sample, inputs, goal)
    excluded |= {one.column: _gives_away(one, goal) for one in scores if one.score >= trial.SURE}
    for one, other, sign in trial.together(sample, [name for name in inputs if name not in excluded], goal):
        excluded |= dict.fromkeys((one, other), f"{one} {sign} {other} is {goal.target}: surely only known afterwards")
    inputs = [name for name in inputs if name not in excluded]
    if not inputs:
        raise DataError("no column is left to predict from", where=table.where, hint=_reasons(excluded))
    left = [one for one in scores if one.column in inputs]
    by = _groups(table, found, left)
    params = _params(table.rows, goal)
    by_time = found is not None and _both_sides(table, goal, found)
    tried = _quietly(trial.first_fit, sample, inputs, goal, by, params)
    return Draft(
        project=project,
        dataset=stem,
        model=names.name(target, "target"),
        goal=goal,
        time=found,
        key=key,
        pace=_pace(found, table.rows),
        columns=table.columns,
        inputs=tuple(inputs),
        excluded=excluded,
        suspects=tuple(one for one in left if one.score >= trial.SUSPICIOUS),
        ranked=tuple(one.column for one in left),
        trial=tried,
        params=params,
        by_time=by_time,
        classes=tuple(classes),
        values=_allowed(table, left),
        examples=_examples(sample, inputs),
        warnings=tuple(re.sub(rf"^{re.escape(table.where)}[:,] ", "", warning) for warning in table.warnings),
    )


def _params(rows: int, goal: Goal) -> dict[str, Any]:
    """Small steps for few rows, and for many classes: of a class with a handful of rows, large ones make it swing.

    >>> one, many = Goal("y", "binary_classification", ""), Goal("y", "multiclass_classification", "")
    >>> [_params(50_000, goal)["learning_rate"] for goal in (one, many)]
    [0.1, 0.05]
    """
    small = rows < 10_000 or goal.task == "multiclass_classification"
    return {"max_iter": 100, "learning_rate": 0.05 if small else 0.1}


def _inputs(table: Table, goal: Goal, time: Time | None, key: str | None) -> tuple[dict[str, str], list[str]]:
    """The columns that are left out, with the reason, and those that are inputs, derived ones last."""
    rest = [c for c in table.columns.values() if c.name not in {goal.target, key, time.column if time else None}]
    excluded = {column.name: reason for column in rest if (reason := roles.unfit(column))}
    excluded |= {name: times.TELLS for name in (time.told if time else ()) if name in table.columns}
    inputs = [column.name for column in rest if column.name not in excluded]
    return excluded, [*inputs, *(time.derived if time else ())]


def _reasons(excluded: dict[str, str]) -> str:
    said = "; ".join(f"{name!r}: {reason}" for name, reason in list(excluded.items())[:5])
    return f"Left out: {said}." if said else "It has no other columns."


def _sample(table: Table, goal: Goal, time: Time | None, inputs: Sequence[str]) -> pa.Table:
    derived = _derived(time)
    values = {name: derived.get(name, identifier(name)) for name in inputs} | {goal.target: identifier(goal.target)}
    if time is not None:
        values[trial.TIME] = time.sql
    return table.sample(values, present=goal.target, most=trial.ROWS, seed=trial.SEED)


def _derived(time: Time | None) -> dict[str, str]:
    """The derived columns, over the table itself, in which a time may still be text."""
    if time is None:
        return {}
    read = time.computed or identifier(time.column)
    return {name: sql.replace(read, time.sql) for name, sql in time.derived.items()}


def _gives_away(one: Alone, goal: Goal) -> str:
    return f"by itself it tells {goal.target!r} almost without error: surely it is only known afterwards"


def _groups(table: Table, time: Time | None, left: list[Alone]) -> tuple[str, ...]:
    sizes = {"hour_of_day": 24, "weekday": 7, "month_of_year": 12}
    known = {name: column.distinct for name, column in table.columns.items() if column.kind != "number"}
    return trial.groups(left, known | {name: sizes[name] for name in (time.derived if time else ())})


def _both_sides(table: Table, goal: Goal, time: Time) -> bool:
    """Whether the newest part of the rows, which a model is judged on, has labels of more than one kind."""
    y = identifier(goal.target)
    cut = f"TIMESTAMPTZ {text((time.end - _pace(time, table.rows).test).isoformat(sep=' '))}"
    found = table.row(
        f"SELECT count(DISTINCT y) FILTER (t < {cut}) AS before, count(DISTINCT y) FILTER (t >= {cut}) AS after,"
        f" count(y) FILTER (t >= {cut}) AS rows FROM (SELECT {time.sql} AS t, {y} AS y FROM {{t}})"
    )
    classes = goal.task != "regression"
    wanted = table.columns[goal.target].distinct if classes else 2
    return found["before"] >= wanted and found["after"] >= 2 and found["rows"] >= 20


def _pace(time: Time | None, rows: int) -> Pace:
    if time is None:  # nothing tells how fast rows will come
        return pace(timedelta(days=365), timedelta(days=73), rows=100_000)
    return pace(time.span, time.last_fifth, rows)


def _allowed(table: Table, left: list[Alone]) -> dict[str, list[Any]]:
    """The values of some columns of few texts, for a check that nothing else turns up."""
    few = [one.column for one in left if one.column in table.columns]
    few = [name for name in few if table.columns[name].kind == "string" and table.columns[name].distinct <= 8][:3]
    return {name: sorted(table.values(name, 8)) for name in few}


def _examples(sample: pa.Table, inputs: Sequence[str]) -> list[dict[str, Any]]:
    rows = sample.select(list(inputs)).slice(0, SHOWN).to_pylist()
    return [
        {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in row.items()} for row in rows
    ]


def _quietly(function: Any, *arguments: Any) -> Any:
    """Without the warnings of scikit-learn: a first try on a sample need not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)
