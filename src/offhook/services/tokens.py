"""API tokens: who may come in, and what each may do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from offhook.domain.access import EVERYTHING, OF_PROVIDER, unknown_scopes
from offhook.domain.errors import Conflict, Forbidden, Invalid, Missing, Unauthenticated
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import UserId
from offhook.services.ports.store import Store, TokenEntry, TokenId, Transaction
from offhook.services.secrets import derive, new_token, same, token_hash
from offhook.services.users import checked_name

PROVIDER = "provider"
_OURS = frozenset({PROVIDER, "start", "invitation", "sandbox", "webhooks", "jobs"})
"""Who did something stands so in the history when it was not somebody with a token of the organization.

"provider billing" is a program of the provider that is called billing.
"""

ALL = "*"
"""The scope of tokens that may do whatever their organization can."""

LONGEST_LIFETIME_SECONDS = 10 * 365 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Access:
    """Whose doors a token opens: one organization's, or the provider's when there is none. `label` stands in the history.

    `scopes` is what it may do there (domain.access); `user` is who signed in, None for a program's token. `sovereign`: a program that may
    do everything its organization can, also what no administrator may. `expires_at` is in seconds since 1970, None: never.
    """

    organization: OrganizationId | None
    label: str
    scopes: frozenset[str] = EVERYTHING
    user: UserId | None = None
    token: TokenId | None = None
    sovereign: bool = False
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that was just made, shown here and never again."""

    token: str
    entry: TokenEntry


def authenticate(store: Store, token: str) -> Access:
    """Whose token this is. Raises Unauthenticated when it is nobody's or has expired."""
    hash = token_hash(token)
    with store.provider_view() as provider:
        entry = provider.tokens.by_hash(hash)
    if entry is None or not same(entry.hash, hash) or (entry.expires_at is not None and entry.expires_at <= time.time()):
        raise Unauthenticated("This token is not valid or no longer so; ask for a new one.", "token")
    all = ALL in entry.scopes
    sovereign = all and entry.user is None
    everything = EVERYTHING if entry.organization is not None else EVERYTHING | OF_PROVIDER
    scopes = everything if all else entry.scopes
    return Access(entry.organization, _known_as(entry), scopes, entry.user, entry.id, sovereign, entry.expires_at)


def _known_as(entry: TokenEntry) -> str:
    """Who it was, for the history: an organization must see that it was its provider."""
    if entry.organization is not None or entry.label == PROVIDER:
        return entry.label
    return f"{PROVIDER} {entry.label}"[:100]


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
            provider.tokens.add_of_provider(token_hash(token), label, expires_at, scopes)
    else:
        with store.change(organization, who) as transaction:
            transaction.tokens.add(token_hash(token), label, scopes, expires_at)
    return token


def make_token(store: Store, access: Access, label: str, scopes: Sequence[str], lifetime_seconds: float | None) -> Issued:
    """A token for a program, of the organization whose door the visitor came in by; it may do no more than the visitor.

    It is the organization's, not its maker's: it works on when the maker's session ends or the maker leaves. Raises Invalid, Forbidden.
    """
    assert access.organization is not None
    label, wanted = checked_label(label), checked_scopes(access, scopes)
    token, now = new_token(), time.time()
    expires_at = _end(now, lifetime_seconds)
    with store.change(access.organization, access.label) as transaction:
        id = transaction.tokens.add(token_hash(token), label, wanted, expires_at)
    return Issued(token, TokenEntry(id, "", access.organization, None, label, wanted, expires_at, now))


def _end(now: float, lifetime_seconds: float | None) -> float | None:
    if lifetime_seconds is None:
        return None
    if not 0 < lifetime_seconds <= LONGEST_LIFETIME_SECONDS:
        raise Invalid(
            "A token lives longer than now, and ten years at most; leave it out for one that does not expire.", "lifetime_seconds"
        )
    return now + lifetime_seconds


def make_provider_token(store: Store, access: Access, label: str, scopes: Sequence[str], lifetime_seconds: float | None) -> Issued:
    """A token for a program of the provider, which may do no more than whoever makes it. Raises Invalid, Forbidden."""
    token, label, wanted = new_token(), checked_label(label), checked_scopes(access, scopes, OF_PROVIDER)
    with store.provider_change(access.label) as provider:
        entry = provider.tokens.add_of_provider(token_hash(token), label, _end(time.time(), lifetime_seconds), wanted)
        return Issued(token, entry)


