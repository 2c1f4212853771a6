"""Answers to requests that named an idempotency key."""

import time
from collections.abc import Mapping

from offhook.services.ports.answers import Answer
from offhook.store.scope import Scope
from offhook.store.tables import answers

KEPT_SECONDS = 24 * 3600.0


class Answers:
    """The answers that one organization got; services.ports.store.Answers. No configuration: they take no revision."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def get(self, key: str) -> Answer | None:
        row = self._scope.row(answers, answers.c.key == key, answers.c.at > time.time() - KEPT_SECONDS)
        return Answer(row["fingerprint"], row["status"], row["headers"], row["body"]) if row else None

    def keep(self, key: str, fingerprint: str) -> None:
        now, own = time.time(), answers.c.organization_id == self._scope.organization
        self._scope.connection.execute(answers.delete().where(own, answers.c.at <= now - KEPT_SECONDS))
        row = {"organization_id": self._scope.organization, "key": key, "fingerprint": fingerprint, "at": now}
        self._scope.connection.execute(answers.insert().values(**row, status=0, headers={}, body=b""))

    def complete(self, key: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        own = (answers.c.organization_id == self._scope.organization, answers.c.key == key)
        self._scope.connection.execute(answers.update().where(*own).values(status=status, headers=dict(headers), body=body))
