"""${message}.

Revision ${up_revision}, after ${down_revision | comma,n}, ${create_date.date()}.
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
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
