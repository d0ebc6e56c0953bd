"""Keep what audio discs and appended sessions need: a manifest's head, decoded files' origins, a disc's own master.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("manifest") as manifest:
        manifest.add_column(sa.Column("head", sa.Text(), nullable=True))
    with op.batch_alter_table("manifest_entry") as entry:
        entry.add_column(sa.Column("origin", sa.Text(), nullable=True))
        entry.add_column(sa.Column("origin_sha256", sa.String(length=64), nullable=True))
        entry.create_index("ix_manifest_entry_origin_sha256", ["origin_sha256"], unique=False)
    with op.batch_alter_table("attempt") as attempt:
        attempt.add_column(sa.Column("master_key", sa.String(length=64), nullable=True))
        attempt.add_column(sa.Column("first_block", sa.Integer(), nullable=True))


def downgrade() -> None:
    # Audio jobs and appended discs stay as rows; what they were made of can't be brought back.
    with op.batch_alter_table("attempt") as attempt:
        attempt.drop_column("first_block")
        attempt.drop_column("master_key")
    with op.batch_alter_table("manifest_entry") as entry:
        entry.drop_index("ix_manifest_entry_origin_sha256")
        entry.drop_column("origin_sha256")
        entry.drop_column("origin")
    with op.batch_alter_table("manifest") as manifest:
        manifest.drop_column("head")
