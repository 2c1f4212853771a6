"""Waiting for a condition instead of for time, with an error that tells what happened meanwhile."""

import asyncio
from collections.abc import Callable


class NotInTime(Exception):
    """What was waited for did not happen; the text says what did, the SIP messages seen among it."""


class News:
    """Something changes and others wait for it to change. One event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Have all who wait ask their question again."""
        self._event.set()

    async def until(self, holds: Callable[[], bool], what: str, patience: float, story: Callable[[], str]) -> None:
        """Wait until `holds()`, asked at each `tell`. After `patience` seconds raises NotInTime with `what` and `story()`."""
        try:
            async with asyncio.timeout(patience):
                while not holds():
                    self._event.clear()
                    await self._event.wait()
        except TimeoutError:
            raise NotInTime(f"{what} did not happen in {patience:g} s. {story()}") from None
