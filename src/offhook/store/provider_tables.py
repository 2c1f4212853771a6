"""The provider's tables, which belong to no organization. Where one says a `kind`, its changes stand in `provider_changes`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

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

# The numbers that organizations may take. Who has one follows from `numbers`, whose rows point here.
stock = Table(
    "stock",
    metadata,
    Column("e164", String(16), primary_key=True),
    # NULL: nobody knows, as of numbers that were in use before there was a stock.
    Column("carrier", String(100), ForeignKey("carriers.name")),
    Column("country", String(2), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("locality", String(100), nullable=False),
    # Why it is not offered; NULL: it is.
    Column("withheld", String(200)),
    version(),
    CheckConstraint("kind IN ('geographic', 'toll_free', 'mobile', 'national')", name="kind"),
    Index(None, "country", "kind", "e164"),
    Index(None, "carrier", "e164"),
    info={"kind": "stock_number"},
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

# What the provider has said of a country; of most it has said nothing, and what is not said is NULL, or not in `services`.
countries = Table(
    "countries",
    metadata,
    Column("code", String(2), primary_key=True),
    Column("served", Boolean),
    Column("services", JSON, nullable=False),
    Column("currency", String(3)),
    version(),
    info={"kind": "country"},
)

products = Table(
    "products",
    metadata,
    Column("sku", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("name_en", String(100), nullable=False),
    Column("name_fr", String(100), nullable=False),
    Column("description_en", String(500), nullable=False),
    Column("description_fr", String(500), nullable=False),
    Column("needs", String(40)),
    Column("service", String(30)),
    version(),
    info={"kind": "product"},
)

# Rows are added, and removed before their moment; never changed. An empty country stands for all, so that the constraint holds for it too.
prices = Table(
    "prices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sku", String(40), ForeignKey("products.sku"), nullable=False),
    Column("country", String(2), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("period", String(10), nullable=False),
    Column("micros", BigInteger),
    Column("valid_from", Float(53), nullable=False),
    Column("made_up", Boolean, nullable=False),
    version(),
    UniqueConstraint("sku", "country", "currency", "period", "valid_from"),
    Index(None, "currency", "country"),
    info={"kind": "price"},
    sqlite_autoincrement=True,
)
