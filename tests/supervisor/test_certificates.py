"""The certificate for TLS: made, renewed, taken over from the operator, and refused with the setting's name when it cannot serve."""

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from offhook.supervisor.certificates import CertificateFolder, CertificateUnusable

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = ("192.0.2.7", "2001:db8::7", "lumen.test")
PEM = serialization.Encoding.PEM


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    return CertificateFolder(tmp_path / "tls", NAMES)


def served(folder: CertificateFolder) -> x509.Certificate:
    return x509.load_pem_x509_certificate(folder.server.read_bytes())


def pair(tmp_path: Path, key: object = None, **span: datetime) -> tuple[Path, Path]:
    """A certificate and its key as an operator would have them."""
    key = key or rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pbx.example")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(x509.random_serial_number())
    builder = builder.public_key(key.public_key()).add_extension(  # type: ignore[attr-defined]
        x509.SubjectAlternativeName([x509.DNSName("pbx.example")]), critical=False
    )
    builder = builder.not_valid_before(span.get("begins", NOW - timedelta(days=1))).not_valid_after(
        span.get("ends", NOW + timedelta(days=90))
    )
    signing = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(key, signing)  # type: ignore[arg-type]
    (tmp_path / "given.pem").write_bytes(certificate.public_bytes(PEM))
    pkcs8 = serialization.PrivateFormat.PKCS8
    (tmp_path / "given.key").write_bytes(key.private_bytes(PEM, pkcs8, serialization.NoEncryption()))  # type: ignore[attr-defined]
    return tmp_path / "given.pem", tmp_path / "given.key"


def test_the_first_start_makes_an_authority_and_a_certificate_that_it_signed(folder: CertificateFolder) -> None:
    assert folder.bring_up_to_date(NOW)
    authority, server = x509.load_pem_x509_certificate(folder.authority.read_bytes()), served(folder)
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["lumen.test"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(each) for each in NAMES[:2]]
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert folder.facts().own and set(folder.facts().names) == set(NAMES)
    assert 390 <= folder.facts().days_left(NOW) <= 397
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.path.iterdir()} == {
        "authority.pem": 0o644, "authority.key": 0o600, "server.pem": 0o600,
    }  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.server)


def test_nothing_is_made_again_while_it_is_good(folder: CertificateFolder) -> None:
    folder.bring_up_to_date(NOW)
    before = folder.server.read_bytes()
    assert not folder.bring_up_to_date(NOW + timedelta(days=300))
    assert folder.server.read_bytes() == before


@pytest.mark.parametrize("days", [370, 500, -10])
def test_it_is_renewed_before_its_end_by_the_same_authority(folder: CertificateFolder, days: int) -> None:
    """A clock that jumped back, too, must not leave a certificate of the future."""
    folder.bring_up_to_date(NOW)
    authority, later = folder.authority.read_bytes(), NOW + timedelta(days=days)
    assert folder.bring_up_to_date(later)
    assert folder.authority.read_bytes() == authority
    assert folder.facts().days_left(later) >= 396


def test_it_is_made_again_for_other_names(folder: CertificateFolder) -> None:
    folder.bring_up_to_date(NOW)
    more = replace(folder, names=(*NAMES, "pine.test"))
    assert more.bring_up_to_date(NOW)
    assert "pine.test" in more.facts().names


@pytest.mark.parametrize("name, content", [("server.pem", ""), ("server.pem", "rubbish"), ("authority.key", "rubbish")])
def test_a_damaged_file_is_replaced(folder: CertificateFolder, name: str, content: str) -> None:
    folder.bring_up_to_date(NOW)
    (folder.path / name).write_text(content)
    assert folder.bring_up_to_date(NOW)
    served(folder).verify_directly_issued_by(x509.load_pem_x509_certificate(folder.authority.read_bytes()))


def test_a_given_pair_is_taken_over_and_again_when_it_changed(folder: CertificateFolder, tmp_path: Path) -> None:
    given = replace(folder, given=pair(tmp_path))
    assert given.bring_up_to_date(NOW)
    assert (given.facts().names, given.facts().own) == (("pbx.example",), False)
    assert not given.bring_up_to_date(NOW)
    pair(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    assert given.bring_up_to_date(NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(given.server)


def _other_key(folder: Path) -> None:
    certificate, _ = pair(folder)
    kept = certificate.read_bytes()
    pair(folder)
    certificate.write_bytes(kept)


def _without(folder: Path, name: str) -> None:
    pair(folder)
    (folder / name).unlink()


def _locked_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pair(folder, key)
    locked = serialization.BestAvailableEncryption(b"word")
    (folder / "given.key").write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked))


WRONGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no certificate": (lambda folder: _without(folder, "given.pem"), "OFFHOOK_TLS_CERTIFICATE: .*cannot be read"),
    "no key": (lambda folder: _without(folder, "given.key"), "OFFHOOK_TLS_KEY: .*cannot be read"),
    "rubbish": (lambda folder: (pair(folder), (folder / "given.pem").write_text("x")), "OFFHOOK_TLS_CERTIFICATE: .*no certificate in PEM"),
    "rubbish key": (lambda folder: (pair(folder), (folder / "given.key").write_text("x")), "OFFHOOK_TLS_KEY: .*no private key in PEM"),
    "another's key": (_other_key, "OFFHOOK_TLS_KEY: .*not the key of"),
    "locked key": (_locked_key, "OFFHOOK_TLS_KEY: .*locked with a password"),
    "short key": (lambda folder: pair(folder, rsa.generate_private_key(65537, 1024)), "OFFHOOK_TLS_KEY: .*1024 bits"),
    "odd key": (lambda folder: pair(folder, ed25519.Ed25519PrivateKey.generate()), "OFFHOOK_TLS_KEY: .*neither an RSA nor"),
    "ended": (lambda folder: pair(folder, ends=NOW - timedelta(hours=1)), "OFFHOOK_TLS_CERTIFICATE: .*is good from"),
    "not yet": (lambda folder: pair(folder, begins=NOW + timedelta(days=2)), "OFFHOOK_TLS_CERTIFICATE: .*is good from"),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_pair_that_cannot_serve_is_refused_by_its_setting_and_the_old_one_stays(
    folder: CertificateFolder, tmp_path: Path, wrong: str
) -> None:
    folder.bring_up_to_date(NOW)
    before = folder.server.read_bytes()
    make, words = WRONGS[wrong]
    make(tmp_path)
    with pytest.raises(CertificateUnusable, match=words):
        replace(folder, given=(tmp_path / "given.pem", tmp_path / "given.key")).bring_up_to_date(NOW)
    assert folder.server.read_bytes() == before
