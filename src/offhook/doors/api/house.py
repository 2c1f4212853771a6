"""What the doors need of the house, filled in by the wiring."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from offhook.services.ports.live import LiveSwitch, SandboxCarrier, SelfTest
from offhook.services.ports.store import Store

Status = Callable[[], Awaitable[dict[str, Any]]]
"""How the system stands, as plain JSON values: {"processes": [row, ...], "engines": [row, ...], "ports": [row, ...]}.

A row is a flat object with a "name". May raise domain.errors.Unavailable.
"""


@dataclass(frozen=True, slots=True)
class House:
    """The rooms behind the doors. `sip_address` ("192.0.2.1:5060") is where telephones register, shown to people."""

    store: Store
    switch: LiveSwitch
    carrier: SandboxCarrier
    selftest: SelfTest
    status: Status
    version: str
    sip_address: str
