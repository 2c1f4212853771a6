"""Questions to a running Kamailio over its control socket (JSON-RPC 2.0, one Unix datagram each way)."""

import asyncio
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offhook.engines.kamailio.control import ControlLine
from offhook.engines.kamailio.settings import EdgeSettings
from offhook.services.ports.registrar import Contact, RegistrarAbsent

ANSWER_SECONDS = 0.5
RELOAD_SECONDS = 10.0
"""It answers when the table is read; 100,000 lines take a second."""
LINES_ONE_BY_ONE = 300
TRIES = 2
QUESTIONS_AT_ONCE = 8  # net.unix.max_dgram_qlen is 10 on many systems; the next one would be refused, not queued
TABLES = ("domains", "credentials", "emergency", "carriers")
ALIAS = re.compile(r";\s*alias\s*=[^;>]*", re.IGNORECASE)
ALIAS_TRANSPORTS = {"udp": 1, "tcp": 2, "tls": 3, "ws": 5, "wss": 6}  # nathelper's numbers in ;alias=IP~PORT~PROTO
COUNTERS = {
    "bans": "script:edge_bans",
    "blocked": "script:edge_blocked",
    "wrong_passwords": "script:edge_wrong_passwords",
    "guessed_users": "script:edge_guessed_users",
    "emergencies": "script:edge_emergencies",
    "shed": "script:edge_shed",
    "registrations": "usrloc:location_contacts",
    "registered_users": "usrloc:location_users",
    "memory_free": "shmem:free_size",
}
PLACE = re.compile(
    r"sips?:(?:[^@>]*@)?(?P<host>\[[^\]]+\]|[^:;?>]+)(?::(?P<port>\d+))?(?:[^>]*;transport=(?P<transport>\w+))?", re.IGNORECASE
)
NOT_REGISTERED = re.compile("AOR (not found|has no contacts)")  # ul.lookup; the code is 500 for these and for real failures
NO_SUCH_KEY = 404


class EdgeRefused(Exception):
    """Kamailio answered, and said no. The text holds its code and words."""

    def __init__(self, method: str, code: int, words: str) -> None:
        super().__init__(f"Kamailio refused {method}: {code} {words}")
        self.code, self.words = code, words


@dataclass(frozen=True)
class Ban:
    """One source, or one source and user, that is refused now."""

    source: str
    """An IPv4 address, or one of IPv6 that ends in 64 zero bits and stands for all that begin like it."""
    user: str | None
    """user@domain, or None when nothing at all is answered to the source."""
    reason: str


