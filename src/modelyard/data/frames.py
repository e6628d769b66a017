"""Reads versions back: a table as known at a time, and the training set of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from modelyard.data import duck
from modelyard.errors import DataError
from modelyard.features import Input, Shape, ViewJoin, inputs, join
from modelyard.features.sql import identifier, identifiers, moment
from modelyard.records import Version
from modelyard.spec.models import Model
from modelyard.spec.types import Spec
from modelyard.store import Store

KNOWN_AT = "__known_at"


@dataclass(frozen=True)
class Frame:
    """The rows of a model: key, time, inputs, target and `__known_at`, ordered by time, then key, then all else.

    `target` is null while it is unknown. `known_at` names the column that says when the label became known: with its
    row unless declared otherwise, null while that is not known. Columns that only checks need (slices) are in the
    table too.
    """

    table: pa.Table
    key: tuple[str, ...]
    time: str | None
    inputs: tuple[str, ...]
    target: str
    known_at: str = KNOWN_AT


def relation(store: Store, version: Version, *, as_of: datetime, columns: Iterable[str] | None = None) -> str:
    """SQL of a version's rows as known at `as_of`: none later, later-known values null while they were not known."""
    shape = Shape.of(version.entity, version.body)
    wanted = list(shape.columns) if columns is None else list(columns)
    for column in wanted:
        if column not in shape.columns:
            raise DataError(
                f"there is no column {column!r}", where=version.entity, hint=f"There are {', '.join(shape.columns)}."
            )
    by = moment(as_of)
    select = ", ".join(f"{shape.masked(column, by=by)} AS {identifier(column)}" for column in wanted)
    visible = f" WHERE {identifier(shape.time)} <= {by}" if shape.time else ""
    return f"(SELECT {select} FROM {_rows(store, version)}{visible})"


def read(
    store: Store, version: Version, *, as_of: datetime | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows of a dataset's or feature view's version as known at `as_of` (default: when it was built), unordered."""
    sql = relation(store, version, as_of=as_of or version.as_of, columns=columns)
    with duck.connect() as connection:
        return duck.arrow(connection, f"SELECT * FROM {sql}")


def training_frame(
    store: Store,
    spec: Spec,
    model: str,
    *,
    dataset: Version,
    views: Mapping[str, Version],
    as_of: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Frame:
    """The rows of `model` with time in [start, end) and not after `as_of`, joined with its feature views (by name).

    Inputs are as known at each row's time, the target as known at `as_of`. DataError when columns are missing.
    """
    declared = spec.models[model]
    data = Shape.of(declared.data, dataset.body)
    shapes = [Shape.of(name, views[name].body) for name in declared.features]
    used = inputs(data, shapes, declared)
    own = _own_columns(data, declared, used)
    entities = [column for shape in shapes for column in shape.key]
    rows = _dataset_rows(store, dataset, data, declared, own, entities, as_of=as_of, start=start, end=end)
    joins = [
        ViewJoin(
            shape,
            _rows(store, views[shape.name]),
            tuple((one.column, one.name) for one in used if one.table == shape.name),
            spec.features[shape.name].ttl,
        )
        for shape in shapes
    ]
    sql = join(rows, joins, time=data.time, as_of=as_of)
    with duck.connect() as connection, duck.explained("the rows cannot be joined", where=f"model {model}"):
        table = duck.arrow(connection, f"SELECT * FROM ({sql}) ORDER BY {_order(data, own)}")
    return Frame(
        table=table.select([*own, *(one.name for one in used if one.name not in own), KNOWN_AT]),
        key=data.key,
        time=data.time,
        inputs=tuple(one.name for one in used),
        target=declared.target,
    )


def rows(
    store: Store,
    spec: Spec,
    model: str,
    *,
    dataset: Version,
    views: Mapping[str, Version],
    start: datetime,
    end: datetime,
    as_of: datetime,
) -> Frame:
    """The rows of a period, with the labels known at `as_of`: what happened, for a simulation."""
    return training_frame(store, spec, model, dataset=dataset, views=views, as_of=as_of, start=start, end=end)


def _rows(store: Store, version: Version) -> str:
    return store.table(version.body["table"]).scan(version.body["table_version"])


def _own_columns(data: Shape, model: Model, used: Sequence[Input]) -> list[str]:
    """The dataset's columns of a frame: key, time, inputs, target, and what slices and baseline group by."""
    grouped = [column for check in model.checks if check.slices for column in check.slices.by]
    wanted = {*data.key, data.time, model.target, *model.baseline.by, *grouped}
    wanted |= {one.name for one in used if one.table == data.name}
    return [column for column in data.columns if column in wanted]


def _dataset_rows(
    store: Store,
    version: Version,
    data: Shape,
    model: Model,
    own: Sequence[str],
    entities: Sequence[str],
    *,
    as_of: datetime,
    start: datetime | None,
    end: datetime | None,
) -> str:
    """SQL of the dataset's part of a frame, with the entities that the views are joined by."""
    by = moment(as_of)
    needed = list(dict.fromkeys([*own, *entities]))
    select = [f"{data.masked(column, by=by)} AS {identifier(column)}" for column in needed]
    select.append(f"{_label_known(data, model.target, by)} AS {KNOWN_AT}")
    conditions = [f"{identifier(data.time)} <= {by}"] if data.time else []
    conditions += [f"{identifier(_time(data))} >= {moment(start)}"] if start else []
    conditions += [f"{identifier(_time(data))} < {moment(end)}"] if end else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(select)} FROM {_rows(store, version)}{where}"


def _label_known(data: Shape, target: str, by: str) -> str:
    """SQL of when the target became known; a time that a column will say is itself not known before."""
    for known in data.known_at:
        if target in known.columns and known.at is not None:
            return data.masked(known.at, by=by)
    return data.known_since(target) or (identifier(data.time) if data.time else by)


def _time(data: Shape) -> str:
    if data.time is None:
        raise DataError(f"the dataset {data.name} has no time, so it has no periods", hint="Declare its `time`.")
    return data.time


def _order(data: Shape, own: Sequence[str]) -> str:
    first = [*([data.time] if data.time else []), *data.key]
    return identifiers(dict.fromkeys([*first, *own]))
