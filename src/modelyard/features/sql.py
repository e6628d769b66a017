"""SQL text: identifiers and literals, quoted for DuckDB."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta


def identifier(name: str, table: str = "") -> str:
    """A quoted name, after that of its table if one is given.

    >>> identifier('the "best" column', "t")
    '"t"."the ""best"" column"'
    """
    quoted = '"' + name.replace('"', '""') + '"'
    return f"{identifier(table)}.{quoted}" if table else quoted


def identifiers(names: Iterable[str], table: str = "") -> str:
    """Quoted names, separated by commas."""
    return ", ".join(identifier(name, table) for name in names)


def text(value: str) -> str:
    """A text literal.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def moment(value: datetime) -> str:
    """A timestamp literal, from an aware datetime.

    >>> moment(datetime(2013, 4, 1, 5, tzinfo=UTC))
    "TIMESTAMPTZ '2013-04-01 05:00:00+00:00'"
    """
    return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat(sep=' ')}'"


def interval(value: timedelta) -> str:
    """An exact interval."""
    return f"to_microseconds({microseconds(value)})"


def microseconds(value: timedelta) -> int:
    """A duration in whole microseconds."""
    return value // timedelta(microseconds=1)
