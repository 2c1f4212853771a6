"""Rows of a history as people and programs are shown them; and the provider's."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from offhook.services.ports.store import ProviderChange, Store

SECRETS = frozenset({"hash", "ha1", "ha1_md5", "ha1_sha256", "password", "secret"})
SET = "set"
_AT = "_at"


def shown(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A row with its moments as RFC 3339 has them (UTC), and of secrets only that they are set, whoever wrote it down."""
    return None if row is None else {name: _shown(name, value) for name, value in row.items()}


def _shown(name: str, value: Any) -> Any:
    if name in SECRETS:
        return SET if value else value
    if name.endswith(_AT) and isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def provider_history(
    store: Store, limit: int, *, before: tuple[int, int] | None = None, kind: str | None = None, id: str | None = None
) -> list[ProviderChange]:
    """What was changed of what is the provider's, newest first."""
    with store.provider_view() as provider:
        return provider.history.page(limit, before=before, kind=kind, id=id)


Deed = tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]
"""What something was called, and what it was before and after."""


def write_down(store: Store, who: str, kind: str, deeds: Iterable[Deed]) -> None:
    """Have the provider's history tell what was done to what is kept elsewhere: bans, certificates."""
    with store.provider_change(who) as provider:
        for id, before, after in deeds:
            provider.history.note(kind, id, before, after)
