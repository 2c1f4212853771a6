"""Asks whether carriers live: an OPTIONS (RFC 3261 section 11) through the edge, as calls to them go."""

import asyncio
import time
from collections.abc import Callable
from itertools import count

from offhook.services.ports.signalling import SignallingRefused
from offhook.sip.addresses import Address
from offhook.sip.agent import Agent
from offhook.sip.facts import Output, ResponseReceived

HEARD = "X-Offhook-Heard"
"""What the edge writes into an answer from outside. Without it the answer is the edge's own, for one who is silent or not to be had."""


class Asking:
    """Who waits for which answer."""

    def __init__(self, agent: Agent, edge: Address, route: str, address: str, act: Callable[[list[Output]], None]) -> None:
        """`address` is ours as carriers know it; `act` carries out what the agent gives out."""
        self._agent, self._edge, self._route, self._act = agent, edge, route, act
        self._from = f"<sip:{address}>"
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[ResponseReceived]] = {}

    async def ask(self, uri: str) -> int | None:
        """See services.ports.signalling.Ask."""
        key = f"options {next(self._numbers)}"
        waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            self._act(
                self._agent.request(
                    key,
                    method="OPTIONS",
                    request_uri=uri,
                    from_header=self._from,
                    to_header=f"<{uri}>",
                    destination=self._edge,
                    routes=(self._route,),
                    headers=(("Accept", "application/sdp"),),
                    now=time.monotonic(),
                )
            )
            came = await waiting
        finally:
            del self._waiting[key]
        if came.response is None:
            raise SignallingRefused("the edge has not answered")
        return came.status if came.response.headers.get(HEARD) is not None else None

    def came(self, fact: ResponseReceived) -> None:
        """An answer; of no interest where nobody waits for it, as for that to a farewell."""
        waiting = self._waiting.get(fact.key)
        if waiting is not None and not waiting.done():
            waiting.set_result(fact)
