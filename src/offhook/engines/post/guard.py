"""Which addresses a stranger may have us connect to: those of the public network, and nothing of our own."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an address of IPv4


def is_public(address: str) -> bool:
    """Whether an address belongs to the public network (IANA's special registries, RFC 6890), what it is wrapped in taken off.

    Loopback, private and shared networks, link-local addresses (where clouds keep their secrets), multicast and what is reserved do not.
    """
    parsed = ip_address(address.partition("%")[0])
    inner = _wrapped(parsed) if isinstance(parsed, IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 that this one leads to by a translator or tunnel."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
