"""People sign in with a password, and get a token that does what their role may, for a while."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

from offhook.domain.access import may_give, scopes_of
from offhook.domain.errors import Forbidden, Kind, Missing, Refusal, Throttled
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import User
from offhook.services.invitations import admit, look_at
from offhook.services.passwords import Hashing, checked_password, prepared
from offhook.services.ports.store import NewUser, Profile, Store, Transaction
from offhook.services.secrets import new_token, token_hash
from offhook.services.throttle import Throttle, source_of
from offhook.services.tokens import Access
from offhook.services.users import checked_name, checked_username, found

SESSION_SECONDS = 12 * 3600.0
"""A working day: who comes back the next morning signs in again."""

MOST_SESSIONS = 20
"""Of one person; who signs in once more ends the oldest."""

SETS_PASSWORDS = "tokens:write"
"""Who lets others sign in makes keys to the house, as who makes tokens does."""

_KNOWN_PLACES = 10_000
log = logging.getLogger(__name__)


class WrongSignIn(Refusal):
    """Nobody is called so, or the password is another one; which of them is told to nobody."""

    code, kind = "sign_in.wrong", Kind.UNAUTHENTICATED


class TooManySignIns(Throttled):
    """Too many wrong passwords, for this user or from this address."""

    code = "sign_in.throttled"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A token that was just made, shown here and never again. `expires_at` is in seconds since 1970."""

    token: str
    expires_at: float
    profile: Profile
    user: User
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Found:
    profile: Profile
    user: User
    hash: str | None


class SignIns:
    """Lets people sign in, and counts those who may not.

    An account is throttled wherever its passwords are guessed from, but for the addresses that its owner signed in from before: these are
    counted by themselves, so that nobody who guesses elsewhere keeps the owner out.
    """

    def __init__(self, hashing: Hashing | None = None, accounts: Throttle | None = None, addresses: Throttle | None = None) -> None:
        self._hashing = hashing or Hashing()
        self._accounts = Throttle(free=5, longest_seconds=60.0) if accounts is None else accounts
        self._addresses = Throttle(free=20, longest_seconds=60.0) if addresses is None else addresses
        self._known: OrderedDict[str, None] = OrderedDict()

    async def sign_in(self, store: Store, username: str, password: str, address: str) -> SignedIn:
        """`username` is "anna@lumen.test". Raises WrongSignIn, TooManySignIns, Invalid, Unavailable."""
        username, password = username.strip().lower(), prepared(password)
        source = source_of(address)
        account, pair = _account_and_pair(username, source)
        keys = self._let_try(account, pair, source)
        person = await self._found_or_forgive(store, username, keys)
        if not await self._checked(person.hash if person else None, password, keys) or person is None:
            log.warning("A sign-in from %s was refused", source)
            raise WrongSignIn("There is no such user with this password. Write the username with its domain: anna@example.com.", "password")
        signed_in = await asyncio.to_thread(_issue, store, person)
        self._succeeded(account, pair, source)
        log.info("%s@%s signed in from %s", person.user.username, person.profile.domain, source)
        return signed_in

    async def set_password(self, store: Store, access: Access, username: str, password: str, old: str | None, address: str) -> int:
        """Let a user of the visitor's organization sign in with another password; the revision. Every session of the user ends.

        Oneself with the old password; others who may make tokens and have all that the user's role has. Raises Missing, Invalid, Forbidden,
        WrongSignIn, TooManySignIns, Unavailable.
        """
        assert access.organization is not None
        person = await asyncio.to_thread(_of_organization, store, access.organization, username)
        oneself = access.user == person.user.id
        if not oneself:
            must_set_password_of(access, person.user)
        password = checked_password(password, person.user.username, person.profile.domain)
        if oneself:
            await self._must_know(person, old, address)
        hash = await self._hashing.hash(password)
        return await asyncio.to_thread(_set, store, access, person, hash)

    async def admit(self, store: Store, token: str, *, username: str, name: str, password: str, language: str) -> SignedIn:
        """Let in who was invited into an organization, as its global administrator with this password, and sign them in.

        Raises Invalid and Conflict with the field they are about (the invitation stays good then), Missing, Unavailable.
        """
        profile = (await asyncio.to_thread(look_at, store, token)).profile
        if profile is None:
            raise Missing("This invitation makes an organization; it leads into none.", "token")
        new = NewUser(checked_username(username.strip().lower()), checked_name(name), language)
        hash = await self._hashing.hash(checked_password(password, new.username, profile.domain))
        user = await asyncio.to_thread(admit, store, token, profile, new, hash)
        return await asyncio.to_thread(_issue, store, _Found(profile, user, hash))

    async def _must_know(self, person: _Found, old: str | None, address: str) -> None:
        """Raises Throttled or WrongSignIn unless this is the password until now: a session that somebody left open is not enough."""
        source = source_of(address)
        account, pair = _account_and_pair(f"{person.user.username}@{person.profile.domain}", source)
        keys = self._let_try(account, pair, source)
        if not await self._checked(person.hash, prepared(old or ""), keys):
            raise WrongPassword("This is not your password until now; give it as old_password.", "old_password")
        self._succeeded(account, pair, source)

    def _let_try(self, account: str, pair: str, source: str) -> list[tuple[Throttle, str]]:
        """What is counted for this attempt, and is counted from now on. Raises TooManySignIns."""
        keys = [(self._addresses, source), (self._accounts, pair if pair in self._known else account)]
        wait = max(throttle.wait(key) for throttle, key in keys)
        if wait > 0:
            raise TooManySignIns("Too many wrong passwords, for this user or from this address; try again later.", wait)
        for throttle, key in keys:
            throttle.failed(key)
        return keys

    async def _found_or_forgive(self, store: Store, username: str, keys: list[tuple[Throttle, str]]) -> _Found | None:
        try:
            return await asyncio.to_thread(_find, store, username)
        except BaseException:
            _forgive(keys)
            raise

    async def _checked(self, hash: str | None, password: str, keys: list[tuple[Throttle, str]]) -> bool:
        try:
            return await self._hashing.matches(hash, password)
        except BaseException:  # nothing was tried: too many wait, or the asker hung up
            _forgive(keys)
            raise

    def _succeeded(self, account: str, pair: str, source: str) -> None:
        # Of the address only this attempt is taken back: one good account must not buy guesses at others.
        self._addresses.forgive(source)
        if pair in self._known:
            self._accounts.forget(pair)
        else:
            self._accounts.forget(account)
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > _KNOWN_PLACES:
            self._known.popitem(last=False)


