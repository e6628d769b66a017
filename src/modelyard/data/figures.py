"""A business figure by SQL: over sources and datasets as known at a time, and the prediction logs of deployments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow.compute as pc

from modelyard.data import duck
from modelyard.data.inputs import open_inputs
from modelyard.errors import DataError
from modelyard.features.sql import identifier
from modelyard.spec import Project
from modelyard.spec.sql import read_sql, tables
from modelyard.store import Store, predictions

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Figure:
    """One value of a KPI."""

    time: datetime
    value: float
    arm: str = ""


def figures(store: Store, project: Project, kpi: str, *, as_of: datetime) -> list[Figure]:
    """The values that a KPI's SQL gives, ordered by time; rows without a time or a value are left out.

    DataError when the SQL cannot be run, or gives no `time` and `value`.
    """
    declared = project.spec.kpis[kpi]
    assert declared.sql is not None, "a KPI without SQL is pushed"
    where = f"kpi {kpi}"
    sql = read_sql(project.directory, declared.sql)
    read = sorted(tables(sql))
    logs = [name for name in read if name in project.spec.deployments and not _data(project, name)]
    with duck.connect(store.files / "jobs") as connection:
        inputs = open_inputs(
            connection, store, project, [name for name in read if name not in logs], as_of=as_of, where=where
        )
        for name in logs:
            log = predictions.window(store, name, start=LONG_AGO, end=as_of, known_by=as_of)
            log = log.filter(pc.not_equal(log["role"], "shadow"))  # what nobody was told moved no figure
            connection.register("__log", log)
            connection.execute(f"CREATE TEMP TABLE {identifier(name)} AS SELECT * FROM __log")
            connection.unregister("__log")
        duck.shut(connection, inputs.files)
        relation = f"({sql.rstrip().rstrip(';')}\n)"
        with duck.explained("the SQL cannot be run", where=where):
            columns = duck.columns(connection, relation)
        for wanted in ("time", "value"):
            if wanted not in columns:
                raise DataError(
                    f"its SQL gives no column {wanted!r}", where=where, hint="Select `… AS time, … AS value`."
                )
        arm = "coalesce(CAST(arm AS VARCHAR), '')" if "arm" in columns else "''"
        with duck.explained("its values cannot be read", where=where, hint="`time` is a time, `value` a number."):
            found = duck.arrow(
                connection,
                f"SELECT CAST(time AS TIMESTAMPTZ) AS time, CAST(value AS DOUBLE) AS value, {arm} AS arm FROM {relation} "
                "WHERE time IS NOT NULL AND value IS NOT NULL AND isfinite(CAST(value AS DOUBLE)) ORDER BY 1, 3",
            )
    rows = zip(found["time"].to_pylist(), found["value"].to_pylist(), found["arm"].to_pylist(), strict=True)
    return [Figure(time.astimezone(UTC), value, arm) for time, value, arm in rows if time <= as_of]


def _data(project: Project, name: str) -> bool:
    return name in project.spec.sources or name in project.spec.datasets
