"""What is known about a table besides its rows: its columns, key and time, and what is known later than its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from modelyard.features.sql import identifier, interval
from modelyard.spec.tables import KnownAt


@dataclass(frozen=True)
class Known:
    """Columns known later than their row: at the time in the column `at`, or `after` a delay."""

    columns: tuple[str, ...]
    at: str | None = None
    after: timedelta | None = None

    @classmethod
    def declared(cls, known: KnownAt) -> Known:
        """As declared in a spec."""
        return cls(known.columns, known.at, known.after)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Known:
        """As recorded in a version's body."""
        after = value.get("after_seconds")
        return cls(tuple(value["columns"]), value.get("at"), None if after is None else timedelta(seconds=after))

    def as_json(self) -> dict[str, Any]:
        """`{"columns", "at"}` or `{"columns", "after_seconds"}`."""
        if self.at is not None:
            return {"columns": list(self.columns), "at": self.at}
        assert self.after is not None
        return {"columns": list(self.columns), "after_seconds": self.after.total_seconds()}


@dataclass(frozen=True)
class Shape:
    """A table: `columns` name to type (string, integer, number, boolean, timestamp, date, list), `key` (of a feature
    view: its entity), `time`, and its later-known columns. `distinct` (of a view): no two rows share entity and time."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    time: str | None = None
    known_at: tuple[Known, ...] = ()
    distinct: bool = False

    @classmethod
    def of(cls, name: str, body: Mapping[str, Any]) -> Shape:
        """The shape that a dataset's or feature view's version recorded in its body."""
        return cls(
            name=name,
            columns=body["columns"],
            key=tuple(body["key"]),
            time=body["time"],
            known_at=tuple(Known.from_json(known) for known in body["known_at"]),
            distinct=body.get("distinct", False),
        )

    def later(self) -> frozenset[str]:
        """The columns known later than their row, and those that say when."""
        return later_columns(self.known_at)

    def known_since(self, column: str, *, table: str = "") -> str | None:
        """SQL: the time from which `column` is known in a row; None: known with its row."""
        time = identifier(self.time, table) if self.time else None
        return known_since(column, self.known_at, time=time, table=table)

    def masked(self, column: str, *, by: str, table: str = "") -> str:
        """SQL: the value of `column` as known `by` (SQL of a time), null while it is not."""
        since = self.known_since(column, table=table)
        value = identifier(column, table)
        return value if since is None else f"CASE WHEN {since} <= {by} THEN {value} END"


def later_columns(known_at: Iterable[Known]) -> frozenset[str]:
    """The columns known later than their row, and those that say when."""
    known_at = tuple(known_at)
    return frozenset(c for known in known_at for c in known.columns) | {k.at for k in known_at if k.at is not None}


def known_since(column: str, known_at: Iterable[Known], *, time: str | None, table: str = "") -> str | None:
    """SQL: the time from which `column` is known, of a row with the SQL `time`; None: known with its row.

    A column that says when others are known is not known earlier than it says.
    """
    for known in known_at:
        if known.at is not None and (column in known.columns or column == known.at):
            return identifier(known.at, table)
        if known.after is not None and column in known.columns and time is not None:
            return f"{time} + {interval(known.after)}"
    return None
