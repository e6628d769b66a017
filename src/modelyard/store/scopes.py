"""Which projects a home holds: for those who have the home and no checkout any more."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from modelyard.errors import InputError, NotFound
from modelyard.records import Declaration
from modelyard.store import home as homes
from modelyard.store import migrate, schema
from modelyard.store.database import Database


def projects(home: str | Path, *, env: str) -> list[str]:
    """The names of the projects that were applied in `env`; NotFound when there is no such home."""
    place = homes.parse(home)
    migrate.make_ready(place, create=False)
    database = Database(place)
    table = schema.table(Declaration)
    try:
        migrate.bring_up(database, create=False)
        with database.reading() as connection:
            found = connection.execute(
                sa.select(table.c.project).where(table.c.env == env).distinct().order_by(table.c.project)
            )
            return [row[0] for row in found]
    finally:
        database.close()


def only_project(home: str | Path, *, env: str) -> str:
    """The project of a home that holds just one; NotFound when it holds none, InputError when it holds several."""
    names = projects(home, env=env)
    if not names:
        raise NotFound(f"nothing has been applied to {homes.parse(home).shown} yet", hint="Run `yard apply` first.")
    if len(names) > 1:
        raise InputError(
            f"this home holds several projects: {', '.join(names)}", hint="Work in the folder of the one you mean."
        )
    return names[0]
