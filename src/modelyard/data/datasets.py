"""Builds versions of datasets and feature views: make the table, examine it, keep what is new, record it last.

Safe to repeat at any moment: rows are written before the record, and rows without a record are never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from modelyard.data import ahead, checks, duck, kinds, snapshot
from modelyard.data.checks import Checked, Finding
from modelyard.data.functions import Caller
from modelyard.data.inputs import Inputs, open_inputs
from modelyard.data.result import TABLE, Result, materialise
from modelyard.data.snapshot import Content
from modelyard.data.sources import TIME
from modelyard.digest import digest
from modelyard.engines import LocalEngine
from modelyard.errors import CheckFailed, DataError, InputError
from modelyard.features.shape import Known, later_columns
from modelyard.features.sql import identifier, identifiers
from modelyard.records import Verdict, Version
from modelyard.spec.load import Project
from modelyard.spec.sql import read_sql, row_by_row, tables
from modelyard.spec.types import DataCheck
from modelyard.store import Held, Store


@dataclass(frozen=True)
class Declared:
    """What datasets and feature views have in common, as declared."""

    entity: str
    table: str
    reads: tuple[str, ...]
    sql: str | None
    python: str | None
    key: tuple[str, ...]
    time: str | None
    timezone: str
    known_at: tuple[Known, ...]
    checks: tuple[DataCheck, ...]
    is_view: bool

    @property
    def where(self) -> str:
        """How messages name it."""
        kind, name = self.entity.split(".", 1)
        return f"{'feature view' if self.is_view else kind} {name}"


@dataclass(frozen=True)
class Build:
    """Who builds what, where, and for which time."""

    store: Store
    project: Project
    declared: Declared
    as_of: datetime
    fingerprint: str
    actor: str
    engine: LocalEngine
    fence: Held | None
    gate: bool

    @property
    def caller(self) -> Caller:
        """Where declared functions run."""
        return Caller(self.engine, self.project.directory, self.store.files / "jobs")


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
        declared, inputs, result = _made(connection, build, origin)
        _check_key(declared, result)
        build = replace(build, declared=declared)
        looked = _looked_ahead(connection, build, inputs, result, origin)
        return _keep(connection, build, inputs, result, looked)


def _made(connection: duckdb.DuckDBPyConnection, build: Build, origin: str | None) -> tuple[Declared, Inputs, Result]:
    """The table `__result` in `connection`, as of the build's time."""
    inputs = open_inputs(
        connection,
        build.store,
        build.project,
        build.declared.reads,
        as_of=build.as_of,
        where=build.declared.where,
    )
    duck.shut(connection, [*inputs.files, *_present_files(build)])
    declared = _timed(build.declared, inputs, origin)
    relation = _relation(connection, replace(build, declared=declared), inputs, origin)
    with duck.explained("the SQL cannot be run", where=declared.where):
        declared, warnings = _warier(declared, inputs, duck.columns(connection, relation))
    inputs.warnings += warnings
    result = materialise(
        connection,
        relation,
        time=declared.time,
        known_at=declared.known_at,
        timezone=declared.timezone,
        as_of=build.as_of,
        where=declared.where,
    )
    return declared, inputs, result


def _looked_ahead(
    connection: duckdb.DuckDBPyConnection, build: Build, inputs: Inputs, result: Result, origin: str | None
) -> Finding | None:
    """Whether later rows change earlier ones: asked once for each declaration and code that could do so."""
    declared = build.declared
    simple = declared.python is None and (declared.sql is None or row_by_row(declared.sql))
    dated = any(table.time for table in inputs.tables.values())
    if simple or not dated or not declared.time or not declared.key:
        return None
    before = build.store.read(Verdict, entity=declared.entity, check=ahead.CHECK)
    if any(verdict.detail.get("fingerprint") == build.fingerprint for verdict in before):
        return None

    def earlier(at: datetime) -> pa.Table:
        with duck.connect(build.store.files / "jobs") as another:
            _made(another, replace(build, as_of=at), origin)
            return duck.arrow(another, f"SELECT * FROM {TABLE}")

    found = ahead.look(
        connection,
        result.columns,
        earlier,
        identity=[*declared.key, *([declared.time] if declared.is_view else [])],
        time=declared.time,
        later=later_columns(declared.known_at),
    )
    return found and replace(found, detail=found.detail | {"fingerprint": build.fingerprint})


def _sql(project: Project, declared: str | None, where: str) -> str | None:
    if declared is None:
        return None
    try:
        return read_sql(project.directory, declared)
    except InputError as error:
        raise DataError(error.message, where=where, hint=error.hint) from error


