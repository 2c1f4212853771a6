"""The carrier's desk: where the other processes have calls made from the public network."""

from asyncio import Server
from pathlib import Path
from typing import Any

from offhook import intercom
from offhook.carriers.sandbox.carrier import LONGEST_RING_SECONDS, SandboxCarrier
from offhook.carriers.sandbox.reports import CallRefused
from offhook.domain.errors import Unavailable

_FAREWELL_SECONDS = 15.0


async def open_desk(path: Path, carrier: SandboxCarrier) -> Server:
    """Answer at `path`; the caller closes what is returned. Raises OSError."""

    async def call(from_number: Any, to_number: Any, digits: Any = "", listen_seconds: Any = 10.0) -> dict[str, Any]:
        texts = (from_number, to_number, digits)
        if not all(isinstance(text, str) for text in texts) or type(listen_seconds) not in (int, float):
            raise intercom.Refused("Numbers and digits are texts, listen_seconds is a number.")
        try:
            return (await carrier.call(from_number, to_number, digits, listen_seconds)).as_dict()
        except CallRefused as refused:
            raise intercom.Refused(refused.explanation) from refused

    async def ready() -> bool:
        return True

    return await intercom.answer_at(path, {"call": call, "ready": ready})


class CarrierDesk:
    """Implements services.ports.live.SandboxCarrier for another process than the carrier's."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def call(self, from_number: str, to_number: str, digits: str, listen_seconds: float) -> dict[str, Any]:
        """See the port; the values are those of `CallReport`. Raises CallRefused too, with the carrier's sentence."""
        patience = LONGEST_RING_SECONDS + listen_seconds + _FAREWELL_SECONDS
        asked = {"from_number": from_number, "to_number": to_number, "digits": digits, "listen_seconds": listen_seconds}
        try:
            report: dict[str, Any] = await intercom.ask(self._path, "call", patience, **asked)
        except intercom.Silent as silent:
            raise Unavailable(f"The sandbox's carrier does not answer ({silent}): is the system running with its sandbox?") from silent
        except intercom.Refused as refused:
            raise CallRefused(str(refused)) from refused
        return report