def list_provider_tokens(store: Store) -> list[TokenEntry]:
    """The provider's tokens, oldest first."""
    with store.provider_view() as provider:
        return provider.tokens.of_provider()


def remove_provider_token(store: Store, access: Access, id: TokenId) -> None:
    """It opens nothing from now on. Raises Missing, OfTheFolder for the one in the data folder, Forbidden for one that may do more."""
    with store.provider_change(access.label) as provider:
        if any(entry.id == id and entry.label == PROVIDER for entry in provider.tokens.of_provider()):
            words = "This token comes with the data folder's secret.key: with another key it is another one from the next start on."
            raise OfTheFolder(words, "token")
        reach = next((entry.scopes for entry in provider.tokens.of_provider() if entry.id == id), frozenset())
        if not access.sovereign and not reach <= access.scopes:
            raise Forbidden("This token may do more than you may, so you cannot take that from it.")
        provider.tokens.revoke_of_provider(id)


class OfTheFolder(Conflict):
    """The provider's token in the data folder is made anew at each start."""

    code = "token.of_folder"


def checked_label(label: str) -> str:
    """What a program's token is called; it stands in the history as whoever did something. Raises Invalid."""
    if "@" in label:
        raise Invalid("A label has no @: the history would take the program for a person.", "label")
    if label.strip().casefold() in _OURS or label.strip().casefold().startswith(f"{PROVIDER} "):
        raise Invalid(f"The history calls something of Offhook itself {label.strip()}; call the program otherwise.", "label")
    return checked_name(label, "label")


def checked_scopes(access: Access, scopes: Sequence[str], known: frozenset[str] = EVERYTHING) -> frozenset[str]:
    """The scopes, of those that are `known`, that somebody may give away. Raises Invalid, Forbidden."""
    wanted = frozenset(scopes)
    if wanted == {ALL} and access.sovereign:
        return wanted
    if unknown := unknown_scopes(wanted, known):
        raise Invalid(f"{', '.join(unknown)}: no such scope. There are {', '.join(sorted(known))}.", "scopes")
    if not wanted:
        raise Invalid("A token needs one scope at least.", "scopes")
    if missing := sorted(wanted - access.scopes):
        raise Forbidden(f"You have not got {', '.join(missing)} yourself, so no token of yours can.", "scopes")
    return wanted


def get_token(store: Store, organization: OrganizationId, id: TokenId) -> tuple[TokenEntry, str | None]:
    """One token, and who is signed in with it. Raises Missing."""
    with store.view(organization) as transaction:
        entry = _found(transaction, id)
        return entry, transaction.users.names([entry.user])[entry.user] if entry.user is not None else None


def remove_token(store: Store, access: Access, id: TokenId) -> None:
    """It opens nothing from now on. Raises Missing, and Forbidden when it may do more than the visitor: as a role, it is taken as given."""
    assert access.organization is not None
    with store.change(access.organization, access.label) as transaction:
        entry = _found(transaction, id)
        if missing := sorted((EVERYTHING if ALL in entry.scopes else entry.scopes) - access.scopes):
            raise Forbidden(f"You have not got {', '.join(missing)} yourself, so you cannot take it from this token.")
        transaction.tokens.revoke(id)


def _found(transaction: Transaction, id: TokenId) -> TokenEntry:
    entry = transaction.tokens.by_id(id)
    if entry is None:
        raise Missing("There is no such token.", "token")
    return entry


def sign_out(store: Store, access: Access) -> None:
    """End the session that the visitor came in by. Raises Conflict when it is a program's token."""
    if access.organization is None or access.user is None or access.token is None:
        raise NoSession("This is a program's token, nobody signed in with it; an administrator can delete it at /tokens.")
    with store.change(access.organization, access.label) as transaction:
        if any(entry.id == access.token for entry in transaction.tokens.of_user(access.user)):
            transaction.tokens.revoke(access.token)


class NoSession(Conflict):
    """Who came in did not sign in."""

    code = "sign_in.none"


def provider_token(store: Store, secret_key: bytes) -> str:
    """The provider's own token, the same at every start; for programs on this machine that can read the secret key.

    With another secret key it is another one, and the one before opens nothing any more.
    """
    token = derive(secret_key, "token of the provider")
    with store.provider_change("start") as provider:
        provider.tokens.keep_of_provider(token_hash(token), PROVIDER)
    return token
