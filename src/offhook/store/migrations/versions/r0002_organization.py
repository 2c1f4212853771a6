"""The organization: devices in place of one password a user, time zones, roles, whole history, tokens with scopes."""

import json
import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "users": ("user", ("id",)),
    "devices": ("device", ("id",)),
    "attendants": ("attendant", ("id",)),
    "attendant_keys": ("attendant_key", ("attendant_id", "key")),
    "numbers": ("number", ("e164",)),
    "tokens": ("token", ("id",)),
}
_LEFT_OUT = ("organization_id", "version", "revision", "whole_since")
_SECRET = ("ha1_md5", "ha1_sha256", "hash")


def upgrade() -> None:
    """What the second release added. Each organization gets one revision that writes down all it has, from which on history is whole."""
    _organizations()
    _people()
    _numbers()
    _tokens()
    op.create_index("ix_changes_organization_id_kind_object_id_revision", "changes", ["organization_id", "kind", "object_id", "revision"])
    op.create_table(
        "cursors",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("consumer", sa.String(40), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "consumer", name="pk_cursors"),
        _of_organization("cursors"),
    )
    _work()
    _answers()
    _webhooks()
    _write_down_what_is_there()


def _of_organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=f"fk_{table}_organization_id")


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    own, theirs = ["organization_id", "user_id"], ["users.organization_id", "users.id"]
    return sa.ForeignKeyConstraint(own, theirs, name=f"fk_{table}_organization_id_user_id")


def _added(name: str, type: sa.types.TypeEngine[Any], default: str) -> sa.Column[Any]:
    return sa.Column(name, type, nullable=False, server_default=default)


def _organizations() -> None:
    op.add_column("organizations", _added("time_zone", sa.String(64), "UTC"))
    op.add_column("organizations", _added("version", sa.Integer(), "0"))
    op.add_column("organizations", _added("whole_since", sa.Integer(), "0"))


