"""Alerts, and the outbox of what people are told about them."""

import sqlalchemy as sa
from alembic import op

from modelyard.store.schema import ID, TEXT, Json, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Two new tables."""
    op.create_table(
        "alerts",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("level", TEXT, nullable=False),
        sa.Column("priority", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("says", TEXT, nullable=False),
        sa.Column("watched", Json(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("changed", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("project", "env", "key", name="uq_alerts_key"),
    )
    op.create_index("ix_alerts_cause_state", "alerts", ["project", "env", "cause", "state"], unique=False)
    op.create_index("ix_alerts_state", "alerts", ["project", "env", "state"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("alert", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("project", "env", "key", name="uq_messages_key"),
    )
    op.create_index("ix_messages_alert", "messages", ["project", "env", "alert"], unique=False)
    op.create_index("ix_messages_state_due", "messages", ["project", "env", "state", "due"], unique=False)
