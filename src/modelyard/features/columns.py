"""Which columns a model sees, and under which names: roles are taken away, what is left is input.

Columns of the dataset keep their names. A column of a feature view has its bare name where that is unique among the
dataset and all views of the model, else `view.column`. Capitals do not tell columns apart, as in SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from modelyard.errors import DataError
from modelyard.features.shape import Shape
from modelyard.spec.models import Model


@dataclass(frozen=True)
class Input:
    """One input of a model: `name` as the model sees it, from `column` of `table`; `type` as in `Shape.columns`."""

    name: str
    table: str
    column: str
    type: str


def inputs(dataset: Shape, views: Sequence[Shape], model: Model) -> list[Input]:
    """The inputs of `model` in their order: the dataset's columns, then each view's.

    Not inputs: key, time, target, later-known columns and what names their time, and what `exclude` names. Columns that
    a view knows later are inputs: they are null where they were not known at the row's time.
    DataError: an unknown target or excluded name, an entity the dataset lacks, a list as input, or nothing left.
    """
    _check_target(dataset, model)
    for view in views:
        _check_entity(dataset, view)
    candidates = [*_of_dataset(dataset, model), *_of_views(dataset, views)]
    _check_names(dataset, candidates)
    excluded = _excluded(dataset, views, model, candidates)
    left = [candidate for candidate in candidates if candidate.name not in excluded]
    _check_left(dataset, left)
    return left


def _of_dataset(dataset: Shape, model: Model) -> list[Input]:
    roles = {*dataset.key, dataset.time, model.target} | dataset.later()
    return [Input(name, dataset.name, name, kind) for name, kind in dataset.columns.items() if name not in roles]


def _of_views(dataset: Shape, views: Sequence[Shape]) -> list[Input]:
    owned = [(view, column) for view in views for column in _offered(view)]
    uses = Counter(column.lower() for _, column in owned)
    uses.update(column.lower() for column in dataset.columns)
    return [
        Input(column if uses[column.lower()] == 1 else f"{view.name}.{column}", view.name, column, view.columns[column])
        for view, column in owned
    ]


def _offered(view: Shape) -> list[str]:
    """The columns a view gives to its models: not its entity, its time, or what names another column's time."""
    roles = {*view.key, view.time} | {known.at for known in view.known_at}
    return [column for column in view.columns if column not in roles]


def _excluded(dataset: Shape, views: Sequence[Shape], model: Model, candidates: Iterable[Input]) -> set[str]:
    """The names of inputs that `exclude` means; a name may always be qualified by its table."""
    found: dict[str, str] = {}
    for candidate in candidates:
        found[f"{candidate.table}.{candidate.column}"] = candidate.name
    found |= {candidate.name: candidate.name for candidate in candidates}
    roles = set(dataset.columns) | {f"{t.name}.{c}" for t in (dataset, *views) for c in t.columns}
    roles |= {column for view in views for column in view.columns}
    for name in model.exclude:
        if name not in found and name not in roles:
            raise DataError(
                f"there is no column {name!r} to exclude", where=f"dataset {dataset.name}", hint=_nearest(name, found)
            )
    return {found[name] for name in model.exclude if name in found}


def _check_target(dataset: Shape, model: Model) -> None:
    if model.target not in dataset.columns:
        raise DataError(
            f"there is no column {model.target!r} to be the target",
            where=f"dataset {dataset.name}",
            hint=_nearest(model.target, dataset.columns),
        )


def _check_entity(dataset: Shape, view: Shape) -> None:
    for column in view.key:
        if column not in dataset.columns:
            raise DataError(
                f"the dataset {dataset.name} has no column {column!r} to join by",
                where=f"feature view {view.name}",
                hint=f"Select it in the dataset, or name another entity. {_nearest(column, dataset.columns)}",
            )
        ours, theirs = dataset.columns[column], view.columns[column]
        if ours != theirs and {ours, theirs} != {"integer", "number"}:
            raise DataError(
                f"{column!r} is {theirs} here and {ours} in the dataset {dataset.name}: they cannot be joined",
                where=f"feature view {view.name}",
                hint="Give both the same type, with `types` of the source or a CAST in the SQL.",
            )


def _check_names(dataset: Shape, candidates: Iterable[Input]) -> None:
    uses = Counter(candidate.name.lower() for candidate in candidates)
    taken = {column.lower() for column in dataset.columns}
    for candidate in candidates:
        name = candidate.name.lower()
        if uses[name] > 1 or (candidate.table != dataset.name and name in taken):
            raise DataError(
                f"two inputs would be named {candidate.name!r}",
                where=f"dataset {dataset.name}",
                hint="Rename one of the columns.",
            )


def _check_left(dataset: Shape, left: Sequence[Input]) -> None:
    for one in left:
        if one.type == "list":
            raise DataError(
                f"{one.column!r} is a list, which a model cannot take as an input",
                where=one.table,
                hint="Exclude it, or make columns of it in SQL.",
            )
    if not left:
        raise DataError(
            "no column is left to be an input",
            where=f"dataset {dataset.name}",
            hint="Key, time, target, later-known and excluded columns are not inputs.",
        )


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(known)[:20])}."
