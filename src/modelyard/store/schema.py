"""The tables of the database, derived from the records: one class, one table, nothing said twice."""

from __future__ import annotations

import json
import math
import re
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from modelyard import records
from modelyard.errors import InputError
from modelyard.records import Record

R = TypeVar("R", bound=Record)

METADATA = sa.MetaData(naming_convention={"pk": "pk_%(table_name)s"})


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware UTC time with microseconds; on SQLite text of fixed width, so that SQL compares it correctly."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """`timestamptz` on PostgreSQL."""
        return dialect.type_descriptor(sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """As the database wants it."""
        return value if value is None or dialect.name == "postgresql" else time_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Aware, in UTC, whatever the session's time zone."""
        if value is None:
            return None
        return (
            value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)
        )


class Json(sa.TypeDecorator[Any]):
    """A JSON value, as it was written: key order, 1.0 and long numbers kept.

    `json` on PostgreSQL, where `jsonb` would reorder; text on SQLite, where a column named JSON turns numbers into floats.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """`json` on PostgreSQL."""
        return dialect.type_descriptor(sa.JSON() if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """As the database wants it; None is JSON's null."""
        return value if dialect.name == "postgresql" else json_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """The value again."""
        return value if dialect.name == "postgresql" else json.loads(value)


def time_text(value: datetime) -> str:
    """A UTC time as text of fixed width, as SQLite stores it and the audit chain hashes it.

    >>> time_text(datetime(2013, 4, 1, tzinfo=UTC))
    '2013-04-01 00:00:00.000000'
    """
    return value.isoformat(sep=" ", timespec="microseconds")[:26]  # without the zone


def json_text(value: Any) -> str:
    """A JSON column's text: key order kept, NaN refused."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


# One order of text everywhere: by code point, as Python and SQLite have it.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TYPES: dict[Any, sa.types.TypeEngine[Any]] = {
    str: TEXT,
    int: sa.BigInteger(),
    float: sa.Double(),
    bool: sa.Boolean(),
    datetime: UtcDateTime(),
    dict: Json(),
    list: Json(),
    Any: Json(),
}


@dataclass(frozen=True)
class Column:
    """One field of a record: its Python kind (str, int, float, bool, datetime or Any for JSON) and whether it may be None."""

    name: str
    kind: Any
    nullable: bool

    @property
    def is_json(self) -> bool:
        """Whether it holds JSON."""
        return self.kind in (dict, list, Any)


def columns(kind: type[Record]) -> dict[str, Column]:
    """The columns of a kind of record, by name, in order; `id` first."""
    return _COLUMNS[kind]


def table(kind: type[Record]) -> sa.Table:
    """The database table of a kind of record."""
    return _TABLES[kind]


def _columns(kind: type[Record]) -> dict[str, Column]:
    """Read the annotations of a class."""
    hints = typing.get_type_hints(kind)
    return {field.name: _column(field.name, hints[field.name]) for field in fields(kind)}


def _column(name: str, hint: Any) -> Column:
    """Read one annotation."""
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    nullable = origin in (typing.Union, types.UnionType) and type(None) in arguments
    if nullable:
        (hint,) = (each for each in arguments if each is not type(None))
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        hint = type(arguments[0])
    elif origin in (dict, list):
        hint = origin
    if hint not in _TYPES:
        raise TypeError(f"a record cannot hold {name}: {hint}")
    return Column(name, hint, nullable and name != "id")


def _table(kind: type[Record]) -> sa.Table:
    """One table: `unique` and `indexes` have project and env in front."""
    parts: list[Any] = []
    for column in columns(kind).values():
        if column.name == "id":
            parts.append(sa.Column("id", ID, primary_key=True, autoincrement=True))
        else:
            parts.append(sa.Column(column.name, _TYPES[column.kind], nullable=column.nullable))
    name = table_name(kind)
    for names in kind.unique:
        parts.append(sa.UniqueConstraint("project", "env", *names, name=f"uq_{name}_{'_'.join(names)}"))
    for names in kind.indexes:
        parts.append(sa.Index(f"ix_{name}_{'_'.join(names)}", "project", "env", *names))
    return sa.Table(name, METADATA, *parts)


def table_name(kind: type[Record]) -> str:
    """Snake case, plural.

    >>> table_name(records.Alias), table_name(records.Version)
    ('aliases', 'versions')
    """
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
    return snake + ("es" if snake.endswith("s") else "s")


KINDS: tuple[type[Record], ...] = tuple(
    each
    for each in vars(records).values()
    if isinstance(each, type) and issubclass(each, Record) and each is not Record
)
# Made here, once: threads that met a kind for the first time together would both declare its table.
_COLUMNS = {kind: _columns(kind) for kind in KINDS}
_TABLES = {kind: _table(kind) for kind in KINDS}


def values(record: Record) -> dict[str, Any]:
    """A record's columns as the database takes them, without `id`. InputError names a value that no database would keep."""
    kind = type(record)
    return {
        name: checked(kind, column, getattr(record, name)) for name, column in columns(kind).items() if name != "id"
    }


