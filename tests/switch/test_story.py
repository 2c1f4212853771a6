"""The story of a call: bounded, and without secrets; and its timers."""

import asyncio

import pytest

from offhook.domain.calls.call import Call
from offhook.domain.calls.entering import enter
from offhook.domain.calls.events import MediaOffered, StopAsked, Timer
from offhook.domain.calls.ids import CallId, leg_id
from offhook.domain.media import MediaFigures
from offhook.switch.timers import Timers
from offhook.switch.trace import MOST_ENTRIES, MOST_OCTETS, Story
from tests.fakes import world

LEG = leg_id(CallId("c"), 0)


def told(story: Story):  # type: ignore[no-untyped-def]
    return story.told(Call(CallId("c"), enter), MediaFigures())


@pytest.mark.parametrize(
    "header",
    [
        'Authorization: Digest username="anna", response="SECRET"',
        'Proxy-Authorization: Digest username="anna", response="SECRET"',
        'proxy-authorization : Digest response="SECRET"',
        'AUTHORIZATION:\tDigest username="anna",\r\n response="SECRET",\r\n\tnonce="SECRET"',
        'Authorization\t:Digest username="anna",\r\n\t response="SECRET"',
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET|2^20",
    ],
)
def test_secrets_are_never_kept(header: str) -> None:
    story = Story()
    story.passed(LEG, 1.0, "in", f"INVITE sip:1 SIP/2.0\r\nTo: <sip:1>\r\n{header}\r\nCSeq: 1 INVITE\r\n\r\nSECOND".encode())
    (message,) = told(story)["messages"]
    assert "SECRET" not in message["text"]
    assert "(not kept)" in message["text"] and message["summary"] == "INVITE sip:1 SIP/2.0"
    assert message["text"].endswith("\r\nCSeq: 1 INVITE\r\n\r\nSECOND"), "nothing else is taken away"


def test_the_keys_of_our_own_offers_are_not_kept_either() -> None:
    story = Story()
    story.happened(1.0, MediaOffered(world.at(1), LEG, "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET|2^20\r\n"))
    (step,) = told(story)["steps"]
    assert step["name"] == "MediaOffered" and step["leg"] == LEG and "SECRET" not in str(step)


def test_a_peer_that_repeats_itself_fills_no_memory() -> None:
    story = Story()
    for _ in range(MOST_ENTRIES + 50):
        story.happened(1.0, StopAsked(world.at(1)))
        story.passed(LEG, 1.0, "in", b"x")
    assert len(story.steps) == len(story.messages) == MOST_ENTRIES
    long = Story()
    for _ in range(200):
        long.passed(LEG, 1.0, "in", b"x" * 60_000)
    assert MOST_OCTETS - 60_000 < sum(len(data) for *_, data in long.messages) <= MOST_OCTETS


def test_bytes_that_are_no_text_can_be_told() -> None:
    story = Story()
    story.passed(LEG, 1.0, "in", b"\xff\xfe\r\n\r\n")
    assert told(story)["messages"][0]["direction"] == "in"


async def test_a_timer_started_anew_fires_once_and_a_stopped_one_never() -> None:
    fired: list[Timer] = []
    timers = Timers(fired.append)
    timers.start(Timer.RING, 0.01)
    timers.start(Timer.RING, 0.02)
    timers.start(Timer.SOUND, 0.01)
    timers.stop(Timer.SOUND)
    timers.stop(Timer.PATIENCE)
    timers.start(Timer.WATCH, 0.05)
    async with asyncio.timeout(8):
        while Timer.WATCH not in fired:
            await asyncio.sleep(0.005)
    assert fired == [Timer.RING, Timer.WATCH]
    timers.start(Timer.RING, 0.01)
    timers.start(Timer.SOUND, 0.01)
    timers.stop_all()
    await asyncio.sleep(0.05)
    assert len(fired) == 2
