"""The tables, as the code sees them; migrations/ makes them.

A tenant's table has organization_id NOT NULL and is reached through scope.Scope only. One that says a `kind` is configuration: each change
of a row stands in the history under that kind, whole but for what is `secret` (told as "set") or `left_out`, and the row's `version` is the
revision of its last change.

References inside an organization name the organization too, so that the database itself refuses a row that points into another one.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from offhook.store.mail_tables import mails as mails
from offhook.store.mail_tables import provider_mails as provider_mails
from offhook.store.mail_tables import quiet_revisions as quiet_revisions
from offhook.store.metadata import metadata as metadata
from offhook.store.metadata import version
from offhook.store.provider_tables import carriers as carriers
from offhook.store.provider_tables import countries as countries
from offhook.store.provider_tables import invitations as invitations
from offhook.store.provider_tables import prices as prices
from offhook.store.provider_tables import products as products
from offhook.store.provider_tables import provider as provider
from offhook.store.provider_tables import provider_answers as provider_answers
from offhook.store.provider_tables import provider_changes as provider_changes
from offhook.store.provider_tables import provider_tokens as provider_tokens
from offhook.store.provider_tables import stock as stock


def _tenant() -> Column[int]:
    return Column("organization_id", Integer, ForeignKey("organizations.id"), nullable=False)


organizations = Table(
    "organizations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("domain", String(253), nullable=False, unique=True),
    Column("country", String(2), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("main_number", String(16)),
    Column("revision", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    # The first revision whose history is whole: what was before it was written down in another form.
    Column("whole_since", Integer, nullable=False),
    # Since when it is no tenant any more; the row stays, so that nobody else gets its number. Without a name: its records are erased too.
    Column("closed_at", Float(53)),
    # Since when nothing is left of it but history and call records: its rows go a few at a time, after it is closed.
    Column("emptied_at", Float(53)),
    info={"kind": "organization", "left_out": ("revision", "whole_since", "emptied_at")},
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("username", String(64), nullable=False),
    Column("name", String(100), nullable=False),
    Column("language", String(35), nullable=False),
    Column("extension", String(6)),
    Column("email", String(254)),
    Column("location", String(2), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("role", String(20)),
    version(),
    UniqueConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "username"),
    UniqueConstraint("organization_id", "extension"),
    Index(None, "organization_id", "name", "username"),
    info={"kind": "user"},
)

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("user_id", Integer, nullable=False),
    Column("name", String(100), nullable=False),
    Column("sip_username", String(70), nullable=False),
    Column("ha1_md5", String(32), nullable=False),
    Column("ha1_sha256", String(64), nullable=False),
    version(),
    UniqueConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "sip_username"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["users.organization_id", "users.id"]),
    Index(None, "organization_id", "user_id"),
    # An HA1 is as good as the password for whoever can read the history.
    info={"kind": "device", "secret": ("ha1_md5", "ha1_sha256")},
)

# For people who sign in. Argon2id, RFC 9106.
passwords = Table(
    "passwords",
    metadata,
    _tenant(),
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(200), nullable=False),
    version(),
    ForeignKeyConstraint(["organization_id", "user_id"], ["users.organization_id", "users.id"]),
    info={"kind": "password", "secret": ("hash",)},
)

attendants = Table(
    "attendants",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("name", String(100), nullable=False),
    Column("language", String(35), nullable=False),
    Column("extension", String(6), nullable=False),
    Column("greeting", Text, nullable=False),
    Column("rounds", Integer, nullable=False),
    Column("patience_seconds", Integer, nullable=False),
    version(),
    UniqueConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "name"),
    UniqueConstraint("organization_id", "extension"),
    info={"kind": "attendant"},
)

attendant_keys = Table(
    "attendant_keys",
    metadata,
    _tenant(),
    Column("attendant_id", Integer, primary_key=True, autoincrement=False),
    Column("key", String(1), primary_key=True),
    Column("user_id", Integer, nullable=False),
    version(),
    ForeignKeyConstraint(["organization_id", "attendant_id"], ["attendants.organization_id", "attendants.id"]),
    ForeignKeyConstraint(["organization_id", "user_id"], ["users.organization_id", "users.id"]),
    # Whoever removes a user asks whether a key leads there, and so does the database itself.
    Index(None, "organization_id", "user_id"),
    info={"kind": "attendant_key"},
)

numbers = Table(
    "numbers",
    metadata,
    # Only what stands in the provider's stock, and it stays there as long as somebody has it.
    Column("e164", String(16), ForeignKey("stock.e164", ondelete="RESTRICT"), primary_key=True),
    _tenant(),
    # Both NULL: the organization has the number and has given it to nobody yet.
    Column("target_kind", String(20)),
    Column("target_id", Integer),
    version(),
    CheckConstraint("target_kind IN ('user', 'attendant')", name="target_kind"),
    Index(None, "organization_id", "target_kind", "target_id"),
    Index(None, "organization_id", "e164"),
    info={"kind": "number"},
)

# One of a user is a session: no configuration, so it stands in no history and takes no revision (docs/decisions/0038).
tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("hash", String(64), nullable=False, unique=True),
    Column("user_id", Integer),
    Column("label", String(100), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("made_at", Float(53), nullable=False),
    Column("expires_at", Float(53)),
    version(),
    UniqueConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "user_id"], ["users.organization_id", "users.id"]),
    Index(None, "organization_id", "user_id"),
    info={"kind": "token", "secret": ("hash",)},
)

changes = Table(
    "changes",
    metadata,
    Column("organization_id", Integer, ForeignKey("organizations.id"), primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("object_id", String(64), nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("who", String(100), nullable=False),
    Column("at", Float(53), nullable=False),
    Index(None, "organization_id", "kind", "object_id", "revision"),
    Index(None, "organization_id", "at", "revision"),
    Index(None, "organization_id", "who", "revision"),
)

# How far each reader of the history has come: the switch, the edge, webhooks, mail.
cursors = Table(
    "cursors",
    metadata,
    _tenant(),
    Column("consumer", String(40), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("at", Float(53), nullable=False),
    PrimaryKeyConstraint("organization_id", "consumer"),
)

# Work on many objects at once. What is wanted is kept, so that a job that was stopped goes on where it was.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("kind", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("who", String(100), nullable=False),
    Column("made_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    # How many rows had each result.
    Column("results", JSON, nullable=False),
    # The last revision that it made.
    Column("revision", Integer),
    Column("explanation", Text),
    Column("options", JSON, nullable=False),
    UniqueConstraint("organization_id", "id"),
    Index(None, "state", "organization_id"),
)

# Apart, so that whoever looks at jobs reads no megabytes.
job_inputs = Table(
    "job_inputs",
    metadata,
    _tenant(),
    Column("job_id", Integer, primary_key=True, autoincrement=False),
    Column("wanted", LargeBinary, nullable=False),
    ForeignKeyConstraint(["organization_id", "job_id"], ["jobs.organization_id", "jobs.id"]),
)

job_rows = Table(
    "job_rows",
    metadata,
    _tenant(),
    Column("job_id", Integer, primary_key=True, autoincrement=False),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("state", String(20), nullable=False),
    Column("object_id", String(64)),
    Column("code", String(40)),
    Column("field", String(40)),
    Column("explanation", Text),
    ForeignKeyConstraint(["organization_id", "job_id"], ["jobs.organization_id", "jobs.id"]),
)

# Answers to requests that named an idempotency key, so that the same request asked again is not done again.
answers = Table(
    "answers",
    metadata,
    _tenant(),
    Column("key", String(100), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Float(53), nullable=False),
    PrimaryKeyConstraint("organization_id", "key"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("url", String(2000), nullable=False),
    Column("events", JSON, nullable=False),
    Column("secret", String(400), nullable=False),
    Column("enabled", Boolean, nullable=False),
    version(),
    UniqueConstraint("organization_id", "id"),
    info={"kind": "webhook", "secret": ("secret",)},
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("webhook_id", Integer, nullable=False),
    Column("event", String(64), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float(53), nullable=False),
    Column("made_at", Float(53), nullable=False),
    Column("last_status", Integer),
    Column("last_error", Text),
    UniqueConstraint("organization_id", "webhook_id", "event"),
    ForeignKeyConstraint(["organization_id", "webhook_id"], ["webhooks.organization_id", "webhooks.id"]),
    Index(None, "state", "next_at"),
    Index(None, "organization_id", "webhook_id", "state", "made_at"),
)

# Calls outlive what they happened to: no reference to the organization, and NULL when a call could be given to none.
cdrs = Table(
    "cdrs",
    metadata,
    Column("call", String(32), primary_key=True),
    Column("organization_id", Integer),
    Column("revision", Integer),
    Column("started_at", Float(53), nullable=False),
    Column("answered_at", Float(53)),
    Column("ended_at", Float(53), nullable=False),
    Column("caller", Text, nullable=False),
    Column("dialled", Text, nullable=False),
    Column("connected", Text),
    Column("direction", String(20), nullable=False),
    Column("ending", String(60), nullable=False),
    Column("figures", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    # When it was written down: calls begin and end in another order than they are written in, so this is what a reader goes by.
    Column("kept_at", Float(53)),
    Index(None, "organization_id", "call"),
    Index(None, "organization_id", "ending", "call"),
    Index(None, "organization_id", "kept_at"),
)

traces = Table(
    "traces",
    metadata,
    Column("call", String(32), ForeignKey("cdrs.call"), primary_key=True),
    Column("organization_id", Integer),
    Column("packed", LargeBinary, nullable=False),
)
