"""A PostgreSQL server of the tests' own: in a folder of its own, on a Unix socket, not as root, quick and not safe, gone with the tests."""

import grp
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from offhook.store.engine import open_engine
from offhook.store.transaction import Database

_PROGRAMS = Path("/usr/lib/postgresql")
_ANSWERS_SECONDS = 60.0
_ACCOUNT = "postgres"
# Nothing of it outlives a power cut, and nothing has to.
_QUICK = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "32MB", "max_connections": "120",
    "autovacuum": "off", "max_wal_size": "512MB", "log_min_messages": "fatal",
}  # fmt: skip


def programs() -> Path:
    """Where the newest PostgreSQL of Debian is. Raises AssertionError where none is installed: ./test installs it."""
    found = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed; ./test does that"
    return found[-1].parent


def until_somebody_waits(database: Database) -> None:
    """Until another transaction waits for a lock; at once on SQLite, where nobody tells."""
    if database.engine.dialect.name != "postgresql":
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with database.engine.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


class Cluster:
    """A server that runs, with databases for tests in it."""

    def __init__(self, *, port: int = 0, locale: str = "C.UTF-8", **more: str) -> None:
        """Start it, with more settings if need be; with `port` it listens on 127.0.0.1 too."""
        self.folder = Path(tempfile.mkdtemp(prefix="offhook-postgres-"))
        self.password = secrets.token_hex(8)
        self.port = port
        self._programs = programs()
        self._number = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._office: Engine | None = None
        self._more = more
        words = self.folder / "password"
        words.write_text(self.password)
        if os.getuid() == 0:
            for path in (self.folder, words):
                shutil.chown(path, _ACCOUNT, _ACCOUNT)
        try:
            self._make(words, locale)
            self.start()
        except BaseException:
            self.close()
            raise

    def _make(self, words: Path, locale: str) -> None:
        self._run("initdb", "-D", str(self._data), "-U", "offhook", "--pwfile", str(words), "--auth=scram-sha-256", "--encoding=UTF8",
                  f"--locale={locale}", "--no-sync")  # fmt: skip

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, name: str, *, by_socket: bool = True) -> str:
        """The address of a database in it, as OFFHOOK_DATABASE_URL takes it."""
        where = f"@/{name}?host={self.folder}" if by_socket else f"@127.0.0.1:{self.port}/{name}"
        return f"postgresql://offhook:{self.password}{where}"

    def new_url(self, template: str = "template0") -> str:
        """The address of a new database, as `template` is."""
        name = f"test{next(self._number)}"
        self.create(name, template)
        return self.url(name)

    def create(self, name: str, template: str = "template0", more: str = "") -> None:
        """Make a database as `template` is; nobody may be in that."""
        self.tell(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY {more}')

    def drop(self, name: str) -> None:
        """Remove a database, whoever is in it."""
        self.tell(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def tell(self, statement: str) -> None:
        """Carry out a statement that must not be in a transaction."""
        self._office = self._office or open_engine(self.url("postgres"))
        connection = self._office.raw_connection()
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._process is not None
        return self._process.pid

    def backends(self, name: str) -> list[int]:
        """The processes that serve who is in a database."""
        engine = open_engine(self.url("postgres"))
        with engine.connect() as connection:
            asked = text("SELECT pid FROM pg_stat_activity WHERE datname = :name")
            found = [int(pid) for pid in connection.execute(asked, {"name": name}).scalars()]
        engine.dispose()
        return found

    @property
    def certificate(self) -> Path:
        """Of an encrypting server: its certificate, which is its own authority."""
        return self.folder / "server.crt"

    def encrypts(self) -> None:
        """Start again as a server that encrypts too, on the port."""
        key, certificate = make_certificate()
        for file, content in ((self.certificate, certificate), (self.folder / "server.key", key)):
            file.write_bytes(content)
            file.chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(file, _ACCOUNT, _ACCOUNT)
        self._more |= {"ssl": "on", "ssl_cert_file": str(self.certificate), "ssl_key_file": str(self.folder / "server.key")}
        self.stop()
        self.start()

    def start(self) -> None:
        """Start the server; returns when it answers."""
        settings = _QUICK | self._more | {"unix_socket_directories": str(self.folder), "listen_addresses": "127.0.0.1" if self.port else ""}
        settings |= {"port": str(self.port)} if self.port else {}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            # It ends with us, however we end.
            command = [*_as_nobody_special("--pdeathsig", "QUIT"), str(self._programs / "postgres"), "-D", str(self._data), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        if self.port:
            link = self.folder / ".s.PGSQL.5432"
            link.unlink(missing_ok=True)
            link.symlink_to(f".s.PGSQL.{self.port}")
        deadline = time.monotonic() + _ANSWERS_SECONDS
        while not self._answers():
            ended = self._process.poll() is not None
            assert not ended and time.monotonic() < deadline, (self.folder / "log").read_text(errors="replace")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT sends everybody away first, SIGQUIT is a crash."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(_ANSWERS_SECONDS)
        self._process = None

    def close(self) -> None:
        """Stop the server and leave nothing."""
        if self._office is not None:
            self._office.dispose()
        self.stop()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        engine = open_engine(self.url("postgres"))
        try:
            engine.connect().close()
        except DBAPIError:
            return False
        finally:
            engine.dispose()
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*_as_nobody_special(), str(self._programs / program), *arguments], capture_output=True, text=True, check=False, cwd=self.folder
        )
        assert done.returncode == 0, done.stdout + done.stderr


def make_certificate() -> tuple[bytes, bytes]:
    """A key and a certificate for 127.0.0.1, good for a day."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    here = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
    signed = made.add_extension(here, critical=False).sign(key, hashes.SHA256())
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *plain), signed.public_bytes(serialization.Encoding.PEM)


def _as_nobody_special(*options: str) -> list[str]:
    """PostgreSQL will not run as root; as anybody else it runs as whoever runs the tests."""
    if os.getuid() != 0:
        return ["setpriv", *options] if options else []
    user, group = pwd.getpwnam(_ACCOUNT), grp.getgrnam(_ACCOUNT)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={group.gr_gid}", "--clear-groups", *options]


def name_of(url: str) -> str:
    """Which database an address means."""
    return str(make_url(url).database)
