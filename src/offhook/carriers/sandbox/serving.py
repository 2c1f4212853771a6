"""The sandbox carrier as a process serves it."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from offhook.carriers.sandbox.carrier import EMERGENCY_NUMBERS, SandboxCarrier
from offhook.carriers.sandbox.desk import open_desk
from offhook.services.ports.speech import Speech


@asynccontextmanager
async def serving(
    address: tuple[str, int],
    edge: tuple[str, int],
    speech: Speech,
    desk: Path,
    *,
    emergency: Collection[str] = EMERGENCY_NUMBERS,
    ring_seconds: float = 2.0,
) -> AsyncIterator[SandboxCarrier]:
    """Be the public network at `address` as long as the block lasts, and answer at `desk`; every call is hung up at its end.

    Raises OSError if an address is taken.
    """
    carrier = SandboxCarrier(address, edge, speech, emergency=emergency, ring_seconds=ring_seconds)
    await carrier.start()
    try:
        answering = await open_desk(desk, carrier)
        try:
            yield carrier
        finally:
            answering.close()
    finally:
        await carrier.stop()
