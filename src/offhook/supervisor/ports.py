"""Ports: which are free, and a block for sound that no other system on this machine takes.

rtpengine binds ports that another rtpengine already uses without an error, so a block is claimed by names of abstract Unix sockets: they
belong to a network name space, as ports do, and the kernel lets go of them when the last process that holds them ends.
"""

import errno
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from offhook.supervisor.refusals import NoRtpPorts, PortTaken

Kind = Literal["udp", "tcp"]

_SOCKET_TYPES = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
_FIRST_RTP_PORT = 20000
_RTP_PORTS = 2000
_UNIT = 100  # ports to one claim; blocks that share any unit count as overlapping
_EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_UDP_SOCKETS = (Path("/proc/net/udp"), Path("/proc/net/udp6"))

_WHY_NOT = {
    errno.EADDRINUSE: "is in use by another program; stop that, or set {setting} to a free port",
    errno.EACCES: "may be opened by root only; set {setting} to a port from 1024 up",
    errno.EADDRNOTAVAIL: "cannot be opened: this machine has no address {host}; correct {address_setting}",
    errno.EAFNOSUPPORT: "cannot be opened: this machine has no IPv6; remove {address_setting}",
}


def free_port(host: str, kinds: Sequence[Kind] = ("udp", "tcp"), avoid: Collection[int] = (), preferred: int = 0) -> int:
    """A port of `host` that nobody uses now, for all `kinds` at once, and not among `avoid`: the `preferred` one if that is so.

    Raises PortTaken when there is none.
    """
    if preferred and preferred not in avoid and all(_why_not(host, preferred, kind) is None for kind in kinds):
        return preferred
    first, *others = kinds
    for _ in range(100):
        with _bound(host, 0, first) as found:
            port = int(found.getsockname()[1])
            if port not in avoid and all(_why_not(host, port, kind) is None for kind in others):
                return port
    raise PortTaken(f"No free port was found on {host}; stop programs that hold many.")


def check_free(host: str, port: int, kinds: Sequence[Kind], setting: str, address_setting: str = "OFFHOOK_ADDRESS") -> None:
    """Returns when `port` can be opened for each of `kinds`; else raises PortTaken, naming the port and the settings that chose it."""
    for kind in kinds:
        wrong = _why_not(host, port, kind)
        if wrong is not None:
            words = _WHY_NOT.get(wrong.errno or 0, f"cannot be opened ({wrong.strerror}); set {{setting}} to another")
            why = words.format(setting=setting, host=host, address_setting=address_setting)
            raise PortTaken(f"{kind.upper()} port {port} on {host} ({setting}) {why}.")


def _bound(host: str, port: int, kind: Kind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, _SOCKET_TYPES[kind])
    try:
        if kind == "tcp":  # else a port whose last connections are still in TIME_WAIT would look taken for a minute
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        if kind == "tcp":  # two sockets may bind a port that neither listens on; listening is what tells
            opened.listen(1)
    except OSError:
        opened.close()
        raise
    return opened


def _why_not(host: str, port: int, kind: Kind) -> OSError | None:
    try:
        _bound(host, port, kind).close()
    except OSError as wrong:
        return wrong
    return None


@dataclass(frozen=True, slots=True)
class RtpBlock:
    """UDP ports from `first` to `last`, ours until `release`; after our death, until all that inherited `descriptors` end."""

    first: int
    last: int
    claims: tuple[socket.socket, ...]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a process must inherit to hold the block too."""
        return tuple(claim.fileno() for claim in self.claims)

    def release(self) -> None:
        """Lets others have the block."""
        for claim in self.claims:
            claim.close()


def claim_rtp_block(named: tuple[int, int] | None = None, avoid: Collection[int] = ()) -> RtpBlock:
    """The block `named` (first and last port), else the first free 2,000 ports from 20000 up, below the ephemeral ones and without `avoid`.

    Free means claimed by no other system and opened by no program. Raises NoRtpPorts.
    """
    if named is not None:
        block = _claim(*named)
        if block is None:
            raise NoRtpPorts(f"UDP ports {named[0]}-{named[1]} (OFFHOOK_RTP_PORTS) are in use; name others, or leave it unset.")
        return block
    ceiling = int(_EPHEMERAL_PORTS.read_text(encoding="ascii").split()[0])
    for first in range(_FIRST_RTP_PORT, ceiling - _RTP_PORTS + 1, _UNIT):
        last = first + _RTP_PORTS - 1
        if any(first <= port <= last for port in avoid):
            continue
        block = _claim(first, last)
        if block is not None:
            return block
    raise NoRtpPorts(
        f"No {_RTP_PORTS} UDP ports in a row are free from {_FIRST_RTP_PORT} up to {ceiling - 1}, where the system's own begin; "
        "stop another system, or name a block by OFFHOOK_RTP_PORTS."
    )


def _claim(first: int, last: int) -> RtpBlock | None:
    """None when a part is claimed or in use. Claiming comes before looking, so of two that try together one is sure to see the other."""
    claims: list[socket.socket] = []
    for unit in range(first // _UNIT, last // _UNIT + 1):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        claims.append(claim)
        try:
            claim.bind(f"\0offhook-rtp-{unit}")
        except OSError:
            break
    else:
        if not any(first <= port <= last for port in _open_udp_ports()):
            return RtpBlock(first, last, tuple(claims))
    for claim in claims:
        claim.close()
    return None


def _open_udp_ports() -> Iterator[int]:
    """Local ports of all UDP sockets, from the second column of /proc/net/udp: hexadecimal address:port."""
    for table in _UDP_SOCKETS:
        if table.exists():  # there is no udp6 without IPv6
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                yield int(line.split()[1].rpartition(":")[2], 16)
