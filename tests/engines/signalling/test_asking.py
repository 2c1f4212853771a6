"""Asking a carrier whether it lives: an OPTIONS through the edge, and what its answers and its silence mean."""

import asyncio

import pytest

from offhook.services.ports.signalling import SignallingRefused
from offhook.sip.facts import RequestReceived
from tests.engines.signalling.far_end import Line, eventually

CARRIER = "sip:192.0.2.5:5070"
HEARD = (("X-Offhook-Heard", "yes"),)


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [(200, HEARD, 200), (404, HEARD, 404), (503, HEARD, 503), (408, (), None), (477, (), None), (500, (), None)],
)
async def test_an_answer_counts_where_the_edge_has_it_from_outside(
    line: Line, status: int, headers: tuple[tuple[str, str], ...], told: int | None
) -> None:
    asked = asyncio.create_task(line.line.ask(CARRIER))
    came = await line.far.told(RequestReceived)
    assert (came.request.method, str(came.request.uri)) == ("OPTIONS", CARRIER)
    assert came.request.headers["Accept"] == "application/sdp"
    assert came.request.headers["Route"] == f"<sip:127.0.0.1:{line.far.address.port};lr>"
    line.far.does("respond", came.key, status=status, headers=headers)
    assert await asked == told
    assert line.events == [] and not line.line._asking._waiting


async def test_nothing_is_known_while_the_edge_is_silent(line: Line) -> None:
    line.far.deaf = True
    asked = asyncio.create_task(line.line.ask(CARRIER))
    await eventually(lambda: line.far.datagrams, "the question")
    now = asyncio.get_running_loop().time()
    line.line._act(line.line._agent.tick(now + 40))
    with pytest.raises(SignallingRefused, match="the edge has not answered"):
        await asked


async def test_two_questions_get_each_its_own_answer(line: Line) -> None:
    first, second = (asyncio.create_task(line.line.ask(f"sip:192.0.2.{number}:5060")) for number in (5, 6))
    asked = [await line.far.told(RequestReceived, number) for number in (1, 2)]
    for came in reversed(asked):
        status = 200 if "192.0.2.5" in str(came.request.uri) else 404
        line.far.does("respond", came.key, status=status, headers=HEARD)
    assert (await first, await second) == (200, 404)


async def test_who_asks_no_more_leaves_nothing_behind(line: Line) -> None:
    asked = asyncio.create_task(line.line.ask(CARRIER))
    came = await line.far.told(RequestReceived)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    line.far.does("respond", came.key, status=200, headers=HEARD)
    assert not line.line._asking._waiting
