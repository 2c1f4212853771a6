"""What the doors need of the house, filled in by the wiring."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from offhook.services.events import LiveEvents
from offhook.services.health import Health
from offhook.services.jobs import Clerk
from offhook.services.mail_room import MailRoom
from offhook.services.ports.edge import EdgeOffice
from offhook.services.ports.live import LiveSwitch, SandboxCarrier, SelfTest
from offhook.services.ports.store import Store
from offhook.services.sealing import Sealing
from offhook.services.sign_in import SignIns

Status = Callable[[], Awaitable[dict[str, Any]]]
"""How the system stands, as plain JSON values: {"processes": [row, ...], "engines": [row, ...], "ports": [row, ...]}.

A row is a flat object with a "name". May raise domain.errors.Unavailable.
"""


Figures = Callable[[], Awaitable[list[dict[str, Any]]]]
"""Every figure of the system, as offhook.metrics tells them. Never raises: what does not answer has no figures."""


@dataclass(frozen=True, slots=True)
class House:
    """The rooms behind the doors. `sip_address` ("192.0.2.1:5060") is where telephones register, shown to people;
    `metrics_from` are the networks that read /metrics without a token.
    """

    store: Store
    switch: LiveSwitch
    carrier: SandboxCarrier
    selftest: SelfTest
    status: Status
    edge: EdgeOffice
    health: Health
    figures: Figures
    metrics_from: tuple[str, ...]
    version: str
    sip_address: str
    jobs: Clerk = field(kw_only=True)
    sealing: Sealing = field(kw_only=True)
    live_events: LiveEvents = field(kw_only=True)
    mail_room: MailRoom | None = None
    """Where mail is put into envelopes; None: no mail leaves the system."""
    sign_ins: SignIns = field(default_factory=SignIns)
