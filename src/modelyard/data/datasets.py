"""Builds versions of datasets and feature views: make the table, examine it, keep what is new, record it last.

Safe to repeat at any moment: rows are written before the record, and rows without a record are never read.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from modelyard.data import duck
from modelyard.data.building import Build, Declared
from modelyard.data.keeping import keep
from modelyard.data.making import looks_ahead, make
from modelyard.data.result import Result
from modelyard.engines import LocalEngine
from modelyard.errors import DataError, InputError
from modelyard.features.shape import Known
from modelyard.records import Version
from modelyard.spec.load import Project
from modelyard.spec.sql import read_sql, tables
from modelyard.store import Held, Store


def build_dataset(
    store: Store,
    project: Project,
    name: str,
    *,
    as_of: datetime,
    fingerprint: str,
    actor: str,
    engine: LocalEngine,
    fence: Held | None = None,
    gate: bool = True,
) -> Version:
    """Bring the dataset `name` to what its inputs say at `as_of`; returns its version, the present one when nothing
    changed.

    `fingerprint` covers declaration and code. Verdicts are recorded in any case; a failed check of severity error
    raises CheckFailed and leaves the last good version standing, unless `gate` is off. DataError and UserCodeError say
    what cannot be read or computed.
    """
    declared = project.spec.datasets[name]
    sql = _sql(project, declared.sql, f"dataset {name}")
    common = Declared(
        entity=f"dataset.{name}",
        table=f"datasets/{name}",
        reads=tuple(sorted(tables(sql))) if sql is not None else declared.from_,
        sql=sql,
        python=declared.python,
        key=declared.key,
        time=declared.time,
        timezone=declared.timezone,
        known_at=tuple(Known.declared(known) for known in declared.known_at),
        checks=declared.checks,
        is_view=False,
    )
    return _build(Build(store, project, common, as_of, fingerprint, actor, engine, fence, gate))


def build_view(
    store: Store,
    project: Project,
    name: str,
    *,
    as_of: datetime,
    fingerprint: str,
    actor: str,
    engine: LocalEngine,
    fence: Held | None = None,
    gate: bool = True,
) -> Version:
    """Bring the feature view `name` to what its source or dataset says at `as_of`; as `build_dataset`.

    Its time is that of what it is made from, and so is what is known later, unless the view declares its own.
    """
    declared = project.spec.features[name]
    sql = _sql(project, declared.sql, f"feature view {name}")
    common = Declared(
        entity=f"feature.{name}",
        table=f"features/{name}",
        reads=tuple(sorted({declared.from_, *(tables(sql) if sql is not None else ())})),
        sql=sql,
        python=None,
        key=declared.entity,
        time=declared.time,
        timezone=declared.timezone,
        known_at=tuple(Known.declared(known) for known in declared.known_at),
        checks=declared.checks,
        is_view=True,
    )
    return _build(Build(store, project, common, as_of, fingerprint, actor, engine, fence, gate), origin=declared.from_)


def _build(build: Build, *, origin: str | None = None) -> Version:
    with duck.connect(build.store.files / "jobs") as connection:
        declared, inputs, result = make(connection, build, origin)
        _check_key(declared, result)
        build = replace(build, declared=declared)
        looked = looks_ahead(connection, build, inputs, result, origin)
        return keep(connection, build, inputs, result, looked)


def _sql(project: Project, declared: str | None, where: str) -> str | None:
    if declared is None:
        return None
    try:
        return read_sql(project.directory, declared)
    except InputError as error:
        raise DataError(error.message, where=where, hint=error.hint) from error


def _check_key(declared: Declared, result: Result) -> None:
    role = "entity" if declared.is_view else "key"
    for column in declared.key:
        if column not in result.columns:
            raise DataError(
                f"there is no column {column!r} to be the {role}",
                where=declared.where,
                hint=f"There are {', '.join(result.columns)}.",
            )
