"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Everything of the first release. There is no way down: a release that came later is left by restoring a backup."""
    _tenants()
    _people()
    _attendants()
    _providers()
    _what_happened()


def _tenant() -> sa.Column[int]:
    return sa.Column("organization_id", sa.Integer, nullable=False)


def _of_organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=f"fk_{table}_organization_id")


def _inside(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    columns = ["organization_id", column]
    return sa.ForeignKeyConstraint(columns, [f"{target}.organization_id", f"{target}.id"], name=f"fk_{table}_organization_id_{column}")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _tenants() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("domain", sa.String(253), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("main_number", sa.String(16)),
        sa.Column("revision", sa.Integer, nullable=False),
        _key("organizations", "id"),
        _unique("organizations", "domain"),
    )
    op.create_table(
        "changes",
        _tenant(),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("object_id", sa.String(64), nullable=False),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
        sa.Column("who", sa.String(100), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        _key("changes", "organization_id", "revision", "seq"),
        _of_organization("changes"),
    )


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        _tenant(),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("extension", sa.String(6)),
        _key("users", "id"),
        _of_organization("users"),
        _unique("users", "organization_id", "id"),
        _unique("users", "organization_id", "username"),
        _unique("users", "organization_id", "extension"),
    )
    op.create_table(
        "credentials",
        _tenant(),
        sa.Column("user_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("ha1_md5", sa.String(32), nullable=False),
        sa.Column("ha1_sha256", sa.String(64), nullable=False),
        _key("credentials", "user_id"),
        _of_organization("credentials"),
        _inside("credentials", "user_id", "users"),
    )
    op.create_table(
        "numbers",
        sa.Column("e164", sa.String(16), nullable=False),
        _tenant(),
        sa.Column("target_kind", sa.String(20), nullable=False),
        sa.Column("target_id", sa.Integer, nullable=False),
        _key("numbers", "e164"),
        _of_organization("numbers"),
        sa.CheckConstraint("target_kind IN ('user', 'attendant')", name="ck_numbers_target_kind"),
    )
    op.create_index("ix_numbers_organization_id_target_kind_target_id", "numbers", ["organization_id", "target_kind", "target_id"])


def _attendants() -> None:
    op.create_table(
        "attendants",
        sa.Column("id", sa.Integer, nullable=False),
        _tenant(),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("extension", sa.String(6), nullable=False),
        sa.Column("greeting", sa.Text, nullable=False),
        sa.Column("rounds", sa.Integer, nullable=False),
        sa.Column("patience_seconds", sa.Integer, nullable=False),
        _key("attendants", "id"),
        _of_organization("attendants"),
        _unique("attendants", "organization_id", "id"),
        _unique("attendants", "organization_id", "name"),
        _unique("attendants", "organization_id", "extension"),
    )
    op.create_table(
        "attendant_keys",
        _tenant(),
        sa.Column("attendant_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("key", sa.String(1), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        _key("attendant_keys", "attendant_id", "key"),
        _of_organization("attendant_keys"),
        _inside("attendant_keys", "attendant_id", "attendants"),
        _inside("attendant_keys", "user_id", "users"),
    )


def _providers() -> None:
    op.create_table(
        "carriers",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("host", sa.String(45), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        _key("carriers", "name"),
        _unique("carriers", "host", "port"),
    )
    op.create_table(
        "tokens",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("organization_id", sa.Integer),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("expires_at", sa.Float(53)),
        _key("tokens", "hash"),
        _of_organization("tokens"),
    )
    op.create_table(
        "invitations",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        _key("invitations", "hash"),
    )


def _what_happened() -> None:
    op.create_table(
        "cdrs",
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("organization_id", sa.Integer),
        sa.Column("revision", sa.Integer),
        sa.Column("started_at", sa.Float(53), nullable=False),
        sa.Column("answered_at", sa.Float(53)),
        sa.Column("ended_at", sa.Float(53), nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("dialled", sa.Text, nullable=False),
        sa.Column("connected", sa.Text),
        sa.Column("direction", sa.String(20), nullable=False),
        sa.Column("ending", sa.String(60), nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("findings", sa.JSON, nullable=False),
        _key("cdrs", "call"),
    )
    op.create_index("ix_cdrs_organization_id_call", "cdrs", ["organization_id", "call"])
    op.create_table(
        "traces",
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("organization_id", sa.Integer),
        sa.Column("packed", sa.LargeBinary, nullable=False),
        _key("traces", "call"),
        sa.ForeignKeyConstraint(["call"], ["cdrs.call"], name="fk_traces_call"),
    )