def _present_files(build: Build) -> list[str]:
    """The files of the last snapshot, with which the new one is compared."""
    last = _latest(build.store, build.declared.entity)
    return build.store.table(last.body["table"]).files(last.body["table_version"]) if last else []


def _timed(declared: Declared, inputs: Inputs, origin: str | None) -> Declared:
    """A view without a time of its own has that of its origin."""
    if origin is None or declared.time is not None:
        return declared
    time = inputs.tables[origin].time
    if time == TIME and declared.sql is not None:
        raise DataError(
            f"the time of {origin} is computed, so the view's SQL cannot hand it on",
            where=declared.where,
            hint="Select a time in the view's SQL and name it with `time`.",
        )
    return replace(declared, time=time)


def _warier(declared: Declared, inputs: Inputs, columns: Iterable[str]) -> tuple[Declared, list[str]]:
    """Adds what the inputs know later to `known_at`, by the columns' names: a leak is not declared by accident.

    DataError when such a column is handed on without the one that says since when.
    """
    present, covered = set(columns), later_columns(declared.known_at)
    added: list[Known] = []
    for table in inputs.tables.values():
        for known in table.known_at:
            handed = tuple(c for c in known.columns if c in present and c not in covered)
            if not handed:
                continue
            tellable = known.at in present if known.at else declared.time is not None and declared.time == table.time
            if not tellable:
                missing = f"without {known.at}" if known.at else f"without the time of {table.name}"
                raise DataError(
                    f"{', '.join(handed)}, which {table.name} knows later than its row, is handed on {missing}",
                    where=declared.where,
                    hint="Select that column too, or declare `known_at`.",
                )
            added.append(replace(known, columns=handed))
            covered |= later_columns(added)
    warnings = [f"{declared.where}: {', '.join(k.columns)} known later, as in its input" for k in added]
    known_at = (*declared.known_at, *added)
    return replace(declared, known_at=known_at), [] if declared.is_view else warnings


def _relation(connection: duckdb.DuckDBPyConnection, build: Build, inputs: Inputs, origin: str | None) -> str:
    """SQL of the result: the declared SQL, the function's table, or all of the view's origin."""
    declared = build.declared
    if declared.sql is not None:
        # The line break ends a comment in the last line.
        return f"({declared.sql.rstrip().rstrip(';')}\n)"
    if declared.python is not None:
        frames = {name: duck.arrow(connection, f"SELECT * FROM {identifier(name)}") for name in inputs.tables}
        made = build.caller.table(declared.python, frames, where=declared.where)
        with duck.explained("the function's table cannot be read", where=declared.where):
            connection.register("__made", made)
        return "__made"
    assert origin is not None
    return inputs.tables[origin].timed if declared.time == TIME else identifier(origin)


def _check_key(declared: Declared, result: Result) -> None:
    role = "entity" if declared.is_view else "key"
    for column in declared.key:
        if column not in result.columns:
            raise DataError(
                f"there is no column {column!r} to be the {role}",
                where=declared.where,
                hint=f"There are {', '.join(result.columns)}.",
            )


def _keep(
    connection: duckdb.DuckDBPyConnection, build: Build, inputs: Inputs, result: Result, looked: Finding | None
) -> Version:
    """Examine the result, write what is new, and record the version with its verdicts, all in one transaction."""
    declared, store = build.declared, build.store
    content = snapshot.measure(connection, TABLE, result.columns)
    subject = digest({"entity": declared.entity, "fingerprint": build.fingerprint, "content": content.as_json()})
    last = _latest(store, declared.entity)
    findings = [*_findings(connection, build, result), *([looked] if looked else [])]
    if looked and looked.state == "fail":
        inputs.warnings.append(f"{declared.where}: {looked.says}")
    failed = [one for one in findings if one.severity == "error" and one.state != "pass"]
    if failed and build.gate:
        _record_verdicts(build, subject, findings, action="dataset.refused")
        raise CheckFailed(
            "; ".join(f"{one.check}: {one.says}" for one in failed),
            where=declared.where,
            hint="The last good version stands." if last else None,
        )
    if last is not None and last.digest == subject:
        seen = {"sources": inputs.sources, "next": _shown(result.next)}
        if {name: last.body.get(name) for name in seen} != seen:
            # The same rows from files that changed, or seen later: the next plan compares with what was seen now.
            return _record(build, subject, {**last.body, **seen}, findings)
        _record_verdicts(build, subject, findings, action="dataset.judged")
        return last
    table = store.table(declared.table)
    written = snapshot.keep(connection, TABLE, content, table=table, last=last, time=declared.time)
    body = _body(connection, declared, inputs, result, content, written)
    return _record(build, subject, body, findings)


