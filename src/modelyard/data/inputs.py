"""What a dataset or view is made from: sources and datasets, opened as tables under their declared names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import duckdb

from modelyard.data import duck
from modelyard.data.frames import relation as version_relation
from modelyard.data.sources import open_source
from modelyard.errors import DataError
from modelyard.features.shape import Known, Shape
from modelyard.features.sql import identifier
from modelyard.records import Version
from modelyard.spec.load import Project
from modelyard.store import Store


@dataclass(frozen=True)
class Input:
    """A table that SQL sees under `name`; `timed` is SQL of its rows with the column that `time` names."""

    name: str
    timed: str
    columns: dict[str, str]
    time: str | None
    known_at: tuple[Known, ...]


@dataclass
class Inputs:
    """All inputs by name, and what a version records about them."""

    tables: dict[str, Input] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    upstream: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def open_inputs(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    project: Project,
    names: Sequence[str],
    *,
    as_of: datetime,
    where: str,
) -> Inputs:
    """Open the sources and datasets `names` as known at `as_of`."""
    inputs = Inputs()
    for name in names:
        declared = _declared(project, name, where=where)
        table = (
            _source(connection, store, project, declared, as_of, inputs)
            if declared in project.spec.sources
            else _dataset(connection, store, declared, as_of, inputs, where)
        )
        inputs.tables[declared] = table
    return inputs


def _declared(project: Project, name: str, *, where: str) -> str:
    """The declared name: SQL does not tell capitals apart."""
    known = [*project.spec.sources, *project.spec.datasets]
    if name.lower() in known:
        return name.lower()
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
    raise DataError(f"there is no source or dataset {name!r}", where=where, hint=hint)


def _source(
    connection: duckdb.DuckDBPyConnection, store: Store, project: Project, name: str, as_of: datetime, inputs: Inputs
) -> Input:
    opened = open_source(connection, project, name, as_of=as_of, cache=store.files / "cache")
    connection.execute(f"CREATE TEMP VIEW {identifier(name)} AS SELECT * FROM {opened.relation}")
    inputs.sources[name] = opened.facts
    inputs.warnings += opened.warnings
    inputs.files += opened.files
    return Input(name, opened.timed, opened.columns, opened.time, opened.known_at)


def _dataset(
    connection: duckdb.DuckDBPyConnection, store: Store, name: str, as_of: datetime, inputs: Inputs, where: str
) -> Input:
    entity = f"dataset.{name}"
    latest = store.read(Version, entity=entity, order="number", descending=True, limit=1)
    if not latest:
        raise DataError(f"the dataset {name} has no version yet", where=where, hint=f"Build {name} first.")
    version = latest[0]
    shape = Shape.of(name, version.body)
    sql = version_relation(store, version, as_of=as_of)
    connection.execute(f"CREATE TEMP VIEW {identifier(name)} AS SELECT * FROM {sql}")
    inputs.upstream[entity] = version.digest
    inputs.files += store.table(version.body["table"]).files(version.body["table_version"])
    return Input(name, sql, duck.columns(connection, sql), shape.time, shape.known_at)
