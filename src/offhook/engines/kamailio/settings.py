"""What the edge has to be told: addresses, files, and how much of what it bears."""

import ipaddress
import re
import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SECRET = re.compile(r"[0-9A-Za-z]{32,}")
SOCKET_PATH_LIMIT = 107  # bytes; sun_path of unix(7) holds 108, the last of them zero


Ping = Literal["nat", "all", "none"]


class EdgeMisconfigured(Exception):
    """A setting of the edge cannot work. The text names the setting and says what to change."""


@dataclass(frozen=True)
class EdgeSettings:
    """Settings of one Kamailio. Seconds are whole seconds; sizes are MiB."""

    address: str
    """Where telephones and carriers reach us, and what we advertise: an IPv4 address of this machine."""
    sip_port: int
    """Telephones, UDP and TCP; both address families."""
    carrier_port: int
    """Carriers, UDP; a socket of their own, so that what arrives there is never taken for a telephone."""
    inner_port: int
    """The switch, UDP on 127.0.0.1; nobody else may use it."""
    switch_port: int
    """The switch's own UDP port on 127.0.0.1."""
    run_folder: Path
    """Rendered configuration and control socket."""
    database: Path
    """Kamailio's own SQLite file: what it loads at start, and the registrations it writes back."""
    secret: str
    """Signs nonces and dialogs; the same after a restart, or phones in a call could no longer hang up."""
    certificate: Path
    """Private key, certificate and its chain in one PEM file, as TLS shows it; read at the start and by `Edge.reload_certificates`."""
    sips_port: int
    """Telephones, TLS."""
    address6: str | None = None
    """The same as `address` in IPv6, without brackets; None: no IPv6."""
    trusted: tuple[str, ...] = ()
    """Addresses and networks never throttled or banned (they still need a password)."""

    tcp_children: int = 2
    """Processes that read telephones over TCP and TLS; each UDP socket has one of its own."""
    shared_memory_mb: int = 256
    """Registrations, credentials, bans, transactions, connections; taken whole at the start (0.2 s). 100,000 credentials take 16 (40 while
    reloading), 20,000 registrations 20, 300 calls set up a second 60, a TCP connection 18 kB, one of TLS 32 at rest."""
    worker_memory_mb: int = 64
    """Touched only where used: a reload reads the whole table of credentials into the memory of the one process that does it."""
    tcp_connections: int = 4096
    tcp_idle_seconds: int = 20
    """A TCP connection that has not shown a password is closed after this long in silence."""
    tcp_bytes_limit: int = 16384
    """The longest SIP message over TCP or TLS. Kept for every connection from its beginning in the memory that all calls share: with 65536
    a thousand half-open connections ate 64 MB of it."""
    tcp_probe_after_seconds: int = 60
    """A connection silent for this long is probed by the system (keep-alives of TCP), and after three probes without an answer it is gone,
    and the telephone's registration with it."""
    tcp_probe_every_seconds: int = 10

    contacts_per_user: int = 10
    shortest_registration_seconds: int = 60
    longest_registration_seconds: int = 3600
    write_back_seconds: int = 3
    """Telephones that came within so long are lost when Kamailio is killed; of those that only refreshed nothing is."""
    ping: Ping = "nat"
    """Which telephones over UDP are sent OPTIONS: those behind NAT, only to keep its mapping; all, and who is silent is removed; none."""
    ping_seconds: int = 30
    """NAT boxes forget a UDP mapping after 30 s and more (RFC 4787 asks for 120)."""
    silent_after_seconds: int = 100
    """Three pings and their time: with "all" a telephone that answered none for so long is no longer registered ten seconds later."""

    new_calls_per_second: int = 400
    """More new calls (INVITEs that begin one, emergency calls not counted) are refused with 503 before anything is done for them. A last
    line for the whole machine: how many the switch bears it says itself, by `Edge.limit_new_calls`."""
    retry_after_seconds: int = 5

    switch_silence_ms: int = 1500
    """A switch that sent no answer at all by then is dead, and the phone gets 503."""
    phone_silence_ms: int = 8000
    """The same for a phone or a carrier; the switch gets 408."""
    longest_ringing_ms: int = 300_000
    """Only a last resort: how long a call rings is the switch's decision."""

    flood_requests: int = 800
    """More than this from one source in flood_seconds is a flood: 400 phones of an office that register again after a power cut are not."""
    flood_seconds: int = 2
    guesses_by_user: int = 10
    """Wrong passwords from one source for one user, within ban_seconds, until this pair is banned."""
    guesses_by_source: int = 50
    """The same for one source, whatever the user: an office behind one address may have several phones with an old password. So many
    packets of scanners, for unknown domains or of unknown carriers ban a source too, unless telephones are registered there."""
    guesses_of_user: int = 100
    """Wrong passwords for one user, from all sources together, within ban_seconds, that are told as an attack; nobody is locked out."""
    ban_seconds: int = 300
    new_sources_per_second: int = 100
    """Of each kind so many sources and users are newly counted in a second. Each takes 150 octets for ban_seconds: 5 MB at most."""
    emergencies_by_source: int = 20
    """Emergency calls of one telephone, within emergency_seconds, that are let through unchallenged; further ones show the password."""
    emergency_seconds: int = 10

    def __post_init__(self) -> None:
        _require(self.address, ipaddress.IPv4Address, "address")
        if self.address6 is not None:
            _require(self.address6, ipaddress.IPv6Address, "address6")
        for text in self.trusted:
            _require(text, ipaddress.ip_network, "trusted")
        if not SECRET.fullmatch(self.secret):
            raise EdgeMisconfigured("`secret` must be 32 or more letters and digits, nothing else; make one at random.")
        length = len(bytes(self.control_socket))
        if length > SOCKET_PATH_LIMIT:
            raise EdgeMisconfigured(
                f"`run_folder` is too long: {self.control_socket} has {length} bytes, a socket's path at most {SOCKET_PATH_LIMIT}. "
                "Choose a shorter data folder (OFFHOOK_DATA_DIR)."
            )

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where we listen, as URIs write it."""
        return (self.address,) if self.address6 is None else (self.address, f"[{self.address6}]")

    @property
    def open_files(self) -> int:
        """How many files Kamailio may open: its connections and some, as far as we are let; with the usual 1024 it took no more."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return self.tcp_connections + 512 if hard == resource.RLIM_INFINITY else min(self.tcp_connections + 512, hard)

    @property
    def trusted_sources(self) -> tuple[str, ...]:
        """`trusted` as Kamailio's configuration writes it."""
        return tuple(f"[{address}]/{length}" if ":" in address else f"{address}/{length}" for address, length in _parts(self.trusted))

    @property
    def tls_configuration(self) -> Path:
        return self.run_folder / "kamailio-tls.cfg"

    @property
    def configuration(self) -> Path:
        return self.run_folder / "kamailio.cfg"

    @property
    def control_socket(self) -> Path:
        return self.run_folder / "kamailio.ctl"


def _require(text: str, reader: Callable[[str], object], name: str) -> None:
    try:
        reader(text)
    except ValueError as wrong:
        raise EdgeMisconfigured(f"{text!r} is not what `{name}` takes ({wrong}); correct it.") from wrong


def _parts(networks: Iterable[str]) -> Iterator[tuple[str, int]]:
    for text in networks:
        network = ipaddress.ip_network(text)
        yield str(network.network_address), network.prefixlen
