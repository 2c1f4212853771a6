"""The tables of mail that is on its way: no configuration, so it stands in no history. What a mail says is sealed (services.sealing)."""

from typing import Any

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from offhook.store.metadata import metadata


def _columns() -> list[Column[Any]]:
    return [
        Column("kind", String(40), nullable=False),
        Column("event", String(64), nullable=False),
        Column("recipient", String(254), nullable=False),
        Column("language", String(2), nullable=False),
        # NULL once there is nothing left to be sent.
        Column("sealed", Text),
        Column("state", String(20), nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("next_at", Float(53), nullable=False),
        Column("made_at", Float(53), nullable=False),
        Column("expires_at", Float(53), nullable=False),
        Column("last_error", Text),
    ]


# What came of a mail is noted by its number, maybe late: SQLite would give that of a last row which was deleted to the next one.
mails = Table(
    "mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organization_id", Integer, ForeignKey("organizations.id"), nullable=False),
    *_columns(),
    UniqueConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "event", "kind", "recipient"),
    Index(None, "state", "organization_id", "next_at"),
    sqlite_autoincrement=True,
)

# What the provider has sent itself; the organization is whom it is about.
provider_mails = Table(
    "provider_mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organization_id", Integer, ForeignKey("organizations.id")),
    *_columns(),
    UniqueConstraint("event", "kind", "recipient"),
    Index(None, "state", "next_at"),
    Index(None, "organization_id"),
    sqlite_autoincrement=True,
)

# Revisions that changed many people at once, and greet none of them, until mail has read that far.
quiet_revisions = Table(
    "quiet_revisions",
    metadata,
    Column("organization_id", Integer, ForeignKey("organizations.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("organization_id", "revision"),
)
