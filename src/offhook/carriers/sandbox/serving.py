"""The sandbox carrier as a process: what wiring runs."""

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path

from offhook.carriers.sandbox.carrier import EMERGENCY_NUMBERS, SandboxCarrier
from offhook.carriers.sandbox.control import ControlServer
from offhook.services.ports.speech import Speech


async def serve(
    address: tuple[str, int],
    edge: tuple[str, int],
    speech: Speech,
    control: Path,
    *,
    emergency: Collection[str] = EMERGENCY_NUMBERS,
    ring_seconds: float = 2.0,
    ready: Callable[[], None] | None = None,
) -> None:
    """Be the public network at `address` until cancelled, with orders taken at the socket `control`; `ready` is called once both listen.

    Raises OSError if an address is taken. On cancellation every call is hung up first.
    """
    carrier = SandboxCarrier(address, edge, speech, emergency=emergency, ring_seconds=ring_seconds)
    server = ControlServer(carrier, control)
    await carrier.start()
    try:
        await server.start()
        if ready is not None:
            ready()
        await asyncio.Event().wait()
    finally:
        await server.stop()
        await carrier.stop()
