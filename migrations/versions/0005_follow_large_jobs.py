"""Let a job of 100,000 discs be looked at: its newest attempts, and those behind one of them, through an index.

Revision 0005, after 0004. Additive.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_attempt_job_id_id"), "attempt", ["job_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_attempt_job_id_id"), table_name="attempt")
