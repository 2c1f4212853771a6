"""Asks every carrier now and then whether it lives, keeps what is known of each, and tells when that changes."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from offhook.domain.carrier_life import CarrierLife, CarrierState, came_of_asking
from offhook.domain.organizations import Carrier
from offhook.services.ports.live import CarrierStanding
from offhook.services.ports.signalling import Ask, SignallingRefused

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often it is looked whether carriers came or went."""
FIRST_SECONDS = 2.0
"""Within so long a new one is asked for the first time."""
JITTER = 0.1
"""By how much of their pause questions are early or late, so that those to many carriers do not go out together."""


@dataclass(slots=True)
class _Asked:
    """A carrier, what is known of it, and who asks it."""

    carrier: Carrier
    life: CarrierLife
    task: asyncio.Task[None]


class CarrierWatch:
    """Asks, every `seconds` or so. What is known of a carrier begins anew when its address changes, and when the switch starts."""

    def __init__(
        self, carriers: Callable[[], Sequence[Carrier]], ask: Ask, seconds: float, dice: Callable[[], float] = random.random
    ) -> None:
        """`carriers` tells those of now. Nothing is asked with 0 seconds."""
        self._carriers, self._ask, self._seconds, self._dice = carriers, ask, seconds, dice
        self._asked: dict[str, _Asked] = {}

    async def watch(self) -> None:
        """For ever."""
        try:
            while self._seconds:
                self._keep_to({carrier.name: carrier for carrier in self._carriers()})
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._keep_to({})

    def told(self) -> list[CarrierStanding]:
        """What is known of each, by name."""
        return [_standing(name, asked.life) for name, asked in sorted(self._asked.items())]

    def _keep_to(self, carriers: dict[str, Carrier]) -> None:
        for name, asked in list(self._asked.items()):
            if carriers.get(name) != asked.carrier:
                asked.task.cancel()
                del self._asked[name]
        for name in carriers.keys() - self._asked.keys():
            life = CarrierLife()
            task = asyncio.get_running_loop().create_task(self._ask_for_ever(carriers[name], life), name=f"carrier {name}")
            self._asked[name] = _Asked(carriers[name], life, task)

    async def _ask_for_ever(self, carrier: Carrier, life: CarrierLife) -> None:
        await asyncio.sleep(self._dice() * min(FIRST_SECONDS, self._seconds))
        while True:
            try:
                await self._ask_once(carrier, life)
            except SignallingRefused as why:
                log.debug("carrier %s: nothing is known (%s)", carrier.name, why)  # the edge is away, and what is known stays
            except Exception:
                log.exception("carrier %s could not be asked", carrier.name)
            await asyncio.sleep(self._seconds * (1 - JITTER + 2 * JITTER * self._dice()))

    async def _ask_once(self, carrier: Carrier, life: CarrierLife) -> None:
        began = time.monotonic()
        status = await self._ask(f"sip:{carrier.place}")
        if not life.handle(came_of_asking(time.time(), time.monotonic() - began, status)):
            return
        if life.state is CarrierState.UP:
            milliseconds = 1000 * (life.round_trip_seconds or 0)
            log.info("carrier %s at %s is up: it answered OPTIONS with %s in %.0f ms", carrier.name, carrier.place, status, milliseconds)
        else:
            last = "silence" if status is None else f"{status}"
            log.warning(
                "carrier %s at %s is down: two OPTIONS in vain, last %s; calls are tried all the same", carrier.name, carrier.place, last
            )


def _standing(name: str, life: CarrierLife) -> CarrierStanding:
    return CarrierStanding(name, life.state.value, life.since, life.status, life.round_trip_seconds)