def from_row(kind: type[R], row: sa.Row[Any]) -> R:
    """The record of a row that was selected with all columns, in order."""
    return kind(**dict(zip(columns(kind), row, strict=True)))


def checked(kind: type[Record], column: Column, value: Any) -> Any:
    """`value` as both databases keep it alike, or InputError: naive time, NUL, lone surrogate, NaN, more than 64 bits."""
    # Most values are as plain as they can be; labels come by the thousand.
    if value.__class__ is column.kind and _PLAIN[column.kind](value):
        return value
    where = f"{kind.__name__}.{column.name}"
    if column.is_json:
        return value if value.__class__ in _PLAIN_JSON else checked_json(where, value)
    if value is None:
        if column.nullable:
            return None
        raise InputError("a value is missing.", where=where)
    return _CHECKS[column.kind](where, value)


def _checked_text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"text was expected, not {type(value).__name__}.", where=where)
    if "\0" in value:
        raise InputError("text must not hold a NUL character.", where=where)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InputError("text must be valid Unicode; this holds half of a surrogate pair.", where=where) from None
    return str(value)


def _checked_int(where: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InputError(f"a whole number was expected, not {type(value).__name__}.", where=where)
    number = value.__index__()
    if not -(2**63) <= number < 2**63:
        raise InputError("a whole number must fit 64 bits.", where=where)
    return int(number)


def _checked_float(where: str, value: Any) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise InputError(f"a number was expected, not {type(value).__name__}.", where=where)
    number = float(value)
    if not math.isfinite(number):
        raise InputError("a number must be finite.", where=where)
    return number


def _checked_bool(where: str, value: Any) -> bool:
    if value not in (True, False):
        raise InputError(f"true or false was expected, not {type(value).__name__}.", where=where)
    return bool(value)


def _checked_time(where: str, value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise InputError(f"a time was expected, not {type(value).__name__}.", where=where)
    if value.tzinfo is None:
        raise InputError("a time needs its time zone.", where=where)
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise InputError("a time must lie within years 1 to 9999 in UTC.", where=where) from None
    # A plain datetime also for subclasses (pandas), whose extra digits no database keeps.
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)


def checked_json(where: str, value: Any) -> Any:
    """`value` if it is JSON that every database keeps; InputError about `where` if not."""
    try:
        text = json_text(value)
        text.encode()
    except UnicodeEncodeError:
        raise InputError("text must be valid Unicode; this holds half of a surrogate pair.", where=where) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"this is not JSON: {error}.", where=where) from None
    if "\\u0000" in text and _holds_nul(value):
        raise InputError("text must not hold a NUL character.", where=where)
    return value


def _holds_nul(value: Any) -> bool:
    """Whether any text within a JSON value holds NUL."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list | tuple) and any(map(_holds_nul, value))


_CHECKS = {str: _checked_text, int: _checked_int, float: _checked_float, bool: _checked_bool, datetime: _checked_time}
# What passes its check unchanged, told at a glance.
_PLAIN: dict[Any, Callable[[Any], bool]] = {
    str: lambda value: value.isascii() and "\0" not in value,
    int: lambda value: -(2**63) <= value < 2**63,
    float: math.isfinite,
    bool: lambda value: True,
    datetime: lambda value: value.tzinfo is UTC,
    dict: lambda value: False,
    list: lambda value: False,
}
_PLAIN_JSON = (bool, int, type(None))


def plain(column: Column, values: Sequence[Any]) -> bool:
    """Whether many values of one column all pass `checked` unchanged, as most do."""
    if set(map(type, values)) != {column.kind}:
        return False
    if column.kind is str:
        return _PLAIN[str]("".join(values))
    return all(map(_PLAIN[column.kind], values))
