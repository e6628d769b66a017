"""The process' only DuckDB instance: a new one takes longer than most questions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import duckdb


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for one question; its temporary tables are its own, and end with it."""
    with cursor() as connection:
        yield connection


def cursor() -> duckdb.DuckDBPyConnection:
    """A connection of one's own, with times in UTC."""
    connection = _instance().cursor()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    # Windows are small: threads that wait for each other cost more than they save.
    return duckdb.connect(":memory:", config={"threads": 1})
