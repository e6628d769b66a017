"""Makes the table of a dataset or feature view, as of a time, and asks whether its SQL looks ahead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import duckdb
import pyarrow as pa

from modelyard.data import ahead, duck
from modelyard.data.building import Build, Declared
from modelyard.data.checks import Finding
from modelyard.data.inputs import Inputs, open_inputs
from modelyard.data.result import TABLE, Result, materialise
from modelyard.data.sources import TIME
from modelyard.errors import DataError
from modelyard.features.shape import Known, later_columns
from modelyard.features.sql import identifier
from modelyard.records import Verdict
from modelyard.spec.sql import row_by_row


def make(connection: duckdb.DuckDBPyConnection, build: Build, origin: str | None) -> tuple[Declared, Inputs, Result]:
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


def _present_files(build: Build) -> list[str]:
    """The files of the last snapshot, with which the new one is compared."""
    last = build.latest
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


def looks_ahead(
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
            make(another, replace(build, as_of=at), origin)
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
