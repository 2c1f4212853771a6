"""Digits: told once each, from every leg, for ever."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.digits import Digit, DigitLine, Presses, digit_of
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.engines.rtpengine.wire import Body, Message, write
from tests.engines.rtpengine.calls import new_call
from tests.engines.rtpengine.conftest import Daemon, eventually
from tests.engines.rtpengine.parties import Party

CALL = CallId("1m84te04w0000")
FIVE = Digit(CALL, leg_id(CALL, 0), "5", 100)


def notification(tag: str = f"{CALL}.0", event: int = 5, call: str = CALL) -> Body:
    told: Body = {"callid": call, "source_tag": tag, "tags": [tag], "type": "DTMF", "event": event, "duration": 100, "volume": 10}
    return {"notify": "onDTMF", "data": told}


def test_a_notification_names_the_digit() -> None:
    assert [digit_of(notification(event=event)).digit for event in range(16)] == list("0123456789*#ABCD")  # type: ignore[union-attr]
    assert digit_of(notification()) == FIVE


@pytest.mark.parametrize(
    "body",
    [
        notification(tag=f"{CALL}.0.alone"),
        notification(tag="somebody-else"),
        notification(call="other"),
        notification(event=16),
        notification(event=-1),
        {"notify": "onDTMF"},
        {"notify": "onDTMF", "data": {"callid": 1}},
        {"result": "ok"},
    ],
)
def test_what_is_no_digit_of_a_leg_of_ours_is_passed_over(body: Body) -> None:
    assert digit_of(body) is None


def test_the_three_ends_of_one_press_count_once_and_the_same_key_again_counts() -> None:
    presses = Presses()
    ends = (0.0, 0.02, 0.04, 0.2, 0.22, 0.24, 0.36, 0.38, 0.4)
    assert [presses.is_new(FIVE, 1000 + end) for end in ends] == [True, False, False] * 3


def test_short_digits_in_quick_succession_all_count() -> None:
    presses = Presses()
    short = FIVE._replace(milliseconds=40)
    assert [presses.is_new(short, 1000 + 0.08 * number + end) for number in range(5) for end in (0, 0.02, 0.04)] == [True, False, False] * 5


def test_another_key_and_another_leg_count_at_once() -> None:
    presses = Presses()
    others = [FIVE, FIVE._replace(digit="6"), FIVE._replace(leg=leg_id(CALL, 1)), FIVE._replace(digit="6")]
    assert [presses.is_new(each, 1000.0) for each in others] == [True, True, True, False]


async def test_a_line_reads_any_slices_and_connects_again_for_ever() -> None:
    heard: list[Digit] = []
    connections: list[asyncio.StreamWriter] = []

    def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    def listener(call: CallId, leg: LegId, digit: str, milliseconds: int) -> None:
        heard.append(Digit(call, leg, digit, milliseconds))
        if digit == "3":
            raise RuntimeError("one listener's fault")

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    line = DigitLine("127.0.0.1", server.sockets[0].getsockname()[1], listener)
    listening = asyncio.create_task(line.listen())
    data = b"".join(write(Message(f"x{event}", notification(event=event))) for event in range(6))
    try:
        await eventually(lambda: connections and line.connected.is_set())
        connections[0].write(data[:100])
        await asyncio.sleep(0.05)
        connections[0].write(data[100:])
        await eventually(lambda: len(heard) == 6, f"heard {heard}")
        connections[0].write(b"this is no ng protocol at all")  # the line hangs up and calls again
        await eventually(lambda: len(connections) == 2)
        connections[1].close()
        await eventually(lambda: len(connections) == 3)
        connections[2].write(write(Message("x", notification(event=11))))
        await eventually(lambda: len(heard) == 7)
        assert "".join(each.digit for each in heard) == "012345#"
    finally:
        listening.cancel()
        for each in connections:
            each.close()
        server.close()


@pytest.fixture
async def told(daemon: Daemon) -> AsyncIterator[list[tuple[LegId, str]]]:
    """What a DigitLine to the real engine tells, as it comes."""
    pressed: list[tuple[LegId, str]] = []
    line = DigitLine("127.0.0.1", daemon.settings.ng_tcp_port, lambda call, leg, digit, milliseconds: pressed.append((leg, digit)))
    listening = asyncio.create_task(line.listen())
    await eventually(line.connected.is_set)
    yield pressed
    listening.cancel()


@pytest.mark.engines
async def test_each_key_is_told_once_from_either_leg_silenced_or_not(
    engine: RtpEngine, party: Callable[..., Party], told: list[tuple[LegId, str]]
) -> None:
    call, anna, ben = new_call(), party(), party()
    a, b = leg_id(call, 0), leg_id(call, 1)
    offered = await engine.offer(call, a, b, anna.sdp(), MediaShape.PLAIN)
    anna.speaks_to(await engine.answer(call, a, b, ben.sdp(), MediaShape.PLAIN))
    ben.speaks_to(offered)
    for key in "155":
        await anna.presses(key)
    await ben.presses("#")
    await engine.silence(call, a)
    await anna.presses("*")
    await eventually(lambda: (a, "*") in told, f"told: {told}")
    assert told == [(a, "1"), (a, "5"), (a, "5"), (b, "#"), (a, "*")]


@pytest.mark.engines
async def test_a_leg_that_is_alone_with_the_system_is_heard(
    engine: RtpEngine, party: Callable[..., Party], told: list[tuple[LegId, str]]
) -> None:
    call, anna = new_call(), party()
    anna.speaks_to(await engine.answer_alone(call, leg_id(call, 0), anna.sdp(), MediaShape.PLAIN, "PCMU"))
    await anna.presses("2")
    await anna.presses("0")
    await eventually(lambda: len(told) == 2)
    assert told == [(leg_id(call, 0), "2"), (leg_id(call, 0), "0")]
