"""The switch's desk: where the other processes ask what goes on and tell it to take up changes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from offhook import intercom
from offhook.domain.calls.ids import CallId
from offhook.domain.errors import Invalid, Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.metrics import Figures
from offhook.services.ports.live import CarrierStanding, LiveCall
from offhook.services.ports.records import Trace
from offhook.services.snapshot import Snapshot
from offhook.services.what_if import what_if
from offhook.switch.exchange import Exchange

REFRESH_SECONDS = 20.0
TAKE_UP_SECONDS = 8.0
"""How long a change waits for a switch that hangs: shorter than clients wait for their answer, which says then that it counts later."""
FIGURES_SECONDS = 2.0


class Held(Protocol):
    """The configuration that the switch holds; as in services.ports.live.LiveSwitch."""

    async def take_up(self, organization: int, revision: int) -> int: ...
    async def in_effect(self, organization: int) -> int: ...
    async def refresh(self) -> int: ...
    @property
    def snapshot(self) -> Snapshot: ...


async def open_desk(
    path: Path,
    exchange: Exchange,
    held: Held,
    figures: Figures,
    lost: Callable[[], int],
    standing_of_carriers: Callable[[], list[CarrierStanding]] = list,
) -> Any:
    """Answer at `path`; the caller closes what is returned. `lost` counts calls that could not be recorded."""

    async def calls() -> list[LiveCall]:
        return exchange.calls()

    async def trace(call: str) -> Trace | None:
        return exchange.trace(CallId(call))

    async def told() -> list[dict[str, Any]]:
        return figures.told()

    async def standing() -> dict[str, Any]:
        live = sum(1 for call in exchange.living() if call.ending is None)
        return {"calls": live, "waiting": exchange.waiting(), "drains": exchange.refuses_new, "lost": lost()}

    async def carriers() -> list[CarrierStanding]:
        return standing_of_carriers()

    async def decided(organization: int, caller: str, dialled: str) -> dict[str, Any]:
        own = held.snapshot.organizations.get(OrganizationId(organization))
        if own is None:
            return {"refusal": ["The switch does not know this organization yet; try again in a moment.", None]}
        try:
            return asdict(what_if(own, caller, dialled))
        except Invalid as wrong:
            return {"refusal": [wrong.explanation, wrong.field]}

    answers: dict[str, intercom.Answer] = {"calls": calls, "trace": trace, "figures": told, "standing": standing, "carriers": carriers}
    answers |= {"take_up": held.take_up, "in_effect": held.in_effect, "refresh": held.refresh, "what_if": decided}
    return await intercom.answer_at(path, answers, {"follow": lambda: exchange.news.follow(exchange.living())})


class SwitchDesk:
    """Implements services.ports.live.LiveSwitch for another process than the switch's."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def calls(self) -> list[LiveCall]:
        """See the port."""
        return [LiveCall(**call) for call in await self._ask("calls")]

    async def follow(self) -> AsyncGenerator[list[LiveCall], None]:
        """See the port."""
        now: list[LiveCall] | None = []
        try:
            async with aclosing(intercom.subscribe(self._path, "follow")) as lines:
                async for line in lines:
                    some = [LiveCall(**call) for call in line or ()]
                    if now is None:
                        yield some
                    elif line is None:  # that was all of now
                        yield now
                        now = None
                    else:
                        now += some
        except (intercom.Silent, intercom.Refused) as why:
            raise _unavailable(why) from why

    async def trace(self, call: str) -> Trace | None:
        """See the port."""
        told: Trace | None = await self._ask("trace", call=call)
        return told

    async def take_up(self, organization: OrganizationId, revision: int) -> int:
        """See the port."""
        return int(await self._ask("take_up", TAKE_UP_SECONDS, organization=organization, revision=revision))

    async def in_effect(self, organization: OrganizationId) -> int:
        """See the port."""
        return int(await self._ask("in_effect", organization=organization))

    async def refresh(self) -> int:
        """See the port."""
        return int(await self._ask("refresh", REFRESH_SECONDS))

    async def what_if(self, organization: OrganizationId, caller: str, dialled: str) -> dict[str, Any]:
        """See the port."""
        answer: dict[str, Any] = await self._ask("what_if", organization=organization, caller=caller, dialled=dialled)
        if "refusal" in answer:
            raise Invalid(*answer["refusal"])
        return answer

    async def carriers(self) -> list[CarrierStanding]:
        """See the port."""
        return [CarrierStanding(**each) for each in await self._ask("carriers", FIGURES_SECONDS)]

    async def figures(self) -> list[dict[str, Any]]:
        """See the port."""
        return list(await self._ask("figures", FIGURES_SECONDS))

    async def _ask(self, question: str, timeout_seconds: float = 5.0, **details: Any) -> Any:
        try:
            return await intercom.ask(self._path, question, timeout_seconds, **details)
        except (intercom.Silent, intercom.Refused) as why:
            raise _unavailable(why) from why


def _unavailable(why: intercom.Silent | intercom.Refused) -> Unavailable:
    if isinstance(why, intercom.Refused):
        return Unavailable(f"The switch refused: {why}")
    return Unavailable(f"The switch does not answer ({why}); it is restarted by itself, try again in a moment.")
