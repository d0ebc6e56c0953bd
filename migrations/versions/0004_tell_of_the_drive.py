"""Tell of the drive: its firmware, and the kinds of media it writes.

Revision 0004, after 0003. Additive.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recorder") as recorder:
        recorder.add_column(sa.Column("firmware", sa.String(length=64), server_default="", nullable=False))
        recorder.add_column(sa.Column("writes", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("recorder") as recorder:
        recorder.drop_column("writes")
        recorder.drop_column("firmware")
