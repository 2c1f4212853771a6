"""Passwords of people who sign in at the pages: the rules, and Argon2id (RFC 9106)."""

import asyncio
import os
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from offhook.domain.errors import Invalid, Unavailable

SHORTEST, LONGEST = 10, 200
"""Characters. Length is what makes a password good; rules of what it is made of only make it hard to remember (NIST SP 800-63B 3.1.1.2)."""

MOST_WAITING = 16
"""So many wait for their hash; who comes then is refused at once. A tenth of a second each: the last one waits two seconds."""

NICENESS = 10
HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16)
"""The second choice of RFC 9106, section 4: 64 MiB, three passes, four lanes."""

NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$s9cHI5+SmbbeJogJKPhAvQ$wX1QitW73xgUrQ+nmroyQNKTEo5Ig2UX/FmM2VSZDC0"
"""The hash of noise that nobody kept: for who is not there as much is computed as for who is, so that the time tells nothing."""

T = TypeVar("T")


def checked_password(password: str, username: str, domain: str) -> str:
    """A password that somebody may choose, in the one form it is hashed in (RFC 8265 4.2.2). Raises Invalid."""
    password = prepared(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters; a few words with spaces between them are good.", "password")
    if password.casefold() in (username.casefold(), f"{username}@{domain}".casefold()):
        raise Invalid("The password must not be the username.", "password")
    return password


def prepared(password: str) -> str:
    """The same password however a keyboard composed its letters. Raises Invalid for what is no text."""
    try:
        password.encode()
    except UnicodeEncodeError:
        raise Invalid("A password is a text in Unicode; this has half of a character.", "password") from None
    return unicodedata.normalize("NFC", password)


class Hashing:
    """Computes hashes, one at a time, in a thread that gives way to everything else: a flood of sign-ins takes no time from calls."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords", _give_way)
        self._waiting = 0
        self._counting = threading.Lock()

    async def hash(self, password: str) -> str:
        """What is kept of a password. Raises Unavailable."""
        return await self._compute(lambda: HASHER.hash(password))

    async def matches(self, hash: str | None, password: str) -> bool:
        """Whether this is the password; without a hash it is not, which takes as long to say. Raises Unavailable."""
        return await self._compute(lambda: _matches(hash or NOBODYS, password)) and hash is not None

    async def _compute(self, work: Callable[[], T]) -> T:
        with self._counting:
            if self._waiting >= MOST_WAITING:
                raise Unavailable("Too many people sign in at this moment; try again in a few seconds.")
            self._waiting += 1
        computing = self._thread.submit(work)
        # Counted until it is computed: who hangs up in the meantime frees no place.
        computing.add_done_callback(self._done)
        return await asyncio.wrap_future(computing)

    def _done(self, _computed: Future[T]) -> None:
        with self._counting:
            self._waiting -= 1


def _give_way() -> None:
    # Linux keeps the niceness of each thread, and gives it to those that this one starts: Argon2's lanes.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _matches(hash: str, password: str) -> bool:
    try:
        return HASHER.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False