def _people() -> None:
    op.add_column("users", sa.Column("email", sa.String(254)))
    op.add_column("users", _added("location", sa.String(2), ""))
    op.add_column("users", _added("time_zone", sa.String(64), ""))
    op.add_column("users", sa.Column("role", sa.String(20)))
    for table in ("users", "attendants", "attendant_keys"):
        op.add_column(table, _added("version", sa.Integer(), "0"))
    op.create_index("ix_users_organization_id_name_username", "users", ["organization_id", "name", "username"])
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("sip_username", sa.String(70), nullable=False),
        sa.Column("ha1_md5", sa.String(32), nullable=False),
        sa.Column("ha1_sha256", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("organization_id", "id", name="uq_devices_organization_id_id"),
        sa.UniqueConstraint("organization_id", "sip_username", name="uq_devices_organization_id_sip_username"),
        _of_organization("devices"),
        _of_user("devices"),
    )
    op.create_index("ix_devices_organization_id_user_id", "devices", ["organization_id", "user_id"])
    op.execute(
        "INSERT INTO devices (organization_id, user_id, name, sip_username, ha1_md5, ha1_sha256, version) "
        "SELECT c.organization_id, c.user_id, 'Telephone', u.username, c.ha1_md5, c.ha1_sha256, 0 "
        "FROM credentials c JOIN users u ON u.id = c.user_id ORDER BY c.user_id"
    )
    op.drop_table("credentials")
    op.create_table(
        "passwords",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("hash", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_passwords"),
        _of_organization("passwords"),
        _of_user("passwords"),
    )


def _numbers() -> None:
    with op.batch_alter_table("numbers") as numbers:
        numbers.alter_column("target_kind", existing_type=sa.String(20), nullable=True)
        numbers.alter_column("target_id", existing_type=sa.Integer, nullable=True)
        numbers.add_column(_added("version", sa.Integer(), "0"))
    op.create_index("ix_numbers_organization_id_e164", "numbers", ["organization_id", "e164"])


def _tokens() -> None:
    op.create_table(
        "provider_tokens",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("expires_at", sa.Float(53)),
        sa.PrimaryKeyConstraint("hash", name="pk_provider_tokens"),
    )
    op.rename_table("tokens", "tokens_before")
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("made_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens_numbered"),
        sa.UniqueConstraint("hash", name="uq_tokens_hash"),
        sa.UniqueConstraint("organization_id", "id", name="uq_tokens_organization_id_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="fk_tokens_numbered_organization_id"),
        _of_user("tokens"),
    )
    op.execute(
        "INSERT INTO provider_tokens (hash, label, expires_at) "
        "SELECT hash, label, expires_at FROM tokens_before WHERE organization_id IS NULL"
    )
    # A token of the first release could do everything, and still can.
    made = sa.text(
        "INSERT INTO tokens (organization_id, hash, user_id, label, scopes, made_at, expires_at, version) "
        "SELECT organization_id, hash, NULL, label, :scopes, :now, expires_at, 0 FROM tokens_before WHERE organization_id IS NOT NULL"
    )
    op.get_bind().execute(made.bindparams(sa.bindparam("scopes", type_=sa.JSON)), {"scopes": ["*"], "now": time.time()})
    op.drop_table("tokens_before")


def _work() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("who", sa.String(100), nullable=False),
        sa.Column("made_at", sa.Float(53), nullable=False),
        sa.Column("ended_at", sa.Float(53)),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("results", sa.JSON, nullable=False),
        sa.Column("revision", sa.Integer),
        sa.Column("explanation", sa.Text),
        sa.Column("options", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("organization_id", "id", name="uq_jobs_organization_id_id"),
        _of_organization("jobs"),
    )
    op.create_index("ix_jobs_state_organization_id", "jobs", ["state", "organization_id"])
    op.create_table(
        "job_inputs",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("job_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("wanted", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_inputs"),
        _of_organization("job_inputs"),
        sa.ForeignKeyConstraint(
            ["organization_id", "job_id"], ["jobs.organization_id", "jobs.id"], name="fk_job_inputs_organization_id_job_id"
        ),
    )
    op.create_table(
        "job_rows",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("job_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("row", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("object_id", sa.String(64)),
        sa.Column("code", sa.String(40)),
        sa.Column("field", sa.String(40)),
        sa.Column("explanation", sa.Text),
        sa.PrimaryKeyConstraint("job_id", "row", name="pk_job_rows"),
        _of_organization("job_rows"),
        sa.ForeignKeyConstraint(
            ["organization_id", "job_id"], ["jobs.organization_id", "jobs.id"], name="fk_job_rows_organization_id_job_id"
        ),
    )


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "key", name="pk_answers"),
        _of_organization("answers"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("secret", sa.String(400), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.UniqueConstraint("organization_id", "id", name="uq_webhooks_organization_id_id"),
        _of_organization("webhooks"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("webhook_id", sa.Integer, nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Float(53), nullable=False),
        sa.Column("made_at", sa.Float(53), nullable=False),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("organization_id", "webhook_id", "event", name="uq_deliveries_organization_id_webhook_id_event"),
        _of_organization("deliveries"),
        sa.ForeignKeyConstraint(
            ["organization_id", "webhook_id"],
            ["webhooks.organization_id", "webhooks.id"],
            name="fk_deliveries_organization_id_webhook_id",
        ),
    )
    op.create_index("ix_deliveries_state_next_at", "deliveries", ["state", "next_at"])
    own = ["organization_id", "webhook_id", "state", "made_at"]
    op.create_index("ix_deliveries_organization_id_webhook_id_state_made_at", "deliveries", own)
    op.add_column("cdrs", sa.Column("kept_at", sa.Float(53)))
    op.create_index("ix_cdrs_organization_id_kept_at", "cdrs", ["organization_id", "kept_at"])


def _write_down_what_is_there() -> None:
    connection = op.get_bind()
    for id, revision in connection.execute(sa.text("SELECT id, revision + 1 FROM organizations")).all():
        found = [("organization", str(id), row) for row in _rows(connection, "organizations", "id", id)]
        for table, (kind, key) in _KINDS.items():
            rows = _rows(connection, table, "organization_id", id)
            found += [(kind, ":".join(str(row[column]) for column in key), row) for row in rows]
            connection.execute(
                sa.text(f"UPDATE {table} SET version = :revision WHERE organization_id = :id"), {"revision": revision, "id": id}
            )
        for seq, (kind, key_text, row) in enumerate(found):
            connection.execute(_CHANGE, _change(id, revision, seq, kind, key_text, row))
        whole = sa.text("UPDATE organizations SET revision = :revision, version = :revision, whole_since = :revision WHERE id = :id")
        connection.execute(whole, {"revision": revision, "id": id})


_CHANGE = sa.text(
    "INSERT INTO changes (organization_id, revision, seq, kind, object_id, before, after, who, at) "
    "VALUES (:organization, :revision, :seq, :kind, :key, NULL, :after, 'upgrade', :now)"
).bindparams(sa.bindparam("after", type_=sa.JSON))


def _change(id: int, revision: int, seq: int, kind: str, key: str, row: dict[str, Any]) -> dict[str, Any]:
    after = {name: "set" if name in _SECRET else value for name, value in row.items() if name not in _LEFT_OUT}
    if isinstance(after.get("scopes"), str):
        after["scopes"] = json.loads(after["scopes"])
    return {"organization": id, "revision": revision, "seq": seq, "kind": kind, "key": key, "after": after, "now": time.time()}


def _rows(connection: sa.Connection, table: str, column: str, id: int) -> list[dict[str, Any]]:
    found = connection.execute(sa.text(f"SELECT * FROM {table} WHERE {column} = :id"), {"id": id})
    return [dict(row) for row in found.mappings()]
