"""Mail that is on its way, of organizations and of the provider; revisions that greet nobody. What the provider's tokens may do."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody is told of what was before: reading begins when a mail server is named. Tokens may do what they could."""
    op.add_column("provider_tokens", sa.Column("scopes", sa.JSON, nullable=False, server_default=sa.text("'[\"*\"]'")))
    op.create_table(
        "mails",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        *_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="fk_mails_organization_id"),
        sa.UniqueConstraint("organization_id", "id", name="uq_mails_organization_id_id"),
        sa.UniqueConstraint("organization_id", "event", "kind", "recipient", name="uq_mails_organization_id_event_kind_recipient"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mails_state_organization_id_next_at", "mails", ["state", "organization_id", "next_at"])
    op.create_table(
        "provider_mails",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer),
        *_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_provider_mails"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="fk_provider_mails_organization_id"),
        sa.UniqueConstraint("event", "kind", "recipient", name="uq_provider_mails_event_kind_recipient"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_provider_mails_state_next_at", "provider_mails", ["state", "next_at"])
    op.create_index("ix_provider_mails_organization_id", "provider_mails", ["organization_id"])
    op.create_table(
        "quiet_revisions",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "revision", name="pk_quiet_revisions"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="fk_quiet_revisions_organization_id"),
    )


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("sealed", sa.Text),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Float(53), nullable=False),
        sa.Column("made_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.Column("last_error", sa.Text),
    ]
