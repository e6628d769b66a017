"""Reading by example: `where` keywords become SQL, the same for both databases and for a transaction.

A statement is built once for each form of a question (which columns, compared how) and kept: building it takes three times
as long as asking it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, cast

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
# So many statements are kept.
_FORMS = 1024
Form = tuple[tuple[str, str], ...]
"""Per keyword of a question what is asked by it: "value", "null", "some" of a list, or "many"."""

P = ParamSpec("P")
T = TypeVar("T")


def _once(build: Callable[P, T]) -> Callable[P, T]:
    """Keep the statements that a function builds, by its arguments."""
    return cast(Callable[P, T], lru_cache(maxsize=_FORMS)(build))


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
    dialect = connection.dialect.name
    form, values = asked(kind, scope, where, dialect)
    by = (order,) if isinstance(order, str) else tuple(order)
    statement = _reading(kind, form, by, descending, limit is not None, dialect)
    found = connection.execute(statement, values if limit is None else {**values, "limit": limit})
    return [schema.from_row(kind, row) for row in found]


@_once
def _reading(
    kind: type[Record], form: Form, order: tuple[str, ...], descending: bool, limited: bool, dialect: str
) -> sa.Select[Any]:
    statement = sa.select(schema.table(kind)).where(*_conditions(kind, form, dialect))
    statement = statement.order_by(*_order(kind, order, descending))
    return statement.limit(sa.bindparam("limit", type_=sa.Integer())) if limited else statement


def read_columns(
    connection: sa.Connection,
    kind: type[Record],
    scope: tuple[str, str],
    where: Mapping[str, Any],
    names: Sequence[str],
) -> list[tuple[Any, ...]]:
    """Some columns of the records that satisfy `where`, by id."""
    form, values = asked(kind, scope, where, connection.dialect.name)
    statement = _reading_columns(kind, form, tuple(names), connection.dialect.name)
    return [tuple(row) for row in connection.execute(statement, values)]


@_once
def _reading_columns(kind: type[Record], form: Form, names: tuple[str, ...], dialect: str) -> sa.Select[Any]:
    table = schema.table(kind)
    statement = sa.select(*(table.c[name] for name in names)).order_by(table.c.id)
    return statement.where(*_conditions(kind, form, dialect))


@_once
def inserting(kind: type[Record]) -> sa.Insert:
    """The statement that adds a record; its columns are the parameters."""
    return sa.insert(schema.table(kind))


def change(
    connection: sa.Connection,
    kind: type[Record],
    scope: tuple[str, str],
    where: Mapping[str, Any],
    values: Mapping[str, Any],
) -> int:
    """Set `values` on the records that satisfy `where`; returns how many there were."""
    form, wanted = asked(kind, scope, where, connection.dialect.name)
    statement = _changing(kind, form, tuple(values), connection.dialect.name)
    return connection.execute(statement, {**wanted, **{f"to_{name}": values[name] for name in values}}).rowcount


@_once
def _changing(kind: type[Record], form: Form, names: tuple[str, ...], dialect: str) -> sa.Update:
    table = schema.table(kind)
    values = {name: sa.bindparam(f"to_{name}", type_=table.c[name].type) for name in names}
    return sa.update(table).where(*_conditions(kind, form, dialect)).values(values)


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
        convert = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        given[name] = _bound(kind, column, columns[name], convert)
    statement = sa.insert(table).compile(dialect=dialect, column_keys=list(given))
    names = statement.positiontup or list(given)
    values = zip(*(given[name] for name in names), strict=True)
    if statement.positional:
        connection.exec_driver_sql(str(statement), list(values))
    else:
        connection.exec_driver_sql(str(statement), [dict(zip(names, row, strict=True)) for row in values])
    return count


def _bound(
    kind: type[Record], column: schema.Column, values: Sequence[Any], convert: Callable[[Any], Any] | None
) -> Sequence[Any]:
    """The values of a column, checked, as the database takes them."""
    if not schema.plain(column, values):
        # Many rows hold the very same object (a label): it is looked at once.
        checked = {key: schema.checked(kind, column, each) for key, each in {id(each): each for each in values}.items()}
        values = [checked[id(each)] for each in values]
    if convert is None:
        return values
    if column.is_json:
        bound = {key: convert(each) for key, each in {id(each): each for each in values}.items()}
        return [bound[id(each)] for each in values]
    bound = {each: convert(each) for each in set(values)}
    return [bound[each] for each in values]


def asked(
    kind: type[Record], scope: tuple[str, str], where: Mapping[str, Any], dialect: str
) -> tuple[Form, dict[str, Any]]:
    """The form of a question (its scope aside), and the parameters of the statement that answers it."""
    form = []
    parameters: dict[str, Any] = within(scope)
    for name, value in where.items():
        column = _column(kind, name.partition("__")[0])
        how = "value"
        if value is None:
            how = "null"
        elif isinstance(value, list | tuple | set | frozenset) and "__" not in name:
            checked = [schema.checked(kind, column, each) for each in value]
            how = "some" if len(checked) <= _LONG else "many"
            parameters[f"of_{name}"] = together(checked, dialect) if how == "many" else checked
        else:
            parameters[f"of_{name}"] = schema.checked(kind, column, value)
        form.append((name, how))
    return tuple(form), parameters


def scoped(kind: type[Record], *, by_id: bool = False) -> list[sa.ColumnElement[bool]]:
    """That a row is of the scope which the parameters of `within` name.

    `by_id`: so that the database goes by ids. What came after a record is little; by an index that begins with the scope
    SQLite would go through all that ever came.
    """
    table = schema.table(kind)
    columns = (table.c[name] + "" if by_id else table.c[name] for name in ("project", "env"))
    return [column == sa.bindparam(f"in_{name}") for column, name in zip(columns, ("project", "env"), strict=True)]


def within(scope: tuple[str, str]) -> dict[str, Any]:
    """A scope (project, env) as parameters of a statement that is `scoped`."""
    return {"in_project": scope[0], "in_env": scope[1]}


def _conditions(kind: type[Record], form: Form, dialect: str) -> list[sa.ColumnElement[bool]]:
    """What a row must satisfy: its scope, and what each keyword says."""
    after = [name for name, _ in form] == ["id__gt"]
    return scoped(kind, by_id=after) + [_condition(kind, name, how, dialect) for name, how in form]


def _condition(kind: type[Record], name: str, how: str, dialect: str) -> sa.ColumnElement[bool]:
    """One keyword: `name=value`, `name=[...]`, `name__lt=value`."""
    plain, _, operator = name.partition("__")
    target = schema.table(kind).c[plain]
    if operator:
        if operator not in _OPERATORS:
            raise TypeError(f"{kind.__name__} cannot be compared by {name!r}; there are: {', '.join(_OPERATORS)}.")
        return _OPERATORS[operator](target, None if how == "null" else sa.bindparam(f"of_{name}"))
    if how == "some":
        return target.in_(sa.bindparam(f"of_{name}", expanding=True))
    if how == "many":
        return one_of(target, f"of_{name}", dialect)
    return target.is_(None) if how == "null" else target == sa.bindparam(f"of_{name}")


def one_of(target: sa.Column[Any], name: str, dialect: str) -> sa.ColumnElement[bool]:
    """Whether the column is one of many options, which travel `together` as the parameter `name`."""
    if dialect == "postgresql":
        return target == sa.any_(sa.bindparam(name, type_=sa.ARRAY(target.type)))
    options = sa.bindparam(name, type_=sa.Text())
    return target.in_(sa.select(sa.func.json_each(options).table_valued("value").c.value))


def together(options: list[Any], dialect: str) -> Any:
    """Many options as one value."""
    if dialect == "postgresql":
        return options
    return json.dumps([schema.time_text(each) if isinstance(each, datetime) else each for each in options])


def _column(kind: type[Record], name: str) -> schema.Column:
    """The column that a query speaks about; a column of JSON cannot be compared."""
    column = schema.columns(kind).get(name)
    if column is None or column.is_json:
        there = ", ".join(each.name for each in schema.columns(kind).values() if not each.is_json)
        raise TypeError(f"{kind.__name__} cannot be searched by {name!r}; there are: {there}.")
    return column


def _order(kind: type[Record], order: Sequence[str], descending: bool) -> Iterable[sa.ColumnElement[Any]]:
    """The ORDER BY, the same on both databases."""
    table = schema.table(kind)
    for name in dict.fromkeys([*order, "id"]):
        column = _column(kind, name)
        term = table.c[name].desc() if descending else table.c[name].asc()
        if column.nullable:
            term = term.nulls_last() if descending else term.nulls_first()
        yield term
