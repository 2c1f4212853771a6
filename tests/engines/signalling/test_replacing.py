"""Who wants the place of another call, by an INVITE or by a REFER with Replaces (RFC 3891), and gets or does not get it."""

from urllib.parse import quote

import pytest

from offhook.domain.calls.events import CallArrived, LegConfirmed, TransferAsked
from offhook.sip.facts import ProgressReceived, ReferAnswered, RefusalReceived
from offhook.sip.referring import Replaces
from tests.engines.signalling.far_end import ANSWER, PHONE, Line


def refer_to(line: Line, session: str, *, early_only: bool = False) -> str:
    """Whom a REFER names that wants this call's place."""
    return f"<sip:103@lumen.test?Replaces={quote(dialog_of(line, session, early_only=early_only), safe='')}>"


def dialog_of(line: Line, session: str, *, early_only: bool = False) -> str:
    """A telephone's call with us, as a Replaces that reaches us names it."""
    dialog = line.far.agent._core.sessions[session].dialog
    assert dialog is not None
    call_id, theirs, ours = dialog.key
    return str(Replaces(call_id, ours, theirs, early_only))


async def arrived(line: Line, session: str, number: int = 1) -> CallArrived:
    line.call_in(session)
    return await line.told(CallArrived, number)


async def talking(line: Line, session: str, number: int = 1) -> CallArrived:
    call = await arrived(line, session, number)
    line.line.answer(call.leg, ANSWER)
    await line.told(LegConfirmed, number)
    return call


@pytest.mark.parametrize(("said", "status"), [("x@y;to-tag=a;from-tag=b", 481), ("x@y;to-tag=a", 400), ("", 400)])
async def test_an_invite_that_names_no_call_of_ours_is_refused_and_forgotten(line: Line, said: str, status: int) -> None:
    line.call_in(headers=(*PHONE, ("Replaces", said)))
    assert (await line.far.told(RefusalReceived)).status == status
    await line.forgets()
    assert line.events == []


async def test_an_invite_that_names_two_calls_is_refused(line: Line) -> None:
    line.call_in(headers=(*PHONE, ("Replaces", "x@y;to-tag=a;from-tag=b"), ("Replaces", "z@y;to-tag=a;from-tag=b")))
    assert (await line.far.told(RefusalReceived)).status == 400
    await line.forgets()


@pytest.mark.parametrize(("early_only", "status"), [(False, 403), (True, 486)])
async def test_a_call_that_stands_changes_hands_by_no_invite(line: Line, early_only: bool, status: int) -> None:
    call = await talking(line, "in")
    line.call_in("other", headers=(*PHONE, ("Replaces", dialog_of(line, "in", early_only=early_only))))
    assert (await line.far.told(RefusalReceived)).status == status
    assert line.line.remembered(call.leg) is not None, "the call itself goes on (RFC 3891 section 3)"


async def test_a_call_that_rings_is_no_others_to_take(line: Line) -> None:
    call = await arrived(line, "in")
    line.line.ring(call.leg)
    await line.far.told(ProgressReceived)
    line.call_in("other", headers=(*PHONE, ("Replaces", dialog_of(line, "in"))))
    assert (await line.far.told(RefusalReceived)).status == 481


@pytest.mark.parametrize("early_only", [False, True])
async def test_a_refer_names_the_call_whose_place_is_to_be_taken(line: Line, early_only: bool) -> None:
    first = await talking(line, "in")
    other = await arrived(line, "other", 2)
    line.line.ring(other.leg)
    if not early_only:
        line.line.answer(other.leg, ANSWER)
        await line.told(LegConfirmed, 2)
    else:
        await line.far.told(ProgressReceived)
    line.far.does("refer", "in", refer_to=refer_to(line, "other", early_only=early_only))
    asked = await line.told(TransferAsked)
    assert (asked.leg, asked.replaces) == (first.leg, other.leg)


async def test_who_wanted_a_call_that_rings_does_not_get_one_that_was_answered(line: Line) -> None:
    await talking(line, "in")
    await talking(line, "other", 2)
    line.far.does("refer", "in", refer_to=refer_to(line, "other", early_only=True))
    assert (await line.far.told(ReferAnswered)).status == 486
    assert not [event for event in line.events if isinstance(event, TransferAsked)]
