"""Who is registered, all at once: read from Kamailio's own file, since a list of thousands fits no datagram of its control socket.

Kamailio writes registrations back every `write_back_seconds`, so the list is that old.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from offhook.engines.kamailio.client import PLACE

_LOCK_SECONDS = 1.0
_EPOCH_JULIAN_DAY = 2440587.5  # db_sqlite writes times as Julian days, UTC
_QUERY = "SELECT username, domain, contact, received, user_agent, expires FROM location ORDER BY domain, username, last_modified"


@dataclass(frozen=True, slots=True)
class Registered:
    """One telephone. `address` is "ip:port" where its packets came from; `expires_at` is seconds since 1970."""

    user: str
    domain: str
    address: str
    transport: str
    user_agent: str
    expires_at: float


def read_registrations(path: Path, now: float) -> list[Registered]:
    """Every registration in the edge's file that has not expired at `now`, by domain and user.

    Raises sqlite3.Error when the file is not there, locked for longer than a second, or damaged.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS)) as connection:
        found = [_registered(*row) for row in connection.execute(_QUERY)]
    return [each for each in found if each.expires_at > now]


def registered_users(path: Path) -> list[tuple[str, str]]:
    """User and domain of whoever stands in the edge's file with a telephone, also one that has expired. Raises as read_registrations."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS)) as connection:
        return connection.execute("SELECT DISTINCT username, domain FROM location WHERE domain IS NOT NULL").fetchall()


def _registered(user: str, domain: str | None, contact: str, received: str | None, user_agent: str, expires: float) -> Registered:
    where = PLACE.match(received or contact)
    address = f"{where['host']}:{where['port'] or 5060}" if where else contact
    return Registered(user, domain or "", address, ((where and where["transport"]) or "udp").lower(), user_agent, _moment(expires))


def _moment(julian_day: float) -> float:
    return (julian_day - _EPOCH_JULIAN_DAY) * 86400
