"""Kamailio's own database file: who has which password, which domains, numbers and carriers there are, and where phones registered.

Kamailio reads the tables of the directory into memory at start and when told to reload; only `location` is written by it.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LOCATION_VERSION = 9  # usrloc of Kamailio 5.6 refuses any other
LOCK_SECONDS = 5.0
HA1 = re.compile(r"[0-9a-f]{32}")

# Kamailio 5.6, db_sqlite/usrloc-create.sql and standard-create.sql.
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS version (
    id INTEGER PRIMARY KEY NOT NULL, table_name VARCHAR(32) NOT NULL UNIQUE, table_version INTEGER DEFAULT 0 NOT NULL);
INSERT OR REPLACE INTO version (table_name, table_version) VALUES ('version', 1), ('location', {LOCATION_VERSION});
CREATE TABLE IF NOT EXISTS location (
    id INTEGER PRIMARY KEY NOT NULL,
    ruid VARCHAR(64) DEFAULT '' NOT NULL UNIQUE,
    username VARCHAR(64) DEFAULT '' NOT NULL,
    domain VARCHAR(64) DEFAULT NULL,
    contact VARCHAR(512) DEFAULT '' NOT NULL,
    received VARCHAR(128) DEFAULT NULL,
    path VARCHAR(512) DEFAULT NULL,
    expires TIMESTAMP WITHOUT TIME ZONE DEFAULT '2030-05-28 21:32:15' NOT NULL,
    q REAL DEFAULT 1.0 NOT NULL,
    callid VARCHAR(255) DEFAULT 'Default-Call-ID' NOT NULL,
    cseq INTEGER DEFAULT 1 NOT NULL,
    last_modified TIMESTAMP WITHOUT TIME ZONE DEFAULT '2000-01-01 00:00:01' NOT NULL,
    flags INTEGER DEFAULT 0 NOT NULL,
    cflags INTEGER DEFAULT 0 NOT NULL,
    user_agent VARCHAR(255) DEFAULT '' NOT NULL,
    socket VARCHAR(64) DEFAULT NULL,
    methods INTEGER DEFAULT NULL,
    instance VARCHAR(255) DEFAULT NULL,
    reg_id INTEGER DEFAULT 0 NOT NULL,
    server_id INTEGER DEFAULT 0 NOT NULL,
    connection_id INTEGER DEFAULT 0 NOT NULL,
    keepalive INTEGER DEFAULT 0 NOT NULL,
    partition INTEGER DEFAULT 0 NOT NULL);
CREATE VIEW IF NOT EXISTS sources AS
    SELECT received AS key_name, 0 AS key_type, 0 AS value_type, username || '@' || domain AS key_value, 0 AS expires
    FROM location WHERE received IS NOT NULL
    UNION SELECT substr(received, 5, instr(substr(received, 5), ':') - 1), 0, 0, 'telephones', 0
    FROM location WHERE received GLOB 'sip:[0-9]*';
CREATE TABLE IF NOT EXISTS taken_up (organization INTEGER PRIMARY KEY NOT NULL, revision INTEGER NOT NULL);
"""
TABLES = ("credentials", "domains", "emergency", "carriers")
TABLE = """
CREATE TABLE IF NOT EXISTS {name} (
    key_name TEXT PRIMARY KEY NOT NULL, key_type INTEGER DEFAULT 0 NOT NULL, value_type INTEGER DEFAULT 0 NOT NULL,
    key_value TEXT NOT NULL, expires INTEGER DEFAULT 0 NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Directory:
    """All the edge must know to let somebody in."""

    credentials: Mapping[tuple[str, str], tuple[str, str]]
    """(the name that a telephone signs in with, domain) -> (HA1, owner): md5("name:domain:password") in lower-case hexadecimal, and the
    user of that domain as whose address it registers and calls."""
    emergency: Mapping[str, frozenset[str]]
    """Domain -> its emergency numbers as dialled. Every domain stands here, with an empty set if it has none."""
    carriers: tuple[tuple[str, int], ...]
    """(address without brackets, UDP port) of every carrier. Calls from there are let in without a password, whatever the port."""
    revisions: Mapping[int, int] = field(default_factory=dict)
    """What each organization was at; kept for whoever brings the file up to date later."""

    def rows(self) -> dict[str, dict[str, str]]:
        """Key -> value of each of Kamailio's tables. ValueError if a name or HA1 could never match."""
        domains = {domain for _, domain in self.credentials} | self.emergency.keys()
        return {
            "credentials": {credential_key(name, domain): credential(*proof) for (name, domain), proof in self.credentials.items()},
            "domains": dict.fromkeys(domains, "yes"),
            "emergency": {f"{domain}:{number}": "yes" for domain, numbers in self.emergency.items() for number in numbers},
            "carriers": {key: "yes" for ip, port in self.carriers for key in (ip, f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}")},
        }


def credential_key(name: str, domain: str) -> str:
    """Under which a telephone's credential stands. ValueError if no telephone could ever match it."""
    if name != name.lower() or domain != domain.lower():
        raise ValueError(f"{name}@{domain} must be in lower case: Kamailio's registrar takes no notice of case.")
    return f"{name}@{domain}"


def credential(ha1: str, owner: str) -> str:
    """A credential as Kamailio's table holds it. ValueError if no password has such a HA1."""
    if not HA1.fullmatch(ha1):
        raise ValueError(f"The HA1 of a telephone of {owner} is not 32 lower-case hexadecimal digits.")
    return f"{ha1}:{owner}"


def write(path: Path, directory: Directory) -> None:
    """Make the file hold exactly this directory, in one transaction; registrations stay. Creates the file (mode 0600) if there is none.

    Only what differs is written: a change of one password among 100,000 keeps Kamailio's own writer waiting for no time at all.
    Raises sqlite3.OperationalError if another program keeps the file locked for more than 5 s.
    """
    rows = directory.rows()
    path.touch(mode=0o600)
    with _opened(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA + "".join(TABLE.format(name=name) for name in TABLES))
        for name in TABLES:
            connection.execute(f"CREATE TEMP TABLE wanted_{name} (key_name TEXT PRIMARY KEY, key_value TEXT) WITHOUT ROWID")
            connection.executemany(f"INSERT INTO wanted_{name} VALUES (?, ?)", _sorted(rows[name]))
        connection.execute("BEGIN IMMEDIATE")
        for name in TABLES:
            connection.execute(f"DELETE FROM {name} WHERE key_name NOT IN (SELECT key_name FROM wanted_{name})")
            connection.execute(
                f"INSERT OR REPLACE INTO {name} (key_name, key_value) "
                f"SELECT key_name, key_value FROM wanted_{name} EXCEPT SELECT key_name, key_value FROM {name}"
            )
        connection.execute("DELETE FROM taken_up")
        connection.executemany("INSERT INTO taken_up VALUES (?, ?)", directory.revisions.items())
        connection.execute("COMMIT")


Lines = Mapping[str, Mapping[str, str | None]]
"""Of some tables some lines: key -> value, None for what is to go."""


def edit(path: Path, lines: Lines) -> None:
    """Change these lines of a file that `write` made, in one transaction. Raises sqlite3.OperationalError as `write` does."""
    with _opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for name, values in lines.items():
            put = [(key, value) for key, value in values.items() if value is not None]
            connection.executemany(f"INSERT OR REPLACE INTO {name} (key_name, key_value) VALUES (?, ?)", put)
            connection.executemany(f"DELETE FROM {name} WHERE key_name = ?", [(key,) for key, value in values.items() if value is None])
        connection.execute("COMMIT")


def give_up(path: Path, domain: str) -> None:
    """Have no line of a domain in the file.

    In the database itself: a hundred thousand lines in a dictionary would hold up every thread when they are put in and let go of.
    """
    with _opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for name, pattern in (("credentials", f"*@{domain}"), ("domains", domain), ("emergency", f"{domain}:*")):
            connection.execute(f"DELETE FROM {name} WHERE key_name GLOB ?", (pattern,))
        connection.execute("COMMIT")


def lines_like(path: Path, name: str, pattern: str) -> dict[str, str]:
    """The lines of a table whose keys fit a pattern of SQL's GLOB."""
    with _opened(path) as connection:
        return dict(connection.execute(f"SELECT key_name, key_value FROM {name} WHERE key_name GLOB ?", (pattern,)).fetchall())


def differing(held: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """The lines that make what is held what is wanted."""
    return {key: wanted.get(key) for key in held.keys() | wanted.keys() if held.get(key) != wanted.get(key)}


def revisions(path: Path) -> dict[int, int]:
    """What each organization was at when Kamailio had taken it up from this file; nothing where there is no such file yet."""
    if not path.exists():
        return {}
    with _opened(path) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'taken_up'").fetchone()
        return dict(connection.execute("SELECT organization, revision FROM taken_up").fetchall()) if known else {}


def note_revisions(path: Path, taken_up: Mapping[int, int | None]) -> None:
    """Kamailio has taken up these revisions of organizations; None: there is no such organization any more."""
    with _opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        put = [(organization, revision) for organization, revision in taken_up.items() if revision is not None]
        connection.executemany("INSERT OR REPLACE INTO taken_up VALUES (?, ?)", put)
        gone = [(organization,) for organization, revision in taken_up.items() if revision is None]
        connection.executemany("DELETE FROM taken_up WHERE organization = ?", gone)
        connection.execute("COMMIT")


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        yield connection


def _sorted(rows: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return sorted(rows.items())
