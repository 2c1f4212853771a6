"""Passwords and tokens: made here, shown once, kept as hashes only."""

import hashlib
import hmac
import secrets

from offhook.services.ports.store import Credential

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to be misread when typed into a telephone
_GROUPS, _GROUP = 4, 5
_BYTES = 13  # 104 bits, of which four groups of five characters take 100


def ha1(username: str, domain: str, password: str) -> Credential:
    """What is kept of a SIP password: H(username:realm:password), RFC 7616 3.4.2, by MD5 and by SHA-256; the realm is the domain."""
    text = f"{username}:{domain}:{password}".encode()
    return Credential(hashlib.md5(text, usedforsecurity=False).hexdigest(), hashlib.sha256(text).hexdigest())


def derive(secret_key: bytes, label: str) -> str:
    """A readable secret of 100 bits that is the same for the same key and label, so that it need not be kept (HMAC-SHA-256, RFC 2104)."""
    return _readable(hmac.digest(secret_key, label.encode(), "sha256")[:_BYTES])


def new_password() -> str:
    """A readable random secret of 100 bits."""
    return _readable(secrets.token_bytes(_BYTES))


def new_token() -> str:
    """A random secret of 256 bits that is safe in a link."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is kept of a token. Plain SHA-256: a token is random, so there is nothing to guess that a slow hash would protect."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())


def _readable(noise: bytes) -> str:
    number = int.from_bytes(noise)
    characters = [_ALPHABET[(number >> 5 * place) & 31] for place in range(_GROUPS * _GROUP)]
    return "-".join("".join(characters[start : start + _GROUP]) for start in range(0, len(characters), _GROUP))
