"""The provider's carriers: where calls of all organizations go out, and come in from without a password."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from offhook.domain.errors import Conflict, InUse, Invalid, Missing
from offhook.domain.organizations import Carrier
from offhook.services.ports.store import CarrierEntry, ProviderTransaction, Store
from offhook.services.sandbox import CARRIER as SANDBOX
from offhook.services.users import must_be_current

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


class LastDefault(InUse):
    """The default carrier is to go, without which nobody reaches the public network, not even an emergency desk."""

    code = "carrier.default"


class HasNumbers(InUse):
    """A carrier is to go by which numbers of the stock come."""

    code = "carrier.has_numbers"


class OfTheSandbox(Conflict):
    """The sandbox looks after its carrier by itself."""

    code = "carrier.sandbox"


def list_carriers(store: Store) -> list[CarrierEntry]:
    """Every carrier, by name."""
    with store.provider_view() as provider:
        return provider.carriers.all()


def get_carrier(store: Store, name: str) -> CarrierEntry:
    """One carrier. Raises Missing."""
    with store.provider_view() as provider:
        return _found(provider, name)


def add_carrier(store: Store, name: str, address: str, port: int, *, default: bool | None, who: str) -> CarrierEntry:
    """A new carrier; the default one if so said, or (None) if there is no default yet. Raises Invalid or Conflict with the field."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            "A carrier's name has 1 to 64 lower-case letters, digits, dots, hyphens and underscores; first and last a letter or digit.",
            "name",
        )
    if name == SANDBOX:
        raise OfTheSandbox("This is what the sandbox's carrier is called; choose another name.", "name")
    carrier = Carrier(name, checked_address(address), checked_port(port))
    with store.provider_change(who) as provider:
        known = provider.carriers.all()
        if any(each.carrier.name == name for each in known):
            raise Conflict(f"There is a carrier {name} already; choose another name.", "name")
        first = not any(each.default for each in known)
        provider.carriers.put(CarrierEntry(carrier, sandbox=False, default=first if default is None else default))
        return _found(provider, name)


def change_carrier(store: Store, name: str, changes: Mapping[str, Any], *, version: int | None = None, who: str) -> CarrierEntry:
    """Give a carrier another address or port, or make it the default; only what is named.

    Raises Missing, Stale, Invalid and Conflict with the field, and LastDefault when it shall be the default no more.
    """
    moves = {"host" if field == "address" else field: value for field, value in changes.items() if field != "default"}
    if "host" in moves:
        moves["host"] = checked_address(moves["host"])
    if "port" in moves:
        moves["port"] = checked_port(moves["port"])
    with store.provider_change(who) as provider:
        entry = _found(provider, name)
        must_be_current(entry.version, version)
        if entry.sandbox and moves:
            raise OfTheSandbox("The sandbox decides where its carrier is, anew at each start.", next(iter(changes)))
        default = changes.get("default", entry.default)
        if entry.default and not default:
            raise LastDefault("Make another carrier the default one instead; without one nobody reaches the public network.", "default")
        provider.carriers.put(replace(entry, carrier=replace(entry.carrier, **moves), default=default))
        return _found(provider, name)


def remove_carrier(store: Store, name: str, *, leaves_none: bool, version: int | None = None, who: str) -> None:
    """Calls go out by it no more, and are let in from it no more. Raises Missing, Stale, OfTheSandbox, HasNumbers.

    Raises LastDefault for the default one, unless it is agreed that it `leaves_none`.
    """
    with store.provider_change(who) as provider:
        entry = _found(provider, name)
        must_be_current(entry.version, version)
        if entry.sandbox:
            raise OfTheSandbox("The sandbox's carrier goes with the sandbox: start without it (OFFHOOK_SANDBOX=no).", "carrier")
        if entry.default and not leaves_none:
            raise LastDefault(
                f"{name} is the default carrier: without one nobody calls out, and emergency calls cannot leave either. "
                "Make another one the default first, or say default=none.",
                "default",
            )
        if many := provider.stock.count_of_carrier(name):
            raise HasNumbers(
                f"{many} numbers of the stock come by {name}: give them another carrier first, or have them leave the stock.", "carrier"
            )
        provider.carriers.remove(name)


def checked_address(address: str) -> str:
    """Where a carrier is, as the edge compares it. Raises Invalid."""
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        raise Invalid(f"{address!r} is no IP address; a carrier's name is not looked up in the DNS.", "address") from None
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255" or "%" in str(found):
        raise Invalid(f"{found} is not the address of one machine.", "address")
    return str(found)


def checked_port(port: int) -> int:
    """A carrier's UDP port. Raises Invalid."""
    if not 1 <= port <= 65535:
        raise Invalid("A port is 1 to 65535; SIP's own is 5060.", "port")
    return port


def _found(provider: ProviderTransaction, name: str) -> CarrierEntry:
    entry = next((each for each in provider.carriers.all() if each.carrier.name == name), None)
    if entry is None:
        raise Missing(f"There is no carrier {name}.", "carrier")
    return entry
