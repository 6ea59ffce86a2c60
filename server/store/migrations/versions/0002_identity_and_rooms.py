"""Rooms and their links, accounts at OpenID providers, removed room tokens, limits, and when somebody was last seen"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "external_identities",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("issuer", "subject", name="one_person_for_a_subject"),
    )
    op.create_index("ix_external_identities_person_id", "external_identities", ["person_id"])
    op.create_table(
        "rooms",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=32), nullable=True),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["people.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("host"),
        sa.UniqueConstraint("person"),
        sa.UniqueConstraint("viewer"),
    )
    op.create_index("ix_rooms_port", "rooms", ["port"])
    op.create_index("ix_rooms_owner_id", "rooms", ["owner_id"])
    op.create_table(
        "revoked_tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_revoked_tokens_until", "revoked_tokens", ["until"])
    op.create_table(
        "limits",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("avatars", sa.Integer(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("rooms", sa.Integer(), nullable=False),
        sa.Column("rooms_each", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column("people", sa.Column("seen", sa.Float(), nullable=False, server_default="0"))
    op.execute("UPDATE people SET seen = created")
    op.create_index("ix_people_seen", "people", ["seen"])


def downgrade() -> None:
    op.drop_index("ix_people_seen", "people")
    with op.batch_alter_table("people") as batch:
        batch.drop_column("seen")
    for table in ("limits", "revoked_tokens", "rooms", "external_identities"):
        op.drop_table(table)
