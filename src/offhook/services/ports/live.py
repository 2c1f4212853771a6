"""What the rest of the system asks the running switch and the sandbox's carrier."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.domain.organizations import OrganizationId
from offhook.services.ports.records import Trace


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call that goes on now. Times are seconds since 1970; `revision` is the organization's configuration that routed it."""

    call: str
    organization: int | None
    revision: int | None
    started_at: float
    answered_at: float | None
    caller: str
    dialled: str
    connected: str | None
    direction: str
    state: str


@dataclass(frozen=True, slots=True)
class CarrierStanding:
    """Whether a carrier answers when it is asked: `state` is up, down or unknown, `since` when that began, in seconds since 1970.

    `status` and `round_trip_seconds` are those of its last answer.
    """

    name: str
    state: str
    since: float | None
    status: int | None
    round_trip_seconds: float | None


class LiveSwitch(Protocol):
    """The switch, asked from another process. Every method raises domain.errors.Unavailable when it does not answer."""

    async def calls(self) -> list[LiveCall]:
        """The calls of now, oldest first."""

    def follow(self) -> AsyncGenerator[list[LiveCall], None]:
        """First the calls of now; then, a moment after it happened, those that something happened to, as they are then.

        One that is over is told of with its ending's code as its state, and may be told of again; so may any to which nothing visible
        happened. Raises Unavailable also when the switch says nothing any more; whoever follows too slowly is cut off so too.
        """

    async def trace(self, call: str) -> Trace | None:
        """How a live call went so far; None if it is not alive."""

    async def take_up(self, organization: OrganizationId, revision: int) -> int:
        """Take up an organization's changes up to a revision at least (the edge's credentials too); the revision that is in effect now.

        Returns when it counts for every new call; 0 when there is no such organization.
        """

    async def in_effect(self, organization: OrganizationId) -> int:
        """The revision of an organization that switch and edge act on now, 0 when there is no such organization. Takes nothing up."""

    async def refresh(self) -> int:
        """Look for changes of every organization and of the carriers, and take them up; the number of organizations held.

        Returns when it counts.
        """

    async def what_if(self, organization: OrganizationId, caller: str, dialled: str) -> dict[str, Any]:
        """Where a call would go now, and why, as services.what_if.Answer tells it in JSON values. Raises Invalid, Missing."""

    async def carriers(self) -> list[CarrierStanding]:
        """Whether carriers answer, by name; nothing where they are not asked."""

    async def figures(self) -> list[dict[str, Any]]:
        """What the switch has counted since its start, as offhook.metrics tells it."""


class SandboxCarrier(Protocol):
    """The sandbox's public network. Raises domain.errors.Unavailable when there is none."""

    async def call(self, from_number: str, to_number: str, digits: str, listen_seconds: float) -> dict[str, Any]:
        """Make a call in and report what was heard, as JSON values."""


class SelfTest(Protocol):
    """Places real calls through the running system."""

    async def run(self) -> list[dict[str, Any]]:
        """One row a scenario: {"name", "passed": bool, "skipped": bool, "seconds", "detail": a sentence}."""
