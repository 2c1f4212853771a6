"""API tokens: only their hashes are kept."""

import time
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select

from offhook.domain.errors import Missing
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import UserId
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.store import TokenEntry, TokenId
from offhook.store.listing import Listed
from offhook.store.provider import ProviderScope
from offhook.store.scope import Row, Scope, is_open
from offhook.store.tables import provider_tokens, tokens, users


def _of_user(scope: Scope, username: Any) -> ColumnElement[bool]:
    own = (users.c.organization_id == scope.organization, users.c.username == username)
    return tokens.c.user_id == select(users.c.id).where(*own).scalar_subquery()


TOKENS = Listed(tokens, "id", {"id": tokens.c.id, "label": tokens.c.label}, searched=("label",), also={"username": _of_user})


class Tokens:
    """The tokens of one organization; services.ports.store.Tokens."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> list[TokenEntry]:
        return [_entry_of(row) for row in self._scope.rows(tokens, order=[tokens.c.id])]

    def page(self, listing: Listing) -> Page[TokenEntry]:
        rows, following = TOKENS.page(self._scope, listing)
        return Page([_entry_of(row) for row in rows], following)

    def by_id(self, id: TokenId) -> TokenEntry | None:
        row = self._scope.row(tokens, tokens.c.id == id)
        return _entry_of(row) if row else None

    def of_user(self, user: UserId) -> list[TokenEntry]:
        return [_entry_of(row) for row in self._scope.rows(tokens, tokens.c.user_id == user, order=[tokens.c.id])]

    def add(self, hash: str, label: str, scopes: frozenset[str], expires_at: float | None, user: UserId | None = None) -> TokenId:
        if user is not None and not self._scope.has(users, users.c.id == user):
            raise Missing("There is no such user.", "user")
        values = {"hash": hash, "label": label, "scopes": sorted(scopes), "made_at": time.time(), "expires_at": expires_at, "user_id": user}
        if user is None:
            # The sandbox's are derived, and come again with it: one that is closed may not be emptied yet.
            self._scope.connection.execute(delete(tokens).where(tokens.c.hash == hash, ~is_open(tokens.c.organization_id)))
            return TokenId(self._scope.insert(tokens, **values))
        session = insert(tokens).values(**values, organization_id=self._scope.organization, version=0).returning(tokens.c.id)
        return TokenId(self._scope.connection.execute(session).scalar_one())

    def revoke(self, id: TokenId) -> None:
        if not self._scope.delete(tokens, tokens.c.id == id, tokens.c.user_id.is_(None)) and not end_sessions(
            self._scope, tokens.c.id == id
        ):
            raise Missing("There is no such token.", "token")


def end_sessions(scope: Scope, *which: ColumnElement[bool]) -> int:
    """Whoever signed in with one of these comes in no more; how many there were. No configuration: it takes no revision."""
    own = (tokens.c.organization_id == scope.organization, tokens.c.user_id.is_not(None))
    return scope.connection.execute(delete(tokens).where(*own, *which)).rowcount


_ALL = frozenset({"*"})


class AllTokens:
    """Who a token belongs to, before it is known whose door it opens; and the provider's own. services.ports.store.AllTokens."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope

    def by_hash(self, hash: str) -> TokenEntry | None:
        open_ones = select(tokens).where(tokens.c.hash == hash, is_open(tokens.c.organization_id))
        row = self._scope.connection.execute(open_ones).mappings().first()
        if row is not None:
            return _entry_of(row)
        return next((_of_provider(own) for own in self._scope.rows(provider_tokens, provider_tokens.c.hash == hash)), None)

    def of_provider(self) -> list[TokenEntry]:
        return [_of_provider(row) for row in self._scope.rows(provider_tokens)]

    def add_of_provider(self, hash: str, label: str, expires_at: float | None, scopes: frozenset[str] = _ALL) -> TokenEntry:
        values = {"hash": hash, "label": label, "scopes": sorted(scopes), "made_at": time.time(), "expires_at": expires_at}
        return _of_provider(self._scope.insert(provider_tokens, **values))

    def keep_of_provider(self, hash: str, label: str) -> None:
        self._scope.delete(provider_tokens, provider_tokens.c.label == label, provider_tokens.c.hash != hash)
        if self.by_hash(hash) is None:
            self.add_of_provider(hash, label, None)

    def revoke_of_provider(self, id: TokenId) -> None:
        if not self._scope.delete(provider_tokens, provider_tokens.c.id == id):
            raise Missing("There is no such token.", "token")


def _entry_of(row: Row) -> TokenEntry:
    user = None if row["user_id"] is None else UserId(row["user_id"])
    organization, scopes = OrganizationId(row["organization_id"]), frozenset(row["scopes"])
    return TokenEntry(TokenId(row["id"]), row["hash"], organization, user, row["label"], scopes, row["expires_at"], row["made_at"])


def _of_provider(row: Row) -> TokenEntry:
    scopes = frozenset(row["scopes"])
    return TokenEntry(TokenId(row["id"]), row["hash"], None, None, row["label"], scopes, row["expires_at"], row["made_at"])
