"""Alembic's entry: runs within the transaction it is given in `config.attributes["connection"]`."""

from typing import Any, Literal

from alembic import context

from modelyard.store.migrations import VERSION_TABLE
from modelyard.store.schema import ID, METADATA, TEXT, Json, UtcDateTime


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our column types by their short names."""
    if kind == "type" and isinstance(item, UtcDateTime | Json):
        return f"{type(item).__name__}()"
    return next((name for name, ours in (("TEXT", TEXT), ("ID", ID)) if kind == "type" and item is ours), False)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    # One transaction around all: the caller's. SQLite can do it because that one was begun by us.
    transactional_ddl=True,
    render_item=render,
)
context.run_migrations()
