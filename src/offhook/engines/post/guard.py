"""Which addresses a stranger may have us connect to: those of the public network, and nothing of our own."""

import socket
import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an address of IPv4
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA has given to anybody; site-local fec0::/10 (RFC 3879) and the like are not in it
_NOT_PUBLIC = (
    IPv4Network("192.0.0.0/24"),  # RFC 6890
    IPv4Network("192.88.99.0/24"),  # RFC 7526: relays of a tunnel
    IPv6Network("3fff::/20"),  # RFC 9637: documentation
)
"""What Python 3.11 holds to be global and is not."""

_RTM_GETROUTE, _NLM_F_REQUEST, _RTA_DST = 26, 1, 1
_RTM_NEWROUTE, _RTN_LOCAL = 24, 2


def is_public(address: str) -> bool:
    """Whether an address belongs to the public network (IANA's special registries, RFC 6890), what it is wrapped in taken off.

    Loopback, private, site-local and shared networks, link-local addresses (where clouds keep their secrets), multicast and what is
    reserved do not.
    """
    meant = meant_by(address)
    if isinstance(meant, IPv6Address) and meant not in _GLOBAL_UNICAST:
        return False
    special = meant.is_multicast or meant.is_reserved or meant.is_unspecified or any(meant in network for network in _NOT_PUBLIC)
    return meant.is_global and not special


def is_here(address: str) -> bool:
    """Whether what is sent there is delivered on this machine: to an address of any of its interfaces. Raises OSError.

    The kernel is asked for the route (rtnetlink(7)), by which it would send. An attempt to bind says yes to everything where
    net.ipv4.ip_nonlocal_bind is set, as it is where an address moves between two machines.
    """
    meant = meant_by(address)
    wanted = struct.pack("=HH", 4 + len(meant.packed), _RTA_DST) + meant.packed
    family = socket.AF_INET if meant.version == 4 else socket.AF_INET6
    route = struct.pack("=8BI", family, meant.max_prefixlen, 0, 0, 0, 0, 0, 0, 0) + wanted
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as line:
        line.settimeout(1.0)
        line.sendto(struct.pack("=IHHII", 16 + len(route), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + route, (0, 0))
        answer = line.recv(8192)
    (kind,) = struct.unpack_from("=H", answer, 4)
    return kind == _RTM_NEWROUTE and answer[16 + 7] == _RTN_LOCAL  # else there is no way to it at all


def meant_by(address: str) -> IPv4Address | IPv6Address:
    """The address that this one leads to: of IPv4, where it only wraps one for a translator or tunnel."""
    parsed = ip_address(address.partition("%")[0])
    if not isinstance(parsed, IPv6Address):
        return parsed
    if parsed in _NAT64:
        return IPv4Address(int(parsed) & 0xFFFFFFFF)
    return parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None) or parsed