def _latest(store: Store, entity: str) -> Version | None:
    found = store.read(Version, entity=entity, order="number", descending=True, limit=1)
    return found[0] if found else None


def _findings(connection: duckdb.DuckDBPyConnection, build: Build, result: Result) -> list[Finding]:
    declared = build.declared
    table = Checked(
        connection,
        TABLE,
        result.columns,
        result.rows,
        declared.key,
        declared.time,
        build.as_of,
        build.caller,
    )
    return checks.examine(table, declared.checks, key=() if declared.is_view else declared.key)


def _body(
    connection: duckdb.DuckDBPyConnection,
    declared: Declared,
    inputs: Inputs,
    result: Result,
    content: Content,
    written: int,
) -> dict[str, Any]:
    """What the version records (docs: `Version.body` of datasets and feature views)."""
    warnings = [*inputs.warnings, *result.warnings]
    identity = [*declared.key, *([declared.time] if declared.time and declared.is_view else [])]
    repeated = _repeated(connection, identity) if declared.is_view else 0
    if repeated:
        what = ", ".join(identity)
        # The join takes one of them, always the same.
        warnings.append(f"{declared.where}: {repeated} rows share {what} with another; the first of each is joined")
    if declared.is_view and declared.time is None:
        warnings.append(f"{declared.where}: no time is known, so rows of any time are joined with it as it is now")
    return {
        "table": declared.table,
        "table_version": written,
        "rows": result.rows,
        "columns": {name: kinds.shown(kind) for name, kind in result.columns.items()},
        "key": list(declared.key),
        "time": declared.time,
        "known_at": [known.as_json() for known in declared.known_at],
        **_extent(connection, declared.time),
        "next": _shown(result.next),
        "distinct": declared.is_view and not repeated,
        "content": content.as_json(),
        "sources": inputs.sources,
        "inputs": inputs.upstream,
        "warnings": warnings,
    }


def _shown(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _repeated(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> int:
    """How many rows share `columns` with another row; missing values are alike."""
    listed = identifiers(columns)
    groups = f"SELECT count(*) AS n FROM {TABLE} GROUP BY {listed} HAVING count(*) > 1"
    found: int = duck.row(connection, f"SELECT coalesce(sum(n), 0)::BIGINT AS n FROM ({groups})")["n"]
    return found


def _extent(connection: duckdb.DuckDBPyConnection, time: str | None) -> dict[str, str | None]:
    if time is None:
        return {"time_min": None, "time_max": None}
    column = identifier(time)
    found = duck.row(connection, f"SELECT min({column}) AS time_min, max({column}) AS time_max FROM {TABLE}")
    return {name: value.isoformat() if value else None for name, value in found.items()}


def _record(build: Build, subject: str, body: dict[str, Any], findings: Sequence[Finding]) -> Version:
    """Record the version with its verdicts: from here on it can be seen."""
    store, entity = build.store, build.declared.entity
    now = store.clock.now()
    detail = {"rows": body["rows"], "digest": subject}
    with store.transaction(
        actor=build.actor, action="dataset.built", subject=entity, detail=detail, fence=build.fence
    ) as transaction:
        before = transaction.read(Version, entity=entity, order="number", descending=True, limit=1)
        version = transaction.add(
            Version(
                entity=entity,
                number=before[0].number + 1 if before else 1,
                fingerprint=build.fingerprint,
                digest=subject,
                as_of=build.as_of,
                created=now,
                actor=build.actor,
                body=body,
            )
        )
        for verdict in _new_verdicts(build, subject, findings):
            transaction.add(verdict)
    return version


def _record_verdicts(build: Build, subject: str, findings: Sequence[Finding], *, action: str) -> None:
    """Record what the checks say about a content without a version of its own, as far as it is news."""
    news = _new_verdicts(build, subject, findings)
    if not news:
        return
    with build.store.transaction(
        actor=build.actor, action=action, subject=build.declared.entity, detail={"digest": subject}, fence=build.fence
    ) as transaction:
        for verdict in news:
            transaction.add(verdict)


def _new_verdicts(build: Build, subject: str, findings: Sequence[Finding]) -> list[Verdict]:
    """Verdicts that are not recorded yet about this content, or that changed."""
    recorded = build.store.read(Verdict, entity=build.declared.entity, subject=subject)
    known = {(digest(v.detail.get("declared")), v.severity): v.state for v in recorded}
    now = build.store.clock.now()
    return [
        finding.verdict(entity=build.declared.entity, subject=subject, at=now)
        for finding in findings
        if known.get((digest(finding.detail.get("declared")), finding.severity)) != finding.state
    ]
