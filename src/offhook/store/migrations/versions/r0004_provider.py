"""The provider: its history, its keys; invitations into an organization that is there; tokens and invitations that can be told apart."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Its history begins here."""
    op.add_column("carriers", sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    _history()
    _tokens()
    _invitations()
    op.create_table(
        "provider_answers",
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_provider_answers"),
    )


def _history() -> None:
    op.create_table(
        "provider",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provider"),
    )
    op.execute("INSERT INTO provider (id, revision) VALUES (1, 0)")
    op.create_table(
        "provider_changes",
        sa.Column("revision", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("object_id", sa.String(64), nullable=False),
        sa.Column("organization_id", sa.Integer),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
        sa.Column("who", sa.String(100), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("revision", "seq", name="pk_provider_changes"),
    )
    op.create_index("ix_provider_changes_kind_object_id_revision", "provider_changes", ["kind", "object_id", "revision"])
    op.create_index("ix_provider_changes_organization_id", "provider_changes", ["organization_id"])


def _tokens() -> None:
    op.rename_table("provider_tokens", "provider_tokens_before")
    op.create_table(
        "provider_tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("made_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53)),
        sa.PrimaryKeyConstraint("id", name="pk_provider_tokens_numbered"),
        sa.UniqueConstraint("hash", name="uq_provider_tokens_hash"),
        sqlite_autoincrement=True,
    )
    _copied("provider_tokens", "hash, label, expires_at")


def _invitations() -> None:
    op.rename_table("invitations", "invitations_before")
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("username", sa.String(64)),
        sa.Column("email", sa.String(254)),
        sa.Column("made_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invitations_numbered"),
        sa.UniqueConstraint("hash", name="uq_invitations_hash"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="fk_invitations_organization_id"),
        sqlite_autoincrement=True,
    )
    _copied("invitations", "hash, expires_at")


def _copied(table: str, columns: str) -> None:
    """The rows of before, made now: when they were was not kept."""
    made = sa.text(f"INSERT INTO {table} ({columns}, made_at) SELECT {columns}, :now FROM {table}_before")
    op.get_bind().execute(made, {"now": time.time()})
    op.drop_table(f"{table}_before")
