"""API tokens: who may come in."""

import time
from dataclasses import dataclass

from offhook.domain.errors import Unauthenticated
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.store import Store, TokenEntry
from offhook.services.secrets import derive, new_token, same, token_hash
from offhook.services.users import checked_name

PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Access:
    """Whose doors a token opens: one organization's, or the provider's when there is none. `label` stands in the history."""

    organization: OrganizationId | None
    label: str


def authenticate(store: Store, token: str) -> Access:
    """Whose token this is. Raises Unauthenticated when it is nobody's or has expired."""
    hash = token_hash(token)
    with store.provider_view() as provider:
        entry = provider.tokens.by_hash(hash)
    if entry is None or not same(entry.hash, hash) or (entry.expires_at is not None and entry.expires_at <= time.time()):
        raise Unauthenticated("This token is not valid or no longer so; ask for a new one.", "token")
    return Access(entry.organization, entry.label)


def issue(store: Store, organization: OrganizationId | None, label: str, lifetime_seconds: float | None, who: str) -> str:
    """A new token, which is shown here and never again; without a lifetime it does not expire. Raises Invalid, Missing."""
    token, label = new_token(), checked_name(label, "label")
    expires_at = None if lifetime_seconds is None else time.time() + lifetime_seconds
    with store.provider_change(who) as provider:
        if organization is not None:
            provider.inside(organization)
        provider.tokens.add(TokenEntry(token_hash(token), organization, label, expires_at))
    return token


def provider_token(store: Store, secret_key: bytes) -> str:
    """The provider's own token, the same at every start; for programs on this machine that can read the secret key."""
    token = derive(secret_key, "token of the provider")
    with store.provider_change("start") as provider:
        provider.tokens.add(TokenEntry(token_hash(token), None, PROVIDER, None))
    return token
