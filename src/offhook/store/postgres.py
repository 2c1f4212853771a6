"""PostgreSQL: where its address leads, how a connection to it is made and begun, and what its errors mean."""

import logging
import select
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError, InterfaceError

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
"""How long the server works on one statement, the sending of its rows included."""

ANSWER_SECONDS = STATEMENT_SECONDS + 5.0
"""How long we wait for the server's next octets: longer than it waits itself, and an end where its machine hangs or the network is gone."""

POOL, POOL_AT_MOST = 5, 40
"""Connections a process keeps, and has at most: as many as a web process has threads. A server takes 100 unless told otherwise."""

_PORT = 5432
_SILENCE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3), (socket.TCP_USER_TIMEOUT, 20_000))

# PostgreSQL, appendix A: the first two characters are a class of errors, five are one of them.
_AWAY = ("08", "0A000", "28", "3D", "42501", "42P01", "42P07", "53", "54000", "55", "57", "58", "25006", "F0", "XX")
"""The server is gone, refuses us, is full, locked, stopped, broken, only to be read, or has other tables: the same may succeed later."""

_COLLIDED = ("23", "40")
"""A key that is taken or is not there, a deadlock."""


@dataclass(frozen=True, slots=True)
class Server:
    """A database on a PostgreSQL server. `host` is a folder of Unix sockets where it begins with a slash."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str
    mode: str
    """disable, require (encrypted, whoever it is) or verify-full (with a certificate that names the host)."""
    root: str | None
    """The certificates that verify-full trusts; None: this machine's."""

    @property
    def is_local(self) -> bool:
        """Whether it is reached without a network."""
        return self.host.startswith("/")

    @property
    def environment(self) -> dict[str, str]:
        """The same for PostgreSQL's own programs; the password is in it."""
        named = {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGDATABASE": self.name, "PGSSLMODE": self.mode}
        return named | {"PGPASSWORD": self.password} | ({"PGSSLROOTCERT": self.root} if self.root else {})


def server_of(url: URL) -> Server:
    """The server that "postgresql://user:password@host:port/name?sslmode=...&sslrootcert=..." names; ?host=/folder is for a Unix socket.

    Off this machine it is `require` unless it says otherwise: what telephones sign in with travels there.
    """
    host = str(url.query.get("host") or url.host or "127.0.0.1")
    near = host.startswith("/") or host in ("localhost", "127.0.0.1", "::1")
    root = url.query.get("sslrootcert")
    mode = str(url.query.get("sslmode") or ("disable" if near else "verify-full" if root else "require"))
    user = url.username or ""
    return Server(host, url.port or _PORT, user, url.password or "", url.database or user, mode, str(root) if root else None)


def open_postgres(url: URL, busy_seconds: float, *, patient: bool = False) -> Engine:
    """An engine; it connects with the first transaction. With `patient` a statement may take as long as it takes."""
    server = server_of(url)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # that one says no goodbye to a server that is gone is no news
    # The address stays out of the engine: what SQLAlchemy says of it hides passwords, but nothing needs it there.
    engine = create_engine(
        "postgresql+pg8000://", pool_size=POOL, max_overflow=POOL_AT_MOST - POOL, pool_timeout=2 * busy_seconds, pool_use_lifo=True
    )
    # The driver sends the rows of one insert one by one and waits for each answer: 10,000 people took 40 s, in one statement 15.
    engine.dialect.use_insertmanyvalues_wo_returning = True

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, _arguments: Any, _named: Any) -> Any:
        try:
            line = _line(server)
            record.info["line"] = line.fileno()  # TLS takes the socket over, and keeps its number
            connection = _session(dialect, server, line, busy_seconds, patient=patient)
        except (OSError, ssl.SSLError) as why:
            raise dialect.loaded_dbapi.InterfaceError(f"no connection to PostgreSQL at {server.host}, port {server.port}: {why}") from why
        connection.autocommit = True  # the driver would begin transactions by itself; ours begin when we say so
        return connection

    @event.listens_for(engine, "handle_error")
    def lost(context: Any) -> BaseException | None:
        # The driver lets some of what happens to its socket through as it is.
        if not isinstance(context.original_exception, OSError):
            return None
        context.is_disconnect = True
        return InterfaceError(context.statement, None, context.original_exception, connection_invalidated=True)

    @event.listens_for(engine, "checkout")
    def taken(_connection: Any, record: Any, _proxy: Any) -> None:
        # A server that was stopped has said so by now: an idle connection with something to read is over. Asking it would take a journey.
        looking = select.poll()
        looking.register(record.info["line"], select.POLLIN)
        if looking.poll(0):
            raise DisconnectionError("PostgreSQL has closed the connection")

    return engine


