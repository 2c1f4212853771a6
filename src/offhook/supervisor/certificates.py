"""The certificate that the edge shows to telephones over TLS: made by an authority of our own, or given by the operator.

Either way it stands, with its key and chain, in one file of the data folder, replaced in one step; the engine reads that file alone.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from offhook.supervisor.datafolder import write_atomically
from offhook.supervisor.refusals import CannotStart

AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)  # what browsers and telephones accept at most of a server
RENEW_BEFORE = timedelta(days=30)
BACKDATED = timedelta(days=1)  # telephones without a battery wake up with a clock that is behind
MOST_NAMES = 50  # a certificate with hundreds of names no longer fits into what small telephones read
LEAST_RSA_BITS = 2048
CERTIFICATE_SETTING, KEY_SETTING = "OFFHOOK_TLS_CERTIFICATE", "OFFHOOK_TLS_KEY"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class CertificateUnusable(CannotStart):
    """The certificate or key that a setting names cannot be used. The text names the setting and says what to do."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What is known of the certificate in use."""

    names: tuple[str, ...]
    """DNS names and addresses it is good for."""
    issuer: str
    expires: datetime
    """The last moment it is accepted, in UTC."""
    own: bool
    """Whether our own authority made it."""

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; negative when it has."""
        return (self.expires - now).days


@dataclass(frozen=True, slots=True)
class CertificateFolder:
    """The files of TLS in the data folder, and what the settings say. `given`: the operator's certificate (with its chain) and key."""

    path: Path
    names: tuple[str, ...]
    """DNS names and numeric addresses by which telephones reach us, the first one the most usual."""
    given: tuple[Path, Path] | None = None

    @property
    def server(self) -> Path:
        """What the engine reads: private key, certificate, chain."""
        return self.path / "server.pem"

    @property
    def authority(self) -> Path:
        """Our own authority's certificate, for telephones that check whom they talk to; public, and there only if it made ours."""
        return self.path / "authority.pem"

    @property
    def authority_key(self) -> Path:
        """Whoever has it can be any server for telephones that trust our authority."""
        return self.path / "authority.key"

    def bring_up_to_date(self, now: datetime) -> bool:
        """Make, renew or take over what should be in use; whether the file of the server changed, so that the engine must be told.

        An own one is made again 30 days before its end and when `names` changed. Raises CertificateUnusable of a given one, and then what
        was in use stays.
        """
        self.path.mkdir(mode=0o700, exist_ok=True)
        if self.given is not None:
            return self._replace(_read_given(*self.given, now))
        authority, key = self._authority(now)
        if self._still_good(authority, now):
            return False
        return self._replace(_issue(authority, key, self.names[:MOST_NAMES], now))

    def facts(self) -> CertificateFacts:
        """What is in use. Raises OSError or ValueError when there is nothing readable."""
        certificate = x509.load_pem_x509_certificates(self.server.read_bytes())[0]
        return CertificateFacts(
            names=_names_of(certificate),
            issuer=certificate.issuer.rfc4514_string(),
            expires=certificate.not_valid_after_utc,
            own=self.given is None,
        )

    def _authority(self, now: datetime) -> tuple[x509.Certificate, PrivateKey]:
        try:
            certificate = x509.load_pem_x509_certificate(self.authority.read_bytes())
            key = serialization.load_pem_private_key(self.authority_key.read_bytes(), None)
            if certificate.not_valid_after_utc > now + SERVER_LIFE and isinstance(key, PrivateKey) and _belong(certificate, key):
                return certificate, key
        except (OSError, ValueError):
            pass  # none yet, or damaged: a new one is made, and telephones must be given it
        made, fresh = _make_authority(now)
        write_atomically(self.authority_key, _pem_of(fresh), 0o600)
        write_atomically(self.authority, made.public_bytes(serialization.Encoding.PEM), 0o644)
        return made, fresh

    def _still_good(self, authority: x509.Certificate, now: datetime) -> bool:
        try:
            content = self.server.read_bytes()
            certificate = x509.load_pem_x509_certificates(content)[0]
            serialization.load_pem_private_key(content, None)
            certificate.verify_directly_issued_by(authority)
        except (OSError, ValueError, TypeError, InvalidSignature):
            return False
        lasts = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE
        return lasts and set(_names_of(certificate)) == set(self.names[:MOST_NAMES])

    def _replace(self, content: bytes) -> bool:
        if self.server.exists() and self.server.read_bytes() == content:
            return False
        write_atomically(self.server, content, 0o600)
        return True


def _make_authority(now: datetime) -> tuple[x509.Certificate, PrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # A name of its own: a telephone that knows several systems must not take one's authority for another's.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Offhook authority {serial:x}"[:30])])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = (
        _begun(name, name, key, now, AUTHORITY_LIFE)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _issue(authority: x509.Certificate, authority_key: PrivateKey, names: Collection[str], now: datetime) -> bytes:
    """A new key and certificate for `names`, as PEM. P-256: a handshake costs a tenth of RSA's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, next(iter(names))[:64])])
    issuer_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = (
        _begun(subject, authority.subject, key, now, SERVER_LIFE)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
    )
    return _pem_of(key) + builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.not_valid_before(now - BACKDATED).not_valid_after(now + life)


def _read_given(certificate_file: Path, key_file: Path, now: datetime) -> bytes:
    """The given pair as one PEM text, checked as far as a telephone would. Raises CertificateUnusable."""
    chain_text = _read(certificate_file, CERTIFICATE_SETTING)
    key_text = _read(key_file, KEY_SETTING)
    try:
        chain = x509.load_pem_x509_certificates(chain_text)
    except ValueError as wrong:
        raise CertificateUnusable(f"{CERTIFICATE_SETTING}: {certificate_file} holds no certificate in PEM form ({wrong}).") from wrong
    try:
        key = serialization.load_pem_private_key(key_text, None)
    except TypeError as wrong:
        raise CertificateUnusable(f"{KEY_SETTING}: {key_file} is locked with a password; write it without one.") from wrong
    except ValueError as wrong:
        raise CertificateUnusable(f"{KEY_SETTING}: {key_file} holds no private key in PEM form ({wrong}).") from wrong
    if not isinstance(key, PrivateKey):
        raise CertificateUnusable(f"{KEY_SETTING}: {key_file} is neither an RSA nor an elliptic-curve key, and no telephone takes another.")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        raise CertificateUnusable(f"{KEY_SETTING}: {key_file} has {key.key_size} bits; {LEAST_RSA_BITS} are the least that is safe.")
    first = chain[0]
    if not _belong(first, key):
        raise CertificateUnusable(
            f"{KEY_SETTING}: {key_file} is not the key of the first certificate in {certificate_file} ({CERTIFICATE_SETTING}). "
            "Name the pair that belongs together; the server's certificate stands first, its chain after it."
        )
    if not first.not_valid_before_utc <= now < first.not_valid_after_utc:
        span = f"{first.not_valid_before_utc:%Y-%m-%d} to {first.not_valid_after_utc:%Y-%m-%d}"
        raise CertificateUnusable(f"{CERTIFICATE_SETTING}: {certificate_file} is good from {span} only, and now it is {now:%Y-%m-%d}.")
    return _pem_of(key) + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise CertificateUnusable(f"{setting}: {path} cannot be read: {wrong.strerror or wrong}.") from wrong


def _belong(certificate: x509.Certificate, key: PrivateKey) -> bool:
    return certificate.public_key() == key.public_key()


def _pem_of(key: PrivateKey) -> bytes:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, serialization.NoEncryption())


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def now_utc() -> datetime:
    """This moment, with its zone."""
    return datetime.now(UTC)
