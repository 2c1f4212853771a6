"""The provider's tables, which belong to no organization. Where one says a `kind`, its changes stand in `provider_changes`."""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from offhook.store.metadata import metadata, version

carriers = Table(
    "carriers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("host", String(45), nullable=False),
    Column("port", Integer, nullable=False),
    Column("sandbox", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    version(),
    UniqueConstraint("host", "port"),
    info={"kind": "carrier"},
)

# The history must not tell of two things by one number: SQLite would give that of a last row which was deleted to the next one.
provider_tokens = Table(
    "provider_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("label", String(100), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("made_at", Float(53), nullable=False),
    Column("expires_at", Float(53)),
    info={"kind": "provider_token", "secret": ("hash",)},
    sqlite_autoincrement=True,
)

# Without an organization: whoever has it makes one.
invitations = Table(
    "invitations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organization_id", Integer, ForeignKey("organizations.id")),
    Column("hash", String(64), nullable=False, unique=True),
    Column("username", String(64)),
    Column("email", String(254)),
    Column("made_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False),
    info={"kind": "invitation", "secret": ("hash",)},
    sqlite_autoincrement=True,
)

# One row: the last revision of what is the provider's own.
provider = Table(
    "provider",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
)

# The history of what is the provider's. An organization stands there by its number alone: it may be gone.
provider_changes = Table(
    "provider_changes",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("object_id", String(64), nullable=False),
    Column("organization_id", Integer),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("who", String(100), nullable=False),
    Column("at", Float(53), nullable=False),
    Index(None, "kind", "object_id", "revision"),
    Index(None, "organization_id"),
)

# Answers to what the provider asked with an idempotency key; those of organizations are in `answers`.
provider_answers = Table(
    "provider_answers",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Float(53), nullable=False),
)
