"""What calls are told when the media engine died."""

from dataclasses import dataclass, field
from typing import cast

from offhook.domain.calls.events import Event, MediaLost, MediaRestarted
from offhook.domain.calls.ids import CallId, call_id
from offhook.switch.exchange import Exchange
from offhook.switch.media_deaths import MediaDeaths

KEPT, UNLISTED, LOST = (call_id(1_700_000_000_000, number) for number in range(3))


@dataclass
class Engine:
    """Carries three calls, has two of them, and lists one."""

    def carried(self) -> frozenset[CallId]:
        return frozenset({KEPT, UNLISTED, LOST})

    async def calls(self) -> frozenset[str]:
        return frozenset({KEPT, "somebody else's"})

    async def knows(self, call: CallId) -> bool:
        return call == UNLISTED


@dataclass
class Told:
    """Stands in the exchange's place."""

    events: dict[CallId, type[Event]] = field(default_factory=dict)

    def tell(self, call: CallId, event: Event) -> None:
        self.events[call] = type(event)


async def test_after_a_restart_each_call_is_told_whether_its_sound_goes_on() -> None:
    told = Told()
    await MediaDeaths(cast(Exchange, told), Engine()).restarted()
    assert told.events == {KEPT: MediaRestarted, UNLISTED: MediaRestarted, LOST: MediaLost}


async def test_without_an_engine_the_sound_of_all_is_lost() -> None:
    told = Told()
    await MediaDeaths(cast(Exchange, told), Engine()).absent()
    assert told.events == {KEPT: MediaLost, UNLISTED: MediaLost, LOST: MediaLost}
