"""Every setting of Offhook: its type, its default and why. Read from variables named OFFHOOK_...; all mistakes are told at once.

Only wiring and main read this. Everybody else is given plain values.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from email.utils import parseaddr
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

_PREFIX = "OFFHOOK_"
_SHORTEST_SESSION = 90  # RFC 4028 section 4
_OF_THE_COMMAND_LINE = ("OFFHOOK_URL", "OFFHOOK_TOKEN")  # which system it speaks to; no business of a system that starts
DATABASE_VARIABLE = "OFFHOOK_DATABASE_URL"
WITH_PASSWORDS = (DATABASE_VARIABLE, "OFFHOOK_MAIL_SERVER")
"""Variables that the engines have no use for."""
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_DATABASE_OPTIONS = {"host", "sslmode", "sslrootcert"}
_ENCRYPTION = {"disable", "require", "verify-full"}
_PROJECT = Path(__file__).resolve().parents[2]
_HIGHEST_PORT = 65535
_HIGHEST_RATE = 100_000
_FEWEST_RTP_PORTS = 100  # 25 calls: two legs each, RTP and RTCP


class PortRange(NamedTuple):
    """UDP ports from `first` to `last`, both included."""

    first: int
    last: int


class Mistake(NamedTuple):
    """One setting that cannot be used: its variable, the value given and what would be right."""

    name: str
    value: str
    right: str

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}: {self.right}"


class SettingsWrong(Exception):
    """Settings cannot be used. `mistakes` has all of them, and the text one line for each."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class _Unreadable(ValueError):
    """A value is not what the setting takes."""


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _HIGHEST_PORT):
        raise _Unreadable
    return int(text)


def _port_range(text: str) -> PortRange:
    first, _, last = text.partition("-")
    ports = PortRange(_port(first.strip()), _port(last.strip()))
    if ports.first % 2 or ports.last - ports.first + 1 < _FEWEST_RTP_PORTS:
        raise _Unreadable
    return ports


def _database(text: str) -> str:
    url = urlsplit(text)
    options = dict(parse_qsl(url.query, strict_parsing=True)) if url.query else {}
    port, named = url.port, url.username and url.path.strip("/")  # reading the port is what tells a wrong one
    if url.scheme != "postgresql" or not named or port == 0 or options.keys() - _DATABASE_OPTIONS:
        raise _Unreadable
    if options.get("sslmode", "disable") not in _ENCRYPTION or not (url.hostname or options.get("host", "").startswith("/")):
        raise _Unreadable
    return text


def _mail_server(text: str) -> str:
    url = urlsplit(text)
    options = dict(parse_qsl(url.query, strict_parsing=True)) if url.query else {}
    if url.scheme not in ("smtp", "smtps") or url.port == 0 or not _HOST.fullmatch(url.hostname or ""):
        raise _Unreadable
    if options.keys() - {"starttls", "cafile"} or options.get("starttls", "no") not in ("yes", "no"):
        raise _Unreadable
    if (url.scheme == "smtps" and "starttls" in options) or (not options.get("cafile", "/").startswith("/")):
        raise _Unreadable
    if url.path.strip("/") or url.fragment or bool(url.username) != bool(url.password) or not _unquoted(url.username, url.password):
        raise _Unreadable
    return text


def _unquoted(*texts: str | None) -> bool:
    """Whether these, once %40 is an @, can go over a line. Signing in by SMTP has ASCII alone (smtplib)."""
    return all(plain.isascii() and plain.isprintable() for plain in (unquote(text or "") for text in texts))


def _mail_from(text: str) -> str:
    name, address = parseaddr(text)
    if not _MAIL_ADDRESS.fullmatch(address) or not name.isprintable() or "\n" in text or text.count("@") != 1:
        raise _Unreadable
    return text


def _origin(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or url.port == 0 or not _HOST.fullmatch(url.hostname or "") or url.username is not None:
        raise _Unreadable
    if url.path.strip("/") or url.query or url.fragment:
        raise _Unreadable
    return text.rstrip("/")


def _address(text: str) -> str:
    address = ipaddress.IPv4Address(text)
    if address.is_unspecified or address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        raise _Unreadable
    return str(address)


def _address6(text: str) -> str:
    address = ipaddress.IPv6Address(text.removeprefix("[").removesuffix("]"))
    if address.is_unspecified or address.is_multicast or address.is_link_local or address.scope_id or address.ipv4_mapped:
        raise _Unreadable
    return str(address)


def _networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(each)) for each in text.replace(",", " ").split())


