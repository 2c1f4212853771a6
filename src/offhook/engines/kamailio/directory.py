"""Kamailio's own database file: who has which password, which domains, numbers and carriers there are, and where phones registered.

Kamailio reads the tables of the directory into memory at start and when told to reload; only `location` is written by it.
"""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
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

    credentials: Mapping[tuple[str, str], str]
    """(username, domain) -> HA1, md5("username:domain:password") in lower-case hexadecimal."""
    emergency: Mapping[str, frozenset[str]]
    """Domain -> its emergency numbers as dialled. Every domain stands here, with an empty set if it has none."""
    carriers: tuple[tuple[str, int], ...]
    """(address without brackets, UDP port) of every carrier. Calls from there are let in without a password, whatever the port."""

    def rows(self) -> dict[str, dict[str, str]]:
        """Key -> value of each of Kamailio's tables. ValueError if a name or HA1 could never match."""
        for (username, domain), ha1 in self.credentials.items():
            if username != username.lower() or domain != domain.lower():
                raise ValueError(f"{username}@{domain} must be in lower case: Kamailio's registrar takes no notice of case.")
            if not HA1.fullmatch(ha1):
                raise ValueError(f"The HA1 of {username}@{domain} is not 32 lower-case hexadecimal digits.")
        domains = {domain for _, domain in self.credentials} | self.emergency.keys()
        return {
            "credentials": {f"{username}@{domain}": ha1 for (username, domain), ha1 in self.credentials.items()},
            "domains": dict.fromkeys(domains, "yes"),
            "emergency": {f"{domain}:{number}": "yes" for domain, numbers in self.emergency.items() for number in numbers},
            "carriers": {key: "yes" for ip, port in self.carriers for key in (ip, f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}")},
        }


def write(path: Path, directory: Directory) -> None:
    """Make the file hold exactly this directory, in one transaction; registrations stay. Creates the file (mode 0600) if there is none.

    Only what differs is written: a change of one password among 100,000 keeps Kamailio's own writer waiting for no time at all.
    Raises sqlite3.OperationalError if another program keeps the file locked for more than 5 s.
    """
    rows = directory.rows()
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
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
        connection.execute("COMMIT")


def _sorted(rows: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return sorted(rows.items())
