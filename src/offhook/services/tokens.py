"""API tokens: who may come in."""

import time
from dataclasses import dataclass

from offhook.domain.access import EVERYTHING
from offhook.domain.errors import Unauthenticated
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import UserId
from offhook.services.ports.store import Store
from offhook.services.secrets import derive, new_token, same, token_hash
from offhook.services.users import checked_name

PROVIDER = "provider"
ALL = "*"
"""The scope of tokens that may do whatever their organization can."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whose doors a token opens: one organization's, or the provider's when there is none. `label` stands in the history.

    `scopes` is what it may do there (domain.access); `user` is who signed in, None for a program's token.
    """

    organization: OrganizationId | None
    label: str
    scopes: frozenset[str] = EVERYTHING
    user: UserId | None = None


def authenticate(store: Store, token: str) -> Access:
    """Whose token this is. Raises Unauthenticated when it is nobody's or has expired."""
    hash = token_hash(token)
    with store.provider_view() as provider:
        entry = provider.tokens.by_hash(hash)
    if entry is None or not same(entry.hash, hash) or (entry.expires_at is not None and entry.expires_at <= time.time()):
        raise Unauthenticated("This token is not valid or no longer so; ask for a new one.", "token")
    return Access(entry.organization, entry.label, EVERYTHING if ALL in entry.scopes else entry.scopes, entry.user)


def issue(
    store: Store,
    organization: OrganizationId | None,
    label: str,
    lifetime_seconds: float | None,
    who: str,
    scopes: frozenset[str] = frozenset({ALL}),
) -> str:
    """A new token, which is shown here and never again; without a lifetime it does not expire. Raises Invalid, Missing."""
    token, label = new_token(), checked_name(label, "label")
    expires_at = None if lifetime_seconds is None else time.time() + lifetime_seconds
    if organization is None:
        with store.provider_change(who) as provider:
            provider.tokens.add_of_provider(token_hash(token), label, expires_at)
    else:
        with store.change(organization, who) as transaction:
            transaction.tokens.add(token_hash(token), label, scopes, expires_at)
    return token


def provider_token(store: Store, secret_key: bytes) -> str:
    """The provider's own token, the same at every start; for programs on this machine that can read the secret key."""
    token = derive(secret_key, "token of the provider")
    with store.provider_change("start") as provider:
        provider.tokens.add_of_provider(token_hash(token), PROVIDER, None)
    return token
