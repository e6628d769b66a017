"""Values of business figures."""

import sqlalchemy as sa
from alembic import op

from modelyard.store.schema import ID, TEXT, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A new table."""
    op.create_table(
        "kpi_values",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("kpi", TEXT, nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("arm", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("received", UtcDateTime(), nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kpi_values")),
        sa.UniqueConstraint(
            "project", "env", "kpi", "time", "arm", "sequence", name="uq_kpi_values_kpi_time_arm_sequence"
        ),
    )