class Edge:
    """A running Kamailio. Implements `Registrar`; needs a running event loop, opens nothing until asked."""

    def __init__(self, settings: EdgeSettings) -> None:
        self._path = str(settings.control_socket)
        self._usual_calls = settings.new_calls_per_second
        self._line = ControlLine(self._path)
        self._turn = asyncio.Semaphore(QUESTIONS_AT_ONCE)

    async def contacts(self, username: str, domain: str) -> tuple[Contact, ...]:
        """The user's devices, the last registered first. Raises RegistrarAbsent after about 1 s without an answer."""
        try:
            answer = await self._ask("ul.lookup", "location", f"{username}@{domain}".lower())
        except EdgeRefused as refused:
            if NOT_REGISTERED.search(refused.words):
                return ()
            raise
        found = [entry["Contact"] for entry in answer["Contacts"]]
        found.sort(key=lambda entry: float(entry.get("Last-Modified", 0)), reverse=True)
        return tuple(contact for contact in map(contact_of, found) if contact.expires_seconds > 0)

    async def forget(self, username: str, domain: str) -> None:
        """Forget every device of a user, as if each had taken its registration back. No error if there is none."""
        try:
            await self._ask("ul.rm", "location", f"{username}@{domain}".lower())
        except EdgeRefused as refused:
            if not NOT_REGISTERED.search(refused.words):
                raise

    async def reload(self, *tables: str) -> None:
        """Take the directory, or only some of its tables, from the database file into memory.

        Calls meanwhile see the old or the new one, never none.

        Raises EdgeRefused if the file cannot be read (the old directory then stays), RegistrarAbsent if nobody answers.
        """
        for table in tables or TABLES:
            await self._ask("htable.reload", table, seconds=RELOAD_SECONDS)

    async def take_up(self, lines: Mapping[str, Mapping[str, str | None]]) -> None:
        """Take these lines of the directory's tables into memory (key -> value, None for what is gone) that stand in the file by now.

        A table of which many differ is read again whole. Raises as `reload`.
        """
        for table, values in lines.items():
            if len(values) > LINES_ONE_BY_ONE:
                await self._ask("htable.reload", table, seconds=RELOAD_SECONDS)
                continue
            for key, value in values.items():
                if value is None:
                    await self._forget(table, key)
                else:
                    await self._ask("htable.sets", table, key, value)

    async def counters(self) -> dict[str, int]:
        """Counts since Kamailio's start (bans, blocked requests of banned sources, wrong_passwords, emergencies, new calls shed because
        there were too many); of this moment the registrations, the registered_users, the bans_now and the octets of shared memory_free."""
        answer, tables = await self._ask("stats.fetch", *COUNTERS.values()), await self._ask("htable.stats")
        banned = next(int(table["all"]) for table in tables if table["name"] == "bans")
        return {"bans_now": banned, **{name: int(answer[key.replace(":", ".")]) for name, key in COUNTERS.items()}}

    async def limit_new_calls(self, per_second: int | None) -> None:
        """Let in so many new calls a second from now on and answer the others 503, emergency calls apart; None: what the settings say.

        Counted by tenths of a second. Forgotten when Kamailio starts again. Raises RegistrarAbsent.
        """
        await self._ask("htable.seti", "limits", "new_calls", self._usual_calls if per_second is None else per_second)

    async def reload_certificates(self) -> None:
        """Show the certificate as it now stands in its file to whoever connects from now on; connections that stand go on.

        Raises EdgeRefused when the file is unusable (the old certificate then stays), RegistrarAbsent if nobody answers.
        """
        await self._ask("tls.reload")

    async def bans(self) -> tuple[Ban, ...]:
        """Who is banned now."""
        answer = await self._ask("htable.dump", "bans")
        entries = [entry for slot in answer or () for entry in slot["slot"]]
        return tuple(_ban(entry["name"], str(entry["value"])) for entry in entries)

    async def unban(self, source: str) -> bool:
        """Lift every ban of an address, however it is written, with its count of wrong passwords; whether there was a ban."""
        place = _place(source)
        keys = [f"{ban.source} {ban.user}" if ban.user else ban.source for ban in await self.bans() if ban.source == place]
        counted = (("arrivals", place), *(("guesses", key) for key in (place, f"? {place}", *keys)))
        for table, key in (*(("bans", key) for key in keys), *counted):
            await self._forget(table, key)
        return bool(keys)

    async def _forget(self, table: str, key: str) -> None:
        try:
            await self._ask("htable.delete", table, key)
        except EdgeRefused as refused:
            if refused.code != NO_SUCH_KEY:
                raise

    async def _ask(self, method: str, *parameters: str | int, seconds: float = ANSWER_SECONDS) -> Any:
        async with self._turn:
            for _ in range(TRIES):
                try:
                    answer = await self._line.ask(method, parameters, seconds)
                except (TimeoutError, OSError) as silence:
                    last = silence
                    if isinstance(silence, OSError) and not isinstance(silence, TimeoutError):
                        await asyncio.sleep(ANSWER_SECONDS / 5)
                    continue
                if "error" in answer:
                    raise EdgeRefused(method, int(answer["error"]["code"]), str(answer["error"]["message"]))
                return answer["result"]
        raise RegistrarAbsent(f"Kamailio did not answer {method} at {self._path} ({last!r}): it is dead, starting or drowning; see its log")


def contact_of(entry: Mapping[str, Any]) -> Contact:
    """A contact from an entry of ul.lookup. Where its packets came from (Received) goes first: addresses lie behind NAT and over TCP."""
    address = ALIAS.sub("", str(entry["Address"]))  # one that the phone made up would send our calls where it likes
    received = _given(entry.get("Received"))
    where = PLACE.match(received or address)
    transport = ((where and where["transport"]) or "udp").lower()
    uri = address
    if where and transport in ALIAS_TRANSPORTS:
        uri = f"{address};alias={where['host']}~{where['port'] or 5060}~{ALIAS_TRANSPORTS[transport]}"
    expires = entry.get("Expires")
    return Contact(
        uri=uri,
        device=_given(entry.get("Instance")) or str(entry.get("Call-ID", "")),
        user_agent=_given(entry.get("User-Agent")) or "",
        transport=transport,
        expires_seconds=expires if isinstance(expires, int) else 0,
    )


def _place(source: str) -> str:
    """What is counted and banned for an address: of IPv6 its first 64 bits (`WHENCE` in guard.cfg.j2)."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:  # banned nowhere
        return source
    return str(ipaddress.ip_network((address, 64), strict=False).network_address) if address.version == 6 else str(address)


def _given(value: Any) -> str | None:
    return str(value) if value not in (None, "", "[not set]", "n/a") else None


def _ban(key: str, reason: str) -> Ban:
    source, _, user = key.partition(" ")
    return Ban(source, user or None, reason)
