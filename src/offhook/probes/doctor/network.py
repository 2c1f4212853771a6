"""The network: the addresses telephones and carriers are told, ports and who has them, names, IPv6, and helpers that do harm."""

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from offhook.probes.doctor.findings import Finding, State, failure, graded, looked_at, ok, warning

AREA = "network"
_TABLES = {"udp": ("udp", "udp6"), "tcp": ("tcp", "tcp6")}
_LISTENS = {"udp": "07", "tcp": "0A"}  # states of /proc/net/udp and tcp: unconnected, and LISTEN
_KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
_NOWHERE = ("192.0.2.1", 9)  # RFC 5737; connecting a UDP socket sends nothing, and tells the address we would send from


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port the system needs: its setting, host, number and kinds ("udp", "tcp")."""

    setting: str
    host: str
    port: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """What the system is told of the network. `running` are the processes of one that runs, by id; empty if none does."""

    address: str
    address6: str | None
    sandbox: bool
    ports: Sequence[Wanted]
    rtp: Callable[[], str]
    """Claims the ports for sound and lets go of them; says which. Raises an exception with a sentence."""
    running: frozenset[int]


def look_at_network(network: Network) -> Iterator[Finding]:
    """What the network is like."""
    return looked_at(AREA, (lambda: _addresses(network), lambda: _ports(network), lambda: _sound(network), _names, _ipv6, _alg))


def _addresses(network: Network) -> Iterator[Finding]:
    for text in (network.address, *([network.address6] if network.address6 else [])):
        address = ipaddress.ip_address(text)
        if not _is_ours(text):
            others = f"this machine sends from {_outward()}"
            yield failure(
                AREA, "address", f"{text} is no address of this machine; {others}", "Correct OFFHOOK_ADDRESS or OFFHOOK_ADDRESS6."
            )
        elif address.is_loopback:
            state = State.OK if network.sandbox else State.WARNING
            advice = f"To let telephones in from the network: OFFHOOK_ADDRESS={_outward()}, OFFHOOK_SANDBOX=no and an empty data folder."
            yield Finding(AREA, "address", state, f"{text}: only this machine can call", advice)
        elif address.is_private:
            said = f"{text}: what telephones and carriers are told in Contact and SDP; a private address, so only this network reaches it"
            advice = (
                "Telephones and carriers outside hear nothing through a NAT at our side: put the system on a public address, or use a VPN."
            )
            yield warning(AREA, "address", said, advice) if not network.sandbox else ok(AREA, "address", said, advice)
        else:
            yield ok(AREA, "address", f"{text}: what telephones and carriers are told in Contact and SDP")


def _ports(network: Network) -> Iterator[Finding]:
    for wanted in network.ports:
        for kind in wanted.kinds:
            yield _port(wanted, kind, network.running)


def _port(wanted: Wanted, kind: str, running: frozenset[int]) -> Finding:
    name = f"{kind.upper()} {wanted.port}" + (" over IPv6" if ":" in wanted.host else "")
    taken = _taken(wanted.host, wanted.port, kind)
    holders = _holders(wanted.port, kind) if taken else {}
    told = ", ".join(f"{program} ({_processes(pids)})" for program, pids in holders.items()) or "a program of another user"
    if running:
        if not taken:
            return failure(AREA, name, f"nobody listens at {wanted.host}, though the system runs", "Look into its log, or start it again.")
        return ok(AREA, name, f"{wanted.host}: {told}")
    if taken:
        return failure(AREA, name, f"{wanted.host}: taken by {told}", f"Stop that program, or set {wanted.setting} to a free port.")
    return ok(AREA, name, f"{wanted.host}: free")


def _taken(host: str, port: int, kind: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, _KINDS[kind]) as trial:
        if kind == "tcp":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            if kind == "tcp":
                trial.listen(1)
        except PermissionError:
            return True
        except OSError:
            return _is_ours(host)
    return False


def _processes(pids: list[int]) -> str:
    return f"process {pids[0]}" if len(pids) == 1 else f"process {min(pids)} and {len(pids) - 1} more"


def _holders(port: int, kind: str) -> dict[str, list[int]]:
    """Who has a port open, processes by program; only root sees other users'."""
    inodes = set()
    for table in _TABLES[kind]:
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == _LISTENS[kind]:
                inodes.add(f"socket:[{fields[9]}]")
    found: dict[str, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                found.setdefault((process / "comm").read_text().strip(), []).append(int(process.name))
        except OSError:
            continue
    return found


def _sound(network: Network) -> Iterator[Finding]:
    if network.running:
        return
    try:
        yield ok(AREA, "UDP for sound", f"{network.rtp()} are free; every firewall on the way must let them through")
    except Exception as why:
        yield failure(AREA, "UDP for sound", str(why), "Name other ports by OFFHOOK_RTP_PORTS, or stop what has them.")


def _names() -> Iterator[Finding]:
    try:
        socket.getaddrinfo("localhost", None)
    except OSError as why:
        yield failure(AREA, "names", f"localhost has no address ({why})", "Put `127.0.0.1 localhost` into /etc/hosts.")
    resolver = Path("/etc/resolv.conf")
    servers = [line.split()[1] for line in resolver.read_text().splitlines() if line.startswith("nameserver")] if resolver.exists() else []
    state = State.OK if servers else State.WARNING
    detail = f"name servers {', '.join(servers)}" if servers else "no name server is set"
    yield graded(AREA, "DNS", state, detail, "Set one in /etc/resolv.conf: set-up and carriers with names need it.")


def _ipv6() -> Iterator[Finding]:
    table = Path("/proc/net/if_inet6")
    scopes = [line.split()[3] for line in table.read_text().splitlines()] if table.exists() else []
    outside = sum(scope == "00" for scope in scopes)
    yield ok(
        AREA,
        "IPv6",
        f"{outside} addresses beyond this link" if outside else "this machine alone" if scopes else "none here, and none needed",
    )


def _alg() -> Iterator[Finding]:
    modules = Path("/proc/modules")
    if modules.exists() and any(line.startswith("nf_nat_sip ") for line in modules.read_text().splitlines()):
        remedy = "As root: rmmod nf_nat_sip nf_conntrack_sip, and keep it from being loaded; it rewrites SIP wrongly."
        yield warning(AREA, "SIP helper", "the kernel's nf_nat_sip is loaded", remedy)


def _is_ours(host: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((host, 0))
        except OSError:
            return False
    return True


def _outward() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(_NOWHERE)
        except OSError:
            return "this machine's address"
        return str(way.getsockname()[0])
