"""Where scenarios are played: a running system, two telephones of the hidden organization, and the public network if there is one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from offhook.phones.phone import Phone
from offhook.phones.registration import Account
from offhook.sip.addresses import Address


class NotAsExpected(Exception):
    """A scenario found something wrong; the text says what."""


@dataclass(frozen=True, slots=True)
class ProbeUser:
    """Somebody of the hidden organization."""

    username: str
    password: str
    extension: str
    number: str


CallIn = Callable[[str, str, str, float], Awaitable[dict[str, Any]]]
"""A call from the public network: from, to, digits, seconds to listen; what was heard."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario may use. `call_in` is None where there is no sandbox carrier: nothing is tried on real carriers."""

    edge: Address
    domain: str
    users: tuple[ProbeUser, ...]
    attendant_extension: str
    attendant_number: str
    attendant_key: str
    emergency_number: str
    outside_number: str
    call_in: CallIn | None
    patience_seconds: float = 15.0

    def phone(self, index: int, transport: str = "udp") -> Phone:
        """A telephone of one of the users, not yet registered."""
        user = self.users[index]
        account = Account(user.username, self.domain, self.edge._replace(transport=transport), user.password)
        return Phone(user.username, account=account, host=self.edge.host, transport=transport, user_agent="Offhook self-test")

    @asynccontextmanager
    async def phones(self) -> AsyncIterator[tuple[Phone, Phone]]:
        """Two registered telephones."""
        async with self.phone(0) as one, self.phone(1) as two:
            await one.register(patience=self.patience_seconds)
            await two.register(patience=self.patience_seconds)
            yield one, two


def stage_from(values: dict[str, Any], edge: Address, call_in: CallIn | None) -> Stage:
    """The stage that a system's plan describes (its "probe")."""
    users = tuple(ProbeUser(each["username"], each["password"], each["extension"], each["number"]) for each in values["users"])
    return Stage(
        edge=edge,
        domain=values["domain"],
        users=users,
        attendant_extension=values["attendant"]["extension"],
        attendant_number=values["attendant"]["number"],
        attendant_key="1",
        emergency_number="911",
        outside_number="+13125550123",
        call_in=call_in,
    )