class WrongPassword(Refusal):
    """The password until now was another one."""

    code, kind = "sign_in.wrong_old_password", Kind.FORBIDDEN


def must_set_password_of(access: Access, user: User) -> None:
    """Raises Forbidden unless this visitor may let the user sign in with a new password: who sets it could sign in so."""
    if SETS_PASSWORDS not in access.scopes or "users:write" not in access.scopes or not may_give(access.scopes, user.role):
        raise Forbidden("Only a global administrator sets how others sign in, and only for those who may do no more than oneself.")


def _forgive(keys: list[tuple[Throttle, str]]) -> None:
    for throttle, key in keys:
        throttle.forgive(key)


def _account_and_pair(username: str, source: str) -> tuple[str, str]:
    """Keys of one length, whatever was sent."""
    account = hashlib.sha256(username.encode("utf-8", "replace")).hexdigest()
    return account, f"{account} {source}"


def _find(store: Store, username: str) -> _Found | None:
    name, _, domain = username.partition("@")
    if not username.isprintable() or not username.isascii() or not domain:
        return None
    with store.provider_view() as provider:
        profile = provider.organizations.by_domain(domain)
        if profile is None:
            return None
        inside = provider.inside(profile.id)
        user = inside.users.by_username(name)
        return _Found(profile, user, inside.users.password(user.id)) if user else None


def _of_organization(store: Store, organization: OrganizationId, username: str) -> _Found:
    with store.view(organization) as transaction:
        user = found(transaction, username)
        return _Found(transaction.profile(), user, transaction.users.password(user.id))


def _issue(store: Store, person: _Found) -> SignedIn:
    token, expires_at = new_token(), time.time() + SESSION_SECONDS
    label = f"{person.user.username}@{person.profile.domain}"[:100]
    with store.change(person.profile.id, label) as transaction:
        user = _as_it_was(transaction, person)
        end_old_sessions(transaction, user)
        scopes = scopes_of(user.role)
        transaction.tokens.add(token_hash(token), label, scopes, expires_at, user.id)
        return SignedIn(token, expires_at, person.profile, user, scopes)


def _as_it_was(transaction: Transaction, person: _Found) -> User:
    """The user as of now. Raises WrongSignIn when removed, or when the password was changed while the hash was computed."""
    user = transaction.users.by_id(person.user.id)
    if user is None or transaction.users.password(user.id) != person.hash:
        raise WrongSignIn("There is no such user with this password any more.", "password")
    return user


def end_old_sessions(transaction: Transaction, user: User) -> None:
    """Forget the user's sessions that have expired, and of the others those that one more would be too many."""
    now = time.time()
    own = transaction.tokens.of_user(user.id)
    over = [entry for entry in own if entry.expires_at is not None and entry.expires_at <= now]
    alive = [entry for entry in own if entry not in over]
    for entry in over + alive[: max(0, len(alive) - MOST_SESSIONS + 1)]:
        transaction.tokens.revoke(entry.id)


def _set(store: Store, access: Access, person: _Found, hash: str) -> int:
    assert access.organization is not None
    with store.change(access.organization, access.label) as transaction:
        user = found(transaction, person.user.username)
        if access.user != user.id:
            must_set_password_of(access, user)  # the role may have become another one meanwhile
        elif transaction.users.password(user.id) != person.hash:
            raise WrongPassword("Your password was changed meanwhile; give the new one as old_password.", "old_password")
        transaction.users.set_password(user.id, hash)
        assert transaction.revision is not None
        return transaction.revision
