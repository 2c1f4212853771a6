"""The histories as people and programs ask for them and are shown them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from offhook.domain.errors import Missing
from offhook.domain.numbers import as_e164
from offhook.services.ports.changes import ChangesWanted
from offhook.services.ports.store import ProviderChange, Store, Transaction

SECRETS = frozenset({"hash", "ha1", "ha1_md5", "ha1_sha256", "password", "secret"})
SET = "set"
_AT = "_at"
_NAMED_BY = {"user": "username", "device": "sip_username", "attendant": "name", "organization": "domain"}
"""What people call a thing by, of kinds that have a number for their id."""


def ids_of(transaction: Transaction, kind: str, said: str) -> list[str]:
    """What somebody may mean who says this of a kind: an id, and whatever was ever called so, the latest first."""
    if kind == "number":
        return [as_e164(said) or said]
    return [said, *(transaction.history.called(kind, _NAMED_BY[kind], said) if kind in _NAMED_BY else [])]


def as_of(transaction: Transaction, kind: str, said: str, revision: int) -> tuple[str, Mapping[str, Any]]:
    """An object and its id as it was at a revision, by its id, else by what it was called then, else at any other time. Raises Missing."""
    rows = ((id, transaction.history.as_of(kind, id, revision)) for id in ids_of(transaction, kind, said))
    found = [(id, was) for id, was in rows if was is not None]
    if not found:
        raise Missing(f"There was no {kind} {said} at revision {revision}.", "id")
    name = _NAMED_BY.get(kind, "")
    return min(found, key=lambda one: (one[0] != said, one[1].get(name) != said))


def shown(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A row with its moments as RFC 3339 has them (UTC), and of secrets only that they are set, whoever wrote it down."""
    return None if row is None else {name: _shown(name, value) for name, value in row.items()}


def _shown(name: str, value: Any) -> Any:
    if name in SECRETS:
        return SET if value else value
    if name.endswith(_AT) and isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def provider_history(store: Store, limit: int, wanted: ChangesWanted) -> list[ProviderChange]:
    """What was changed of what is the provider's, newest first."""
    with store.provider_view() as provider:
        return provider.history.page(limit, wanted)


Deed = tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]
"""What something was called, and what it was before and after."""


def write_down(store: Store, who: str, kind: str, deeds: Iterable[Deed]) -> None:
    """Have the provider's history tell what was done to what is kept elsewhere: bans, certificates."""
    with store.provider_change(who) as provider:
        for id, before, after in deeds:
            provider.history.note(kind, id, before, after)
