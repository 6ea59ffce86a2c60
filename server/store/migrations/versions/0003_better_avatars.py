"""Clips, better avatars and turntables: a consent names its enrollment, an avatar has a report, a job shows pictures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("avatars", schema=None) as batch_op:
        batch_op.add_column(sa.Column("turntable", sa.String(length=128), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("report", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("previews", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("job_id", sa.String(length=32), nullable=True))
        batch_op.create_index(batch_op.f("ix_consents_job_id"), ["job_id"], unique=False)
    # until now there was one enrollment an avatar
    op.execute("UPDATE consents SET job_id = (SELECT MAX(jobs.id) FROM jobs WHERE jobs.avatar_id = consents.avatar_id)")


def downgrade() -> None:
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consents_job_id"))
        batch_op.drop_column("job_id")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("previews")
    with op.batch_alter_table("avatars", schema=None) as batch_op:
        batch_op.drop_column("report")
        batch_op.drop_column("turntable")
