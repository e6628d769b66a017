"""What a request is about in detail: what served when it was asked for."""

import sqlalchemy as sa
from alembic import op

from modelyard.store.schema import Json

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A new column; older requests have nothing in it."""
    op.add_column("requests", sa.Column("detail", Json(), nullable=False, server_default="{}"))
    with op.batch_alter_table("requests") as table:
        table.alter_column("detail", existing_type=Json(), existing_nullable=False, server_default=None)
