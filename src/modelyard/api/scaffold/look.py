"""A first look at a user's table: its columns, as an `apply` will read them, and what stands in them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelyard.data import duck, kinds
from modelyard.data.files import open_file, unite
from modelyard.data.times import as_timestamp
from modelyard.errors import DataError
from modelyard.features.sql import identifier
from modelyard.spec.tables import Source


@dataclass(frozen=True)
class Column:
    """What stands in one column; `kind`: string, integer, number, boolean, timestamp, date, list.

    `length` is the mean length of texts, `times` how many of them read as a time.
    """

    name: str
    kind: str
    rows: int
    present: int
    distinct: int
    low: Any = None
    high: Any = None
    length: float = 0.0
    times: int = 0

    @property
    def missing(self) -> float:
        """The share of rows without a value."""
        return 1 - self.present / self.rows if self.rows else 0.0

    @property
    def constant(self) -> bool:
        """Whether it does not tell rows apart: neither by its value, nor by missing."""
        return self.distinct <= 1 and self.present in (0, self.rows) and self.kind != "list"

    @property
    def moments(self) -> bool:
        """Whether it holds times, be it as text."""
        return self.kind in ("timestamp", "date") or (self.kind == "string" and 0 < self.present == self.times)

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.present == self.rows == self.distinct

    @property
    def counts(self) -> bool:
        """Whether it numbers the rows without a gap."""
        return self.unique and self.kind == "integer" and self.rows > 20 and self.high - self.low + 1 == self.rows


@dataclass(frozen=True)
class Table:
    """An opened table: `relation` is SQL of its rows in normal types."""

    connection: duckdb.DuckDBPyConnection = field(repr=False)
    relation: str
    where: str
    rows: int
    columns: dict[str, Column]
    warnings: tuple[str, ...]

    def sample(self, values: dict[str, str], *, present: str, most: int, seed: int) -> pa.Table:
        """At most `most` random rows in which the column `present` has a value; `values` are names and their SQL."""
        select = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in values.items())
        labelled = f"(SELECT * FROM {self.relation} WHERE {identifier(present)} IS NOT NULL)"
        sampled = f"{labelled} USING SAMPLE reservoir({most} ROWS) REPEATABLE ({seed})"
        return duck.arrow(self.connection, f"SELECT {select} FROM {sampled}")

    def moment(self, time: str) -> str:
        """SQL of a column as a timestamp in UTC; DataError when it is no time."""
        names = {name: _DUCK[column.kind] for name, column in self.columns.items()}
        return as_timestamp(
            self.connection, self.relation, names, time, role="time", timezone="UTC", where=self.where, warnings=[]
        )

    def values(self, column: str, most: int) -> list[Any]:
        """The distinct values of a column, the most frequent first, at most `most`."""
        name = identifier(column)
        counted = f"SELECT {name} FROM {self.relation} WHERE {name} IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, 1"
        return duck.arrow(self.connection, f"{counted} LIMIT {most}").column(0).to_pylist()

    def row(self, sql: str) -> dict[str, Any]:
        """The only row of a query in which {t} stands for the table."""
        return duck.row(self.connection, sql.replace("{t}", self.relation))


_DUCK = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "list": "VARCHAR[]",
}


@contextmanager
def opened(paths: Sequence[Path], *, where: str) -> Iterator[Table]:
    """Open CSV (also .gz, .zip) or Parquet files as one table, as a source does. DataError when nothing is in them."""
    source = Source(uri=where)
    with tempfile.TemporaryDirectory() as folder, duck.connect(Path(folder)) as connection:
        files = [open_file(connection, path, source, cache=Path(folder), where=where) for path in paths]
        union = unite(connection, files, source, where=where)
        rows = int(connection.execute(f"SELECT count(*) FROM {union.relation}").fetchall()[0][0])
        if rows == 0:
            raise DataError("the table has no rows", where=where, hint="Give one with rows to learn from.")
        columns = _columns(connection, union.relation, union.columns, rows)
        yield Table(connection, union.relation, where, rows, columns, union.warnings)


def _columns(
    connection: duckdb.DuckDBPyConnection, relation: str, types: dict[str, str], rows: int
) -> dict[str, Column]:
    """Facts of every column, counted in one pass."""
    asked = [
        f"{sql} AS {identifier(f'{word}{number}')}"
        for number, (name, kind) in enumerate(types.items())
        for word, sql in _facts(identifier(name), kinds.shown(kind)).items()
    ]
    found = duck.row(connection, f"SELECT {', '.join(asked)} FROM {relation}")
    return {
        name: Column(
            name,
            kinds.shown(kind),
            rows,
            **{word: found[f"{word}{number}"] for word in ("present", "distinct", "low", "high", "length", "times")},  # type: ignore[arg-type]
        )
        for number, (name, kind) in enumerate(types.items())
    }


def _facts(name: str, kind: str) -> dict[str, str]:
    ends = kind in ("integer", "number", "timestamp", "date")
    return {
        "present": f"count({name})",
        "distinct": f"count(DISTINCT {name})",
        "low": f"min({name})" if ends else "NULL",
        "high": f"max({name})" if ends else "NULL",
        "length": f"coalesce(avg(length({name})), 0.0)" if kind == "string" else "0.0",
        "times": f"count(TRY_CAST({name} AS TIMESTAMP))" if kind == "string" else "0",
    }