def _line(server: Server) -> socket.socket:
    """A socket to the server that notices a network that is gone."""
    if server.is_local:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(CONNECT_SECONDS)
        try:
            line.connect(str(Path(server.host) / f".s.PGSQL.{server.port}"))
        except OSError:
            line.close()
            raise
    else:
        line = socket.create_connection((server.host, server.port), CONNECT_SECONDS)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _SILENCE:
            line.setsockopt(socket.IPPROTO_TCP, option, value)
    return line


def _session(dialect: Any, server: Server, line: socket.socket, busy_seconds: float, *, patient: bool) -> Any:
    wanted = {
        "statement_timeout": "0" if patient else f"{STATEMENT_SECONDS * 1000:.0f}",
        "lock_timeout": f"{busy_seconds * 1000:.0f}",
        "idle_in_transaction_session_timeout": "60000",
        "client_encoding": "UTF8",
        "search_path": "public",
    }
    driver = dialect.loaded_dbapi
    try:
        line.settimeout(None if patient else ANSWER_SECONDS)
        return driver.Connection(
            user=server.user, password=server.password, database=server.name, host=server.host, sock=line,
            application_name="offhook", startup_params=wanted, ssl_context=_encryption(server),
        )  # fmt: skip
    except driver.InterfaceError as why:
        # A server that says no hangs up, and the driver's goodbye to it fails in the place of what it said.
        said = why.__context__
        while said is not None and not isinstance(said, driver.DatabaseError):
            said = said.__context__
        raise (said or why) from None
    except BaseException:
        line.close()
        raise


def _encryption(server: Server) -> ssl.SSLContext | bool:
    if server.mode == "disable" or server.is_local:
        return False
    context = ssl.create_default_context(cafile=server.root)
    if server.mode == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def begin_statement(*, reads_only: bool) -> str:
    """How a transaction begins.

    Who reads sees one moment throughout. Who writes sees the newest after each wait for a lock, and scope.Scope holds that of the
    organization from the beginning; REPEATABLE READ would give up there instead of waiting.
    """
    return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if reads_only else "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's code of an error of its driver; None for one that is not the server's."""
    told = error.args[0] if error is not None and error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else None


def says_away(code: str) -> bool:
    """Whether an error with this code may be over later."""
    return code.startswith(_AWAY)


def says_collided(code: str) -> bool:
    """Whether somebody else was first, or a key points nowhere."""
    return code.startswith(_COLLIDED)


def says_unfit(code: str) -> bool:
    """Whether a value was too large or too long for its column, or has a NUL in it: SQLite takes them all."""
    return code in ("22001", "22003", "22021")


def unfit_for_us(engine: Engine) -> str:
    """Why this database cannot be ours, "" if it can. The same rows must sort the same way as everywhere else: by their octets."""
    asked = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()"
    with engine.connect() as connection:
        encoding, collation = connection.exec_driver_sql(asked).one()
    if encoding == "UTF8" and collation.upper().replace("-", "") in ("C", "POSIX", "C.UTF8"):
        return ""
    return (
        f"its encoding is {encoding} and it sorts as in {collation}; both must be of a database made with --encoding=UTF8 --locale=C.UTF-8"
    )
