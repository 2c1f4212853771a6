"""Secrets that must be used again, so that a hash is not enough: kept so that the database alone does not give them away."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SealBroken(Exception):
    """It was sealed by another installation, or is damaged."""


class Sealing:
    """Seals with a key that is made of the installation's secret key for one purpose (HKDF, RFC 5869); Fernet: AES-CBC and HMAC-SHA-256."""

    def __init__(self, secret_key: bytes, purpose: str) -> None:
        key = HKDF(SHA256(), 32, None, purpose.encode()).derive(secret_key)
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, secret: str) -> str:
        """The secret as it may be kept."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """The secret again. Raises SealBroken."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SealBroken("This was sealed with another secret key.") from None
