"""${message}."""

import sqlalchemy as sa
from alembic import op

from modelyard.store.schema import ID, TEXT, Json, UtcDateTime

revision = "${up_revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
    """Expand: what the release before still reads stays."""
    ${upgrades if upgrades else "pass"}
