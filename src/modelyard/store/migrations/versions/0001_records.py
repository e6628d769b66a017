"""The records of the spine."""

import sqlalchemy as sa
from alembic import op

from modelyard.store.schema import ID, TEXT, Json, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Expand: what the release before still reads stays."""
    op.create_table(
        "aliases",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("alias", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aliases")),
        sa.UniqueConstraint("project", "env", "model", "alias", name="uq_aliases_model_alias"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("release", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("decision", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("project", "env", "release", "actor", name="uq_approvals_release_actor"),
    )
    op.create_table(
        "audits",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("detail", Json(), nullable=False),
        sa.Column("previous", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audits")),
        sa.UniqueConstraint("project", "env", "sequence", name="uq_audits_sequence"),
    )
    op.create_index("ix_audits_action_at", "audits", ["project", "env", "action", "at"], unique=False)
    op.create_table(
        "declarations",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("spec", Json(), nullable=False),
        sa.Column("fingerprints", Json(), nullable=False),
        sa.Column("directory", TEXT, nullable=False),
        sa.Column("tree", TEXT, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declarations")),
    )
    op.create_table(
        "deployments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("routes", Json(), nullable=False),
        sa.Column("rollout", Json(), nullable=False),
        sa.Column("policy", Json(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("project", "env", "name", name="uq_deployments_name"),
    )
    op.create_table(
        "labels",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("deployment", TEXT, nullable=False),
        sa.Column("request_id", TEXT, nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("label", Json(), nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("received", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint(
            "project",
            "env",
            "deployment",
            "request_id",
            "row",
            "key",
            "sequence",
            name="uq_labels_deployment_request_id_row_key_sequence",
        ),
    )
    op.create_index("ix_labels_deployment_time", "labels", ["project", "env", "deployment", "time"], unique=False)
    op.create_table(
        "leases",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leases")),
        sa.UniqueConstraint("project", "env", "name", name="uq_leases_name"),
    )
    op.create_table(
        "marks",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", Json(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_marks")),
        sa.UniqueConstraint("project", "env", "name", name="uq_marks_name"),
    )
    op.create_table(
        "observations",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("monitor", TEXT, nullable=False),
        sa.Column("deployment", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("end", UtcDateTime(), nullable=False),
        sa.Column("level", TEXT, nullable=False),
        sa.Column("says", TEXT, nullable=False),
        sa.Column("detail", Json(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
        sa.UniqueConstraint(
            "project", "env", "monitor", "kind", "start", "end", name="uq_observations_monitor_kind_start_end"
        ),
    )
    op.create_index("ix_observations_monitor_end", "observations", ["project", "env", "monitor", "end"], unique=False)
    op.create_table(
        "releases",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("as_of", UtcDateTime(), nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("project", "env", "model", "number", name="uq_releases_model_number"),
    )
    op.create_index("ix_releases_digest", "releases", ["project", "env", "digest"], unique=False)
    op.create_table(
        "requests",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint("project", "env", "key", name="uq_requests_key"),
    )
    op.create_index("ix_requests_subject_state", "requests", ["project", "env", "subject", "state"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("started", UtcDateTime(), nullable=False),
        sa.Column("ended", UtcDateTime(), nullable=True),
        sa.Column("as_of", UtcDateTime(), nullable=False),
        sa.Column("params", Json(), nullable=False),
        sa.Column("metrics", Json(), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("mlflow_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("project", "env", "key", name="uq_runs_key"),
    )
    op.create_table(
        "segments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("deployment", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("end", UtcDateTime(), nullable=False),
        sa.Column("table_version", sa.BigInteger(), nullable=False),
        sa.Column("profile", TEXT, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("project", "env", "deployment", "name", name="uq_segments_deployment_name"),
    )
    op.create_index("ix_segments_deployment_end", "segments", ["project", "env", "deployment", "end"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("check", TEXT, nullable=False),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("says", TEXT, nullable=False),
        sa.Column("detail", Json(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    op.create_index("ix_verdicts_subject", "verdicts", ["project", "env", "subject"], unique=False)
    op.create_table(
        "versions",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("project", TEXT, nullable=False),
        sa.Column("env", TEXT, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("as_of", UtcDateTime(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint("project", "env", "entity", "number", name="uq_versions_entity_number"),
    )
    op.create_index("ix_versions_entity_digest", "versions", ["project", "env", "entity", "digest"], unique=False)
