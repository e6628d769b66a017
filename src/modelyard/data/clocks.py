"""Local times that clocks show twice, or never: when summer time ends and begins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb

from modelyard.data import duck
from modelyard.features.sql import moment, text


def warnings(
    connection: duckdb.DuckDBPyConnection, naive: str, *, name: str, timezone: str, as_of: datetime, where: str
) -> list[str]:
    """What cannot be right about times without zone that are read in `timezone`: the hour that is there twice, of which
    the second is taken, and the one that is left out, which is read as the next.

    `naive` is SQL of rows with a timestamp `t`; hours after `as_of` are passed over. Shifts of a whole hour are seen.
    """
    if timezone == "UTC":
        return []
    zone = text(timezone)
    found = duck.arrow(
        connection,
        f"""
        WITH hours AS (SELECT date_trunc('hour', t) AS h, count(*) AS n FROM ({naive}) WHERE isfinite(t) GROUP BY 1),
        read AS (SELECT *, h AT TIME ZONE {zone} AS i FROM hours)
        SELECT strftime(h, '%Y-%m-%d %H:%M') AS hour, n, i AT TIME ZONE {zone} <> h AS never
        FROM read WHERE i <= {moment(as_of)}
        AND (never OR (i - INTERVAL 1 HOUR) AT TIME ZONE {zone} = h OR (i + INTERVAL 1 HOUR) AT TIME ZONE {zone} = h)
        ORDER BY h""",
    ).to_pylist()
    twice, never = ([each for each in found if each["never"] is kind] for kind in (False, True))
    said = []
    if twice:
        rows = f"{_rows(twice)} in an hour that {timezone} has twice ({_first(twice)})"
        said.append(f"{where}: {rows}, read as in the second: write the offset from UTC into {name}")
    if never:
        rows = f"{_rows(never)} in an hour that {timezone} leaves out ({_first(never)})"
        said.append(f"{where}: {rows}, read as an hour later: is {name} in another zone?")
    return said


def _rows(hours: list[dict[str, Any]]) -> str:
    count = sum(each["n"] for each in hours)
    return f"{count:,} rows are" if count > 1 else "1 row is"


def _first(hours: list[dict[str, Any]]) -> str:
    return f"{hours[0]['hour']}, and others" if len(hours) > 1 else str(hours[0]["hour"])