def _sources(text: str) -> tuple[str, ...]:
    if text.lower() == "none":
        return ()
    return tuple(str(ipaddress.ip_network(each)) for each in text.replace(",", " ").split())


def _one_of(**values: Any) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if text.lower() not in values:
            raise _Unreadable
        return values[text.lower()]

    return parse


def _rate(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _HIGHEST_RATE):
        raise _Unreadable
    return int(text)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 3600):
        raise _Unreadable
    return int(text)


def _session(text: str) -> int:
    if not (text.isascii() and text.isdigit() and (text == "0" or _SHORTEST_SESSION <= int(text) <= 86_400)):
        raise _Unreadable
    return int(text)


def _read_by(parse: Callable[[str], Any], right: str, *, secret: bool = False) -> dict[str, Any]:
    return {"parse": parse, "right": right, "secret": secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one system. The variable of `data_dir` is OFFHOOK_DATA_DIR, and so on."""

    data_dir: Path = field(default=_PROJECT / "var", metadata=_read_by(_path, "the path of a folder that only this system uses"))
    """All that is kept; nothing is written elsewhere. In the project by default, so that every command finds it from any folder."""

    database_url: str | None = field(
        default=None,
        repr=False,
        metadata=_read_by(
            _database,
            "postgresql://user:password@host:port/name, with ?sslmode=disable, require or verify-full and &sslrootcert=/a/file if need be, "
            "and ?host=/a/folder in the place of host for a Unix socket",
            secret=True,
        ),
    )
    """The database. None: a file of SQLite in the data folder, which needs no care; PostgreSQL where one is kept well already."""

    address: str = field(
        default="127.0.0.1", metadata=_read_by(_address, "an IPv4 address of this machine (not 0.0.0.0: no phone can call it)")
    )
    """What telephones, carriers and browsers reach, and SDP and Contact name. Loopback: a first try is never open to the network."""

    address6: str | None = field(
        default=None, metadata=_read_by(_address6, "an IPv6 address of this machine, such as ::1 (not ::, and none that begins with fe80)")
    )
    """The same for telephones and carriers that speak IPv6, beside IPv4. None: no IPv6, and nothing is asked of a machine without it."""

    sip_port: int = field(default=5060, metadata=_read_by(_port, "a port from 1 to 65535"))
    """Telephones, UDP and TCP; 5060 is what every phone tries first (RFC 3261, 19.1.2)."""

    sips_port: int = field(default=0, metadata=_read_by(_port, "a port from 1 to 65535"))
    """Telephones, TLS; the one after `sip_port` if not set, as 5061 is what every phone tries first (RFC 3261, 19.1.2)."""

    tls_certificate: Path | None = field(default=None, metadata=_read_by(_path, "the path of a PEM file: the certificate, then its chain"))
    """What telephones are shown over TLS. None: an authority of our own makes one, and telephones must be told to trust it."""

    tls_key: Path | None = field(
        default=None, metadata=_read_by(_path, "the path of a PEM file: the private key of OFFHOOK_TLS_CERTIFICATE")
    )
    """Without a password. Both are copied into the data folder at the start and when they changed."""

    http_port: int = field(default=8080, metadata=_read_by(_port, "a port from 1 to 65535"))
    """Pages and API, TCP; below 1024 only root could open it."""

    rtp_ports: PortRange | None = field(
        default=None,
        metadata=_read_by(_port_range, f"two ports such as 20000-21999, the first even, at least {_FEWEST_RTP_PORTS} of them"),
    )
    """Sound, UDP; two ports for each telephone of a call, also while it only rings. None: the first free block of 2,000 from 20000 up, so
    that two systems fit."""

    media_memory: bool = field(default=True, metadata=_read_by(_one_of(yes=True, no=False), "yes or no"))
    """Whether calls outlive rtpengine: a redis-server keeps them, in memory alone. It costs each call some 0.5 CPU ms."""

    sandbox: bool = field(default=True, metadata=_read_by(_one_of(yes=True, no=False), "yes or no"))
    """Two made-up organizations and a public network on this machine, to try everything at once; "no" starts empty."""

    drain_seconds: int = field(default=5, metadata=_read_by(_seconds, "whole seconds from 0 to 3600"))
    """How long calls may go on after the first Ctrl-C or SIGTERM. Short: a first try is stopped often; a live system takes minutes."""

    trusted: tuple[str, ...] = field(
        default=(),
        metadata=_read_by(_networks, "addresses or networks with commas between them, such as 192.168.1.10, 10.0.0.0/8, fd00::/8"),
    )
    """Sources never throttled or banned: an office behind one address, a monitoring system. They still need a password."""

    ping_phones: str = field(default="nat", metadata=_read_by(_one_of(nat="nat", all="all", none="none"), "one of nat, all and none"))
    """Which telephones over UDP are sent OPTIONS every 30 s: those behind NAT, or its box forgets them; all, and one that answers none for
    100 s is no longer rung; none. Over TCP and TLS the system itself probes every connection. Not "all" by default: few, but some
    telephones answer no OPTIONS."""

    ping_carriers_seconds: int = field(default=30, metadata=_read_by(_seconds, "0 (never) or whole seconds to 3600"))
    """How often each carrier is asked by OPTIONS whether it lives. Twice in vain it counts as down, which is told, and routes nothing."""

    new_calls_per_second: int = field(default=400, metadata=_read_by(_rate, f"a whole number from 1 to {_HIGHEST_RATE}"))
    """More new calls are refused with 503 at once, emergency calls apart. Above what two cores carry (300), so that it only ends a rush."""

    most_calls: int = field(default=2000, metadata=_read_by(_rate, f"a whole number from 1 to {_HIGHEST_RATE}"))
    """More calls at once are refused with 503 and Retry-After, emergency calls apart; and those for whose sound no ports are left."""

    most_calls_a_user: int = field(default=20, metadata=_read_by(_rate, f"a whole number from 1 to {_HIGHEST_RATE}"))
    """More that one user makes at once are refused with 403, emergency calls apart: one telephone gone wrong, or one stolen password,
    must not take what is there for all. Far above what a person makes; whoever signs in for many, such as an old exchange, needs more."""

    session_seconds: int = field(default=1800, metadata=_read_by(_session, f"0 (never) or whole seconds from {_SHORTEST_SESSION} to 86400"))
    """How long a call may stand without a telephone showing that it still knows of it (RFC 4028); half of it is how often it is asked."""

    redirects: str = field(default="follow", metadata=_read_by(_one_of(follow="follow", refuse="refuse"), "follow or refuse"))
    """Whether a telephone may send its callers on (302), at its owner's expense and with his rights, or only refuses them by that."""

    srtp: str = field(default="offered", metadata=_read_by(_one_of(offered="offered", off="off"), "offered or off"))
    """Whether telephones that signal over TLS are called with encrypted sound, and without it if they cannot."""

    log_level: str = field(
        default="info",
        metadata=_read_by(_one_of(debug="debug", info="info", warning="warning", error="error"), "one of debug, info, warning and error"),
    )
    """Of our own processes. "info" has a line for every call; "debug" one for every message."""

    log_format: str = field(default="text", metadata=_read_by(_one_of(text="text", json="json"), "text or json"))
    """Of our own processes: lines for people, or an object a line for a collector of logs."""

    metrics_from: tuple[str, ...] = field(
        default=("127.0.0.0/8", "::1/128"),
        metadata=_read_by(_sources, "IP addresses or networks with commas between them, such as 192.168.1.10, or none"),
    )
    """Who reads /metrics without the provider's token. The figures name nobody, but tell how busy and how well the system is."""

    webhooks_to_private: bool = field(default=False, metadata=_read_by(_one_of(yes=True, no=False), "yes or no"))
    """Whether webhooks may lead to this machine and to private networks. Whoever makes one may be a tenant, who must not reach what is
    behind our firewall; "yes" where all of them may."""

    mail_server: str | None = field(
        default=None,
        repr=False,
        metadata=_read_by(
            _mail_server,
            "smtp://user:password@host:port (STARTTLS is demanded but on loopback; ?starttls=no sends readably) or smtps://..., "
            "with ?cafile=/a/file for an authority of your own; user and password of ASCII letters, digits and signs alone",
            secret=True,
        ),
    )
    """Where mail is brought to. None: none leaves the system, and links of invitations are handed over by hand."""

    mail_from: str | None = field(
        default=None, metadata=_read_by(_mail_from, "a mail address, with or without a name: Telephones <phones@example.com>")
    )
    """Whom mail is from; what cannot be delivered comes back there."""

    public_url: str | None = field(
        default=None, metadata=_read_by(_origin, "where pages are reached, such as https://phones.example.com, without a path")
    )
    """Where links in mails lead, if that is not OFFHOOK_ADDRESS and OFFHOOK_HTTP_PORT: behind a proxy with HTTPS, for one."""

    def __post_init__(self) -> None:
        beside = self.sip_port + 1 if self.sip_port < _HIGHEST_PORT else self.sip_port - 1
        object.__setattr__(self, "sips_port", self.sips_port or beside)

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can reach us, so that published passwords do no harm."""
        reached = (self.address, *([self.address6] if self.address6 else []))
        return all(ipaddress.ip_address(address).is_loopback for address in reached)


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that `environment` makes; an empty variable counts as not set. Raises SettingsWrong with every mistake."""
    values: dict[str, Any] = {}
    mistakes = list(_unknown(environment))
    for each in fields(Settings):
        name = _variable(each)
        text = environment.get(name, "").strip()
        if not text:
            continue
        try:
            values[each.name] = each.metadata["parse"](text)
        except ValueError:
            shown = "***" if each.metadata["secret"] else text
            mistakes.append(Mistake(name, shown, f"must be {each.metadata['right']}."))
    settings = Settings(**values)
    mistakes += _clashes(settings)
    if mistakes:
        raise SettingsWrong(mistakes)
    return settings


def database_of(settings: Settings) -> str:
    """Where the database is, as store.engine takes it."""
    return settings.database_url or f"sqlite:///{settings.data_dir / 'offhook.sqlite'}"


def _variable(setting: Field[Any]) -> str:
    return _PREFIX + setting.name.upper()


def _unknown(environment: Mapping[str, str]) -> Iterator[Mistake]:
    """A misspelt name would silently leave the default at work."""
    known = [_variable(each) for each in fields(Settings)]
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known and name not in _OF_THE_COMMAND_LINE:
            near = difflib.get_close_matches(name, known, n=1)
            right = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            value = environment[name]
            yield Mistake(name, "***" if "@" in value else value, f"no such setting; {right}")  # a misspelt address of the database


def _clashes(settings: Settings) -> Iterator[Mistake]:
    if settings.sip_port == settings.http_port:
        yield Mistake("OFFHOOK_HTTP_PORT", str(settings.http_port), "is OFFHOOK_SIP_PORT too; SIP takes TCP as well, so choose another.")
    if settings.sips_port in (settings.sip_port, settings.http_port):
        yield Mistake("OFFHOOK_SIPS_PORT", str(settings.sips_port), "is OFFHOOK_SIP_PORT or OFFHOOK_HTTP_PORT too; choose another.")
    ports = settings.rtp_ports
    if ports and ports.first <= settings.sip_port <= ports.last:
        yield Mistake("OFFHOOK_SIP_PORT", str(settings.sip_port), "lies within OFFHOOK_RTP_PORTS; choose one outside.")
    if settings.tls_certificate and not settings.tls_key:
        yield Mistake("OFFHOOK_TLS_KEY", "", "must name the key of OFFHOOK_TLS_CERTIFICATE; set both or none.")
    if settings.mail_server and not settings.mail_from:
        yield Mistake("OFFHOOK_MAIL_FROM", "", "must name whom the mail of OFFHOOK_MAIL_SERVER is from; set both or none.")
    if settings.mail_from and not settings.mail_server:
        yield Mistake("OFFHOOK_MAIL_SERVER", "", "must name the server that takes mail from OFFHOOK_MAIL_FROM; set both or none.")
    if settings.tls_key and not settings.tls_certificate:
        yield Mistake("OFFHOOK_TLS_CERTIFICATE", "", "must name the certificate of OFFHOOK_TLS_KEY; set both or none.")
