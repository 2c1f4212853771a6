"""Telephones with what newer ones can do: acknowledged ringing, UPDATE, session timers, redirections; and ones that hang."""

import asyncio

import pytest

from offhook.phones.calls import CallRefuses, PhoneCall, Who
from offhook.phones.phone import Phone, answers_with_redirect
from offhook.phones.sources import Tone
from offhook.sip.session_timers import SessionTimers
from offhook.sip.timers import Timers
from tests.phones.conftest import Makes, number_of


async def talking(anna: Phone, ben: Phone) -> tuple[PhoneCall, PhoneCall]:
    annas = await anna.dials(number_of(ben))
    bens = await ben.rings()
    bens.says(Tone(620))
    await bens.answers()
    return await annas.answered(), bens


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("early_media", [True, False])
async def test_ringing_is_acknowledged_where_the_caller_demands_it(phone: Makes, transport: str, early_media: bool) -> None:
    anna, ben = await phone("anna", transport=transport), await phone("ben", transport=transport)
    annas = await anna.dials(number_of(ben), requires_100rel=True)
    bens = await ben.rings()
    bens.says(Tone(620))
    bens.rings(183, early_media=early_media)
    await annas.ringing()
    if early_media:
        await annas.hears.tone(620)
    await bens.answers()
    await annas.answered()
    await annas.hears.tone(620)
    assert "PRACK" in anna.story()
    # The second ringing waits for the first one's PRACK, and is left out where the answer is faster.
    assert annas.progress in ([180], [180, 183])


async def test_a_call_is_described_anew_by_update(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas, bens = await talking(anna, ben)
    await annas.updates()
    await bens.updates()
    await annas.hears.tone(620)
    assert "UPDATE" in anna.story()


async def test_a_redirection_names_whom_to_call_instead(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben", policy=answers_with_redirect(302, ["sip:chloe@lumen.test", "sip:dora@lumen.test"]))
    annas = await anna.dials(number_of(ben))
    assert (await annas.ended()).status == 302
    assert annas.contacts == ("sip:chloe@lumen.test", "sip:dora@lumen.test")


async def test_a_telephone_that_hangs_hears_no_bye(phone: Makes) -> None:
    anna, ben = await phone("anna", timers=Timers(t1=0.05)), await phone("ben")
    annas, bens = await talking(anna, ben)
    ben.goes_deaf("BYE")
    ended = await annas.hangs_up()
    assert (ended.status, ended.who) == (200, Who.US)
    assert bens.state is bens.state.UP


async def test_session_timers_are_agreed_on_between_telephones(phone: Makes) -> None:
    anna, ben = await phone("anna", session_timers=SessionTimers()), await phone("ben", session_timers=SessionTimers(600))
    annas, _ = await talking(anna, ben)
    assert annas.answer is not None
    assert annas.answer.headers.get("Session-Expires") == "600;refresher=uas"


async def test_a_telephone_that_died_in_mid_call_is_found_by_the_refresh(phone: Makes) -> None:
    anna = await phone("anna", session_timers=SessionTimers(2, 1), timers=Timers(t1=0.02))
    ben = await phone("ben")
    annas, _ = await talking(anna, ben)
    await ben.vanish()
    ended = await annas.ended()
    assert (ended.status, ended.who) == (408, Who.NOBODY)
    assert ended.reason == "the other side has not answered our refresh (408)"


async def test_a_call_that_is_refreshed_goes_on(phone: Makes) -> None:
    timers = SessionTimers(2, 1)
    anna, ben = await phone("anna", session_timers=timers), await phone("ben", session_timers=timers)
    annas, _ = await talking(anna, ben)
    async with asyncio.timeout(20):
        while ben.story().count("UPDATE sip:") < 3:
            await asyncio.sleep(0.05)
    assert annas.state is annas.state.UP
    await annas.hears.tone(620)


async def test_an_update_that_is_refused_changes_nothing(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas, _ = await talking(anna, ben)
    ben.codecs = ()
    bens = ben.calls[0]
    bens._talk.codecs = ()
    with pytest.raises(CallRefuses, match="refused with 488"):
        await annas.updates()
    assert annas.state is annas.state.UP
