"""Tell machines: an outbox for webhooks, counts for monitors, and which dispatchers live.

Revision 0003, after 0002. Additive.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("webhook", sa.Text(), nullable=True))

    op.create_table(
        "delivery",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_delivery_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    op.create_index(op.f("ix_delivery_job_id"), "delivery", ["job_id"], unique=False)
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("delivered IS NULL AND given_up IS NULL"),
        postgresql_where=sa.text("delivered IS NULL AND given_up IS NULL"),
    )

    op.create_table(
        "tally",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("recorder", sa.String(length=64), nullable=False),
        sa.Column("bucket", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "recorder", "bucket", name=op.f("pk_tally")),
    )

    op.create_table(
        "service",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service")),
    )


def downgrade() -> None:
    # What was counted, and what was still to be told, can't be brought back.
    op.drop_table("service")
    op.drop_table("tally")
    op.drop_table("delivery")
    with op.batch_alter_table("job") as job:
        job.drop_column("webhook")
