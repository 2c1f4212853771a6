"""Answers to requests that named an idempotency key."""

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, select

from offhook.domain.organizations import OrganizationId
from offhook.services.ports.answers import Answer
from offhook.store.tables import answers, provider_answers

KEPT_SECONDS = 24 * 3600.0


class Answers:
    """The answers that one organization, or the provider (None), got; services.ports.answers. No configuration: they take no revision."""

    def __init__(self, connection: Connection, organization: OrganizationId | None) -> None:
        self._connection = connection
        self._table: Table = provider_answers if organization is None else answers
        self._whose: dict[str, Any] = {} if organization is None else {"organization_id": organization}
        self._own = [self._table.c[name] == value for name, value in self._whose.items()]

    def get(self, key: str) -> Answer | None:
        wanted = select(self._table).where(*self._own, self._table.c.key == key, self._table.c.at > time.time() - KEPT_SECONDS)
        row = self._connection.execute(wanted).mappings().first()
        return Answer(row["fingerprint"], row["status"], row["headers"], row["body"]) if row else None

    def keep(self, key: str, fingerprint: str) -> None:
        now = time.time()
        self._connection.execute(self._table.delete().where(*self._own, self._table.c.at <= now - KEPT_SECONDS))
        row = self._whose | {"key": key, "fingerprint": fingerprint, "at": now, "status": 0, "headers": {}, "body": b""}
        self._connection.execute(self._table.insert().values(**row))

    def complete(self, key: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        own = self._table.update().where(*self._own, self._table.c.key == key)
        self._connection.execute(own.values(status=status, headers=dict(headers), body=body))
