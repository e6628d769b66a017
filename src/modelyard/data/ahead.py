"""Whether a table is computed from later rows: what a window or an average over the whole table does without a word.

Such a column leaks the future into training, and no request can have it. The table is made once more as it was at an earlier
time; a value of a row of that time or before that is another one then was computed from rows that came later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from modelyard.data import duck
from modelyard.data.checks import Finding
from modelyard.data.result import TABLE
from modelyard.errors import DataError, UserCodeError
from modelyard.features.sql import identifier, identifiers, moment

CHECK = "look_ahead"
MOST = 1_000_000
"""Rows: a larger table is not made twice."""
_AT = 0.75
_NAMED = 5


def look(
    connection: duckdb.DuckDBPyConnection,
    columns: dict[str, str],
    earlier: Callable[[datetime], pa.Table],
    *,
    identity: Sequence[str],
    time: str,
    later: frozenset[str],
) -> Finding | None:
    """Compare the table `__result` with what `earlier` makes of the inputs of an earlier time.

    Rows are the same by `identity`; `later` columns are declared to come later, so they may differ. None where nothing
    can be compared: too many rows, all of one time, or no row as it was.
    """
    asked = f"SELECT count(*) AS n, quantile_disc({identifier(time)}, {_AT}) AS at, max({identifier(time)}) AS last FROM {TABLE}"
    extent = duck.row(connection, asked)
    if not 0 < extent["n"] <= MOST or extent["at"] == extent["last"]:
        return None
    try:
        before = earlier(extent["at"])
        compared = [name for name in columns if name not in {*identity, time, *later} and name in before.column_names]
        with duck.explained("rows cannot be compared", where=CHECK):
            found = _differences(connection, columns, before, compared, identity, time, extent["at"])
    except (DataError, UserCodeError):
        return None  # a table that cannot be made of fewer rows says nothing about later ones
    return _finding(found, compared, extent["at"]) if found["rows"] else None


def _differences(
    connection: duckdb.DuckDBPyConnection,
    columns: dict[str, str],
    before: pa.Table,
    compared: Sequence[str],
    identity: Sequence[str],
    time: str,
    at: datetime,
) -> dict[str, int]:
    """How many rows are in both, and how many of them differ in each column (as `c0`, `c1`, …)."""
    connection.register("__before", before)
    keys = identifiers(identity)
    once = f"WHERE {identifier(time)} <= {moment(at)} QUALIFY count(*) OVER (PARTITION BY {keys}) = 1"
    counts = "".join(
        f", count_if({_differs(identifier(name), columns[name])}) AS c{place}" for place, name in enumerate(compared)
    )
    try:
        return duck.row(
            connection,
            f"SELECT count(*) AS rows{counts} FROM (SELECT * FROM {TABLE} {once}) AS now "
            f"JOIN (SELECT * FROM __before {once}) AS before USING ({keys})",
        )
    finally:
        connection.unregister("__before")


def _differs(column: str, kind: str) -> str:
    now, before = f"now.{column}", f"before.{column}"
    if kind not in ("DOUBLE", "FLOAT"):
        return f"{now}::VARCHAR IS DISTINCT FROM {before}::VARCHAR"
    # Sums of floats depend on the order in which threads come to add.
    near = f"abs({now} - {before}) <= 1e-9 * greatest(abs({now}), abs({before}))"
    return f"{now} IS DISTINCT FROM {before} AND NOT coalesce({near}, false)"


def _finding(found: dict[str, int], compared: Sequence[str], at: datetime) -> Finding:
    changed = {name: found[f"c{place}"] for place, name in enumerate(compared) if found[f"c{place}"]}
    detail = {"rows": found["rows"], "at": at.isoformat(), "columns": changed}
    if not changed:
        return Finding(CHECK, "pass", f"later rows change none of {found['rows']:,} rows", detail, "warn")
    named = ", ".join(f"{name} ({rows:,} rows)" for name, rows in list(changed.items())[:_NAMED])
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    says = (
        f"computed from later rows: {named}{more} of {found['rows']:,} were others as of {at:%Y-%m-%d %H:%M}. No request "
        "can have them: compute them from earlier rows only, or name them under `known_at`"
    )
    return Finding(CHECK, "fail", says, detail, "warn")
