"""Make the tables.

Revision 0001, the first.
"""

# Rules of this folder:
# - One change a file; a released one is never edited.
# - Reversible: `downgrade` undoes `upgrade`, and says in a comment what can't be brought back.
# - Tables are spelled out: plain sa types, every constraint and index by name, nothing imported from `models`.
# - An existing table is altered with `op.batch_alter_table`; its rows and indexes stay. SQLite, though, forgets the
#   DESC in `ix_copy_next` where it makes `copy` anew: drop that index before, create it after.
# - `alembic -x url=... revision --autogenerate` is to be asked on PostgreSQL, for the same reason.
# - The same file runs on SQLite and PostgreSQL.

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("copy", sa.Integer(), nullable=True),
        sa.Column("attempt_id", sa.String(length=36), nullable=True),
        sa.Column("recorder", sa.String(length=64), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_job_id_id"), "event", ["job_id", "id"], unique=False)

    op.create_table(
        "manifest",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifest")),
        sa.UniqueConstraint("sha256", name=op.f("uq_manifest_sha256")),
    )

    op.create_table(
        "recorder",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("machine_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=255), nullable=False),
        sa.Column("vendor", sa.String(length=64), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("intent", sa.String(length=16), nullable=False),
        sa.Column("condition", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("attention", sa.Text(), nullable=True),
        sa.Column("attention_ends_with_medium", sa.Boolean(), nullable=False),
        sa.Column("spoiled_in_row", sa.Integer(), nullable=False),
        sa.Column("cleared", sa.DateTime(timezone=True), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("heartbeat", sa.Integer(), nullable=False),
        sa.Column("medium_kind", sa.String(length=16), nullable=True),
        sa.Column("medium_status", sa.String(length=16), nullable=True),
        sa.Column("medium_capacity", sa.Integer(), nullable=True),
        sa.Column("medium_free_blocks", sa.Integer(), nullable=True),
        sa.Column("medium_used", sa.Boolean(), nullable=False),
        sa.Column("medium_id", sa.String(length=64), nullable=True),
        sa.Column("medium_erases", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recorder")),
    )

    op.create_table(
        "job",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("order_sha256", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("manifest_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("medium", sa.String(length=16), nullable=False),
        sa.Column("volume_id", sa.String(length=32), nullable=False),
        sa.Column("udf", sa.Boolean(), nullable=True),
        sa.Column("master_key", sa.String(length=64), nullable=False),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("block_size", sa.Integer(), nullable=False),
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("speed", sa.Double(), nullable=True),
        sa.Column("simulate", sa.Boolean(), nullable=False),
        sa.Column("verify", sa.Boolean(), nullable=False),
        sa.Column("nonblank", sa.String(length=16), nullable=False),
        sa.Column("max_spoiled", sa.Integer(), nullable=False),
        sa.Column("forgiven", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("copies >= 1", name=op.f("ck_job_copies_at_least_one")),
        sa.CheckConstraint("priority BETWEEN 0 AND 9", name=op.f("ck_job_priority_range")),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name=op.f("fk_job_manifest_id_manifest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("client", "key", name=op.f("uq_job_client_key")),
    )
    op.create_index(op.f("ix_job_manifest_id"), "job", ["manifest_id"], unique=False)
    op.create_index(op.f("ix_job_state_id"), "job", ["state", "id"], unique=False)

    op.create_table(
        "manifest_entry",
        sa.Column("manifest_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("source_mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name=op.f("fk_manifest_entry_manifest_id_manifest")),
        sa.PrimaryKeyConstraint("manifest_id", "position", name=op.f("pk_manifest_entry")),
    )
    op.create_index(op.f("ix_manifest_entry_name"), "manifest_entry", ["name"], unique=False)
    op.create_index(op.f("ix_manifest_entry_sha256"), "manifest_entry", ["sha256"], unique=False)

    op.create_table(
        "copy",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("media_class", sa.String(length=48), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_copy_number_at_least_one")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_copy_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_copy")),
        sa.UniqueConstraint("job_id", "number", name=op.f("uq_copy_job_id_number")),
    )
    op.create_index(op.f("ix_copy_job_id_state"), "copy", ["job_id", "state"], unique=False)
    op.create_index(
        "ix_copy_next",
        "copy",
        ["media_class", sa.literal_column("priority DESC"), "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued' AND NOT held"),
        postgresql_where=sa.text("state = 'queued' AND NOT held"),
    )

    op.create_table(
        "recorder_request",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorder", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_recorder_request_job_id_job")),
        sa.ForeignKeyConstraint(["recorder"], ["recorder.name"], name=op.f("fk_recorder_request_recorder_recorder")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recorder_request")),
    )
    op.create_index(
        op.f("ix_recorder_request_recorder_answered"), "recorder_request", ["recorder", "answered"], unique=False
    )

    op.create_table(
        "attempt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("copy_id", sa.Integer(), nullable=False),
        sa.Column("recorder", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=True),
        sa.Column("medium_kind", sa.String(length=16), nullable=True),
        sa.Column("medium_id", sa.String(length=64), nullable=True),
        sa.Column("medium_erases", sa.Integer(), nullable=True),
        sa.Column("medium_session", sa.Integer(), nullable=True),
        sa.Column("blocks_done", sa.Integer(), nullable=False),
        sa.Column("blocks_total", sa.Integer(), nullable=False),
        sa.Column("speed_x", sa.Double(), nullable=True),
        sa.Column("image_sha256", sa.String(length=64), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_remedy", sa.String(length=32), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ejected", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["copy_id"], ["copy.id"], name=op.f("fk_attempt_copy_id_copy")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_attempt_job_id_job")),
        sa.ForeignKeyConstraint(["recorder"], ["recorder.name"], name=op.f("fk_attempt_recorder_recorder")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_copy_id"), "attempt", ["copy_id"], unique=False)
    op.create_index(op.f("ix_attempt_job_id_outcome"), "attempt", ["job_id", "outcome"], unique=False)
    op.create_index(op.f("ix_attempt_recorder_id"), "attempt", ["recorder", "id"], unique=False)
    op.create_index(op.f("ix_attempt_recorder_outcome"), "attempt", ["recorder", "outcome"], unique=False)
    op.create_index(
        "uq_attempt_copy_good",
        "attempt",
        ["copy_id"],
        unique=True,
        sqlite_where=sa.text("outcome = 'good'"),
        postgresql_where=sa.text("outcome = 'good'"),
    )
    op.create_index(
        "uq_attempt_copy_unsettled",
        "attempt",
        ["copy_id"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_index(
        "uq_attempt_medium",
        "attempt",
        ["medium_id", "medium_erases", "medium_session"],
        unique=True,
        sqlite_where=sa.text("medium_id IS NOT NULL AND (outcome IS NULL OR outcome NOT IN ('unused', 'simulated'))"),
        postgresql_where=sa.text(
            "medium_id IS NOT NULL AND (outcome IS NULL OR outcome NOT IN ('unused', 'simulated'))"
        ),
    )
    op.create_index(
        "uq_attempt_recorder_unsettled",
        "attempt",
        ["recorder"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("attempt")
    op.drop_table("recorder_request")
    op.drop_table("copy")
    op.drop_table("manifest_entry")
    op.drop_table("job")
    op.drop_table("recorder")
    op.drop_table("manifest")
    op.drop_table("event")
