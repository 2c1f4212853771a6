"""What the line still does for legs that are over, or that another life of the switch began."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from offhook.domain.calls.endings import SWITCH_LOST
from offhook.domain.calls.events import LegHungUp, TransferAsked
from offhook.domain.calls.ids import LegId
from offhook.services.ports.signalling import SignallingRefused
from offhook.sip.facts import AckReceived, ByeReceived, CancelReceived, RefusalReceived
from offhook.sip.transactions import State
from tests.engines.signalling.far_end import ANSWER, OUT, Line, arrived, eventually, ringing_out, talking_out


async def transferring(line: Line, *headers: tuple[str, str]) -> None:
    """Ben asks for a transfer, and hangs up when it is taken."""
    session = await talking_out(line)
    line.far.does("refer", session, refer_to="sip:103@lumen.test", headers=headers)
    await line.told(TransferAsked)
    line.line.accept_transfer(OUT)
    await eventually(lambda: 202 in line.far.statuses(), "the 202")
    line.far.does("bye", session)
    await line.told(LegHungUp)


def told(line: Line) -> list[str]:
    """What NOTIFYs said."""
    return [data.decode().rpartition("\r\n\r\n")[2].strip() for data in line.far.datagrams if data.startswith(b"NOTIFY ")]


async def test_who_has_hung_up_is_told_what_came_of_his_transfer_and_then_forgotten(line: Line) -> None:
    await transferring(line)
    with pytest.raises(SignallingRefused):
        line.line.reoffer(OUT, ANSWER)
    line.line.tell_transfer(OUT, 200, "OK", final=True)
    await eventually(lambda: told(line)[-1:] == ["SIP/2.0 200 OK"], "the last NOTIFY")
    await line.forgets()
    line.line.tell_transfer(OUT, 200, "OK", final=True)


async def test_who_is_never_told_is_forgotten_when_his_subscription_has_run_out(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offhook.engines.signalling.line.TOLD_SECONDS", 0.1)
    await transferring(line)
    await line.forgets()


async def test_who_does_not_want_to_be_told_is_forgotten_at_once(line: Line) -> None:
    await transferring(line, ("Refer-Sub", "false"))
    await line.forgets()
    line.line.tell_transfer(OUT, 200, "OK", final=True)
    assert not told(line)


@asynccontextmanager
async def another_life(line: Line, leg: LegId) -> AsyncIterator[tuple[Line, dict[str, Any]]]:
    """The switch dies without a word, and another takes its port; with what the dead one had noted of a leg."""
    note = orjson.loads(orjson.dumps(line.line.remembered(leg)))
    assert line.line._wire._transport is not None
    line.line._wire._transport.abort()
    await asyncio.sleep(0)  # the loop closes the socket in its next round
    again = Line(line.far, line.port)
    await again.line.open()
    yield again, note
    again.line.close()


async def over(line: Line, kept: Callable[[Any], dict[Any, Any]]) -> None:
    """Every transaction has come to its end, and only waits for repeats."""
    ended = {State.COMPLETED, State.CONFIRMED, State.ACCEPTED}
    await eventually(lambda: {each.state for each in kept(line.line._agent._core).values()} <= ended, "the end of its transactions")
    core = line.line._agent._core
    assert not (core.sessions or core.dialogs)


async def test_a_telephone_that_a_dead_switch_let_ring_is_cancelled(line: Line) -> None:
    await ringing_out(line)
    async with another_life(line, OUT) as (again, note):
        again.line.farewell(note, SWITCH_LOST)
        cancel = (await line.far.told(CancelReceived)).request
        assert cancel.headers["Reason"] == 'SIP;cause=503;text="Service Unavailable"'
        await over(again, lambda core: core.clients)
    assert len([data for data in line.far.datagrams if data.startswith(b"ACK ")]) == 1, "the 487 is acknowledged"


async def test_a_telephone_that_answers_a_dead_switch_is_hung_up(line: Line) -> None:
    session = await ringing_out(line)
    async with another_life(line, OUT) as (again, note):
        again.line.farewell(note, SWITCH_LOST)
        line.far.does("answer", session, sdp=ANSWER)
        await line.far.told(AckReceived)
        await line.far.told(ByeReceived)
        await over(again, lambda core: core.clients)


async def test_a_caller_who_waited_for_a_dead_switch_is_refused(line: Line) -> None:
    leg = (await arrived(line)).leg
    line.line.ring(leg)
    async with another_life(line, leg) as (again, note):
        again.line.farewell(note, SWITCH_LOST)
        refusal = await line.far.told(RefusalReceived)
        assert refusal.response is not None and refusal.status == 503
        assert refusal.response.headers["Reason"] == 'Q.850;cause=41;text="switch.lost"'
        assert refusal.response.headers["Retry-After"] == "5"
        await over(again, lambda core: core.servers)


async def test_a_telephone_that_talked_is_hung_up_by_a_note_of_any_age(line: Line) -> None:
    await talking_out(line)
    async with another_life(line, OUT) as (again, note):
        del note["kind"]
        again.line.farewell(note, SWITCH_LOST)
        await line.far.told(ByeReceived)


async def test_a_leg_that_is_over_leaves_no_note(line: Line) -> None:
    session = await ringing_out(line)
    line.far.does("refuse", session, status=486)
    await line.forgets()
    assert line.line.remembered(OUT) is None
