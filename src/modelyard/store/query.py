"""Reading by example: `where` keywords become SQL, the same for both databases and for a transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelyard.records import Record
from modelyard.store import schema
from modelyard.store.schema import R

_OPERATORS: dict[str, Callable[[sa.Column[Any], Any], sa.ColumnElement[bool]]] = {
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
    "ne": lambda column, value: column.is_distinct_from(value),
}
# Above this a list travels as one value: both databases limit the number of parameters.
_LONG = 500


def read(
    connection: sa.Connection,
    kind: type[R],
    scope: tuple[str, str],
    where: Mapping[str, Any],
    *,
    order: str | Sequence[str] = "id",
    descending: bool = False,
    limit: int | None = None,
) -> list[R]:
    """The records of `kind` in `scope` (project, env) that satisfy `where`; ties in `order` go by id, None comes first."""
    table = schema.table(kind)
    statement = sa.select(table).where(*conditions(kind, scope, where, connection.dialect.name))
    statement = statement.order_by(*_order(kind, order, descending))
    if limit is not None:
        statement = statement.limit(limit)
    return [schema.from_row(kind, row) for row in connection.execute(statement)]


def read_columns(
    connection: sa.Connection,
    kind: type[Record],
    scope: tuple[str, str],
    where: Mapping[str, Any],
    names: Sequence[str],
) -> list[tuple[Any, ...]]:
    """Some columns of the records that satisfy `where`, by id."""
    table = schema.table(kind)
    statement = sa.select(*(table.c[name] for name in names)).order_by(table.c.id)
    found = connection.execute(statement.where(*conditions(kind, scope, where, connection.dialect.name)))
    return [tuple(row) for row in found]


def insert_columns(
    connection: sa.Connection, kind: type[Record], scope: tuple[str, str], columns: Mapping[str, Sequence[Any]]
) -> int:
    """Insert rows given by column, by the driver's own `executemany`; returns how many."""
    declared = {name: column for name, column in schema.columns(kind).items() if name not in ("id", "project", "env")}
    if set(columns) != set(declared):
        raise TypeError(f"{kind.__name__} has the columns {', '.join(declared)}.")
    rows = {len(values) for values in columns.values()}
    if len(rows) > 1:
        raise ValueError("columns must be of one length")
    (count,) = rows
    if not count:
        return 0
    table, dialect = schema.table(kind), connection.dialect
    given: dict[str, Iterable[Any]] = dict(zip(("project", "env"), ([each] * count for each in scope), strict=True))
    for name, column in declared.items():
        convert = table.c[name].type.dialect_impl(dialect).bind_processor(dialect) or _same
        # Many rows hold the very same object (a deployment, a moment): it is looked at once.
        once = {id(value): value for value in columns[name]}
        once = {key: convert(schema.checked(kind, column, value)) for key, value in once.items()}
        given[name] = [once[id(value)] for value in columns[name]]
    statement = sa.insert(table).compile(dialect=dialect, column_keys=list(given))
    names = statement.positiontup or list(given)
    values = zip(*(given[name] for name in names), strict=True)
    if statement.positional:
        connection.exec_driver_sql(str(statement), list(values))
    else:
        connection.exec_driver_sql(str(statement), [dict(zip(names, row, strict=True)) for row in values])
    return count


def _same(value: Any) -> Any:
    return value


def conditions(
    kind: type[Record], scope: tuple[str, str], where: Mapping[str, Any], dialect: str
) -> list[sa.ColumnElement[bool]]:
    """What a row must satisfy: its scope, and each of `where`."""
    table = schema.table(kind)
    project, env = scope
    return [table.c.project == project, table.c.env == env] + [
        _condition(kind, name, value, dialect) for name, value in where.items()
    ]


def _condition(kind: type[Record], name: str, value: Any, dialect: str) -> sa.ColumnElement[bool]:
    """One keyword: `name=value`, `name=[...]`, `name__lt=value`."""
    plain, _, operator = name.partition("__")
    column = _column(kind, plain)
    target = schema.table(kind).c[plain]
    if operator:
        if operator not in _OPERATORS:
            raise TypeError(f"{kind.__name__} cannot be compared by {name!r}; there are: {', '.join(_OPERATORS)}.")
        return _OPERATORS[operator](target, None if value is None else schema.checked(kind, column, value))
    if isinstance(value, list | tuple | set | frozenset):
        return within(target, [schema.checked(kind, column, each) for each in value], dialect)
    return target.is_(None) if value is None else target == schema.checked(kind, column, value)


def within(target: sa.Column[Any], options: list[Any], dialect: str) -> sa.ColumnElement[bool]:
    """Whether the column is one of `options`, however many."""
    if len(options) <= _LONG:
        return target.in_(options)
    if dialect == "postgresql":
        return target == sa.any_(sa.bindparam(None, options, type_=sa.ARRAY(target.type)))
    plain = [schema.time_text(each) for each in options] if isinstance(target.type, schema.UtcDateTime) else options
    return target.in_(sa.select(sa.func.json_each(json.dumps(plain)).table_valued("value").c.value))


def _column(kind: type[Record], name: str) -> schema.Column:
    """The column that a query speaks about; a column of JSON cannot be compared."""
    column = schema.columns(kind).get(name)
    if column is None or column.is_json:
        there = ", ".join(each.name for each in schema.columns(kind).values() if not each.is_json)
        raise TypeError(f"{kind.__name__} cannot be searched by {name!r}; there are: {there}.")
    return column


def _order(kind: type[Record], order: str | Sequence[str], descending: bool) -> Iterable[sa.ColumnElement[Any]]:
    """The ORDER BY, the same on both databases."""
    table = schema.table(kind)
    for name in dict.fromkeys([*([order] if isinstance(order, str) else order), "id"]):
        column = _column(kind, name)
        term = table.c[name].desc() if descending else table.c[name].asc()
        if column.nullable:
            term = term.nulls_last() if descending else term.nulls_first()
        yield term
