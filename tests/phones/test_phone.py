"""Two telephones call each other directly, over real sockets, and listen."""

import asyncio

import pytest

from offhook.phones.calls import CallRefuses, CallState, Ended, PhoneCall, Who
from offhook.phones.ear import NotHeard
from offhook.phones.media import MediaPort
from offhook.phones.phone import BUSY, DECLINES, IGNORES, RINGS, Phone, answers_after, answers_with_redirect
from offhook.phones.sources import Tone
from offhook.phones.waiting import NotInTime
from offhook.sip.timers import Timers
from tests.phones.conftest import Makes, number_of


async def talking(anna: Phone, ben: Phone) -> tuple[PhoneCall, PhoneCall]:
    """A call that is up, Anna saying 440 Hz and Ben 620."""
    annas = await anna.dials(number_of(ben))
    annas.says(Tone(440))
    bens = await ben.rings()
    bens.says(Tone(620))
    await bens.answers()
    await annas.answered()
    return annas, bens


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_anna_calls_ben_and_both_hear_each_other(phone: Makes, transport: str) -> None:
    anna, ben = await phone("anna", transport=transport), await phone("ben", transport=transport)
    annas = await anna.dials(number_of(ben))
    bens = await ben.rings()
    await annas.ringing()
    assert annas.progress == [180]
    assert bens.caller is not None and bens.caller.user == "anna"
    annas.says(Tone(440))
    bens.says(Tone(620))
    await bens.answers()
    await annas.answered()
    await annas.hears.tone(620)
    await bens.hears.tone(440)
    assert annas.hears.heard_tones((440, 620)) == {620}
    assert await annas.hangs_up() == Ended(200, "hung up", Who.US)
    assert await bens.ended() == Ended(200, "hung up", Who.THEM)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_a_phone_with_one_codec_is_spoken_to_in_it(phone: Makes, codec: str) -> None:
    anna, ben = await phone("anna"), await phone("ben", codecs=(codec,))
    annas, bens = await talking(anna, ben)
    await annas.hears.tone(620)
    await bens.hears.tone(440)
    assert f"RTP/AVP {0 if codec == 'PCMU' else 8}\r\n" in (annas.answer.body.decode() if annas.answer else "")


async def test_phones_that_share_no_codec_do_not_connect(phone: Makes) -> None:
    anna, ben = await phone("anna", codecs=("PCMU",)), await phone("ben", codecs=("PCMA",))
    annas = await anna.dials(number_of(ben))
    with pytest.raises(CallRefuses, match="they speak PCMU, we PCMA"):
        await (await ben.rings()).answers()
    assert (await annas.ended()).status == 488


async def test_who_is_held_hears_nothing_until_resumed(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    await annas.hears.tone(620)
    await annas.holds()
    assert (annas.holding, bens.held) == (True, True)
    await annas.hears.quiet()
    await bens.hears.tone(440)
    await annas.resumes()
    assert (annas.holding, bens.held) == (False, False)
    await annas.hears.tone(620)
    await bens.holds()
    assert annas.held
    await bens.hangs_up()
    assert (await annas.ended()).who is Who.THEM


async def test_both_may_hold_one_right_after_the_other(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    await annas.holds()
    await bens.holds()
    await annas.resumes()
    await bens.resumes()
    await annas.hears.tone(620)
    await bens.hears.tone(440)


async def test_both_hold_at_the_same_moment(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    await asyncio.gather(annas.holds(), bens.holds())
    assert annas.held and bens.held
    await annas.hears.quiet()
    await bens.hears.quiet()


async def test_a_call_that_is_over_cannot_be_held(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    await bens.hangs_up()
    await annas.ended()
    with pytest.raises(CallRefuses, match="cannot"):
        await annas.holds()


async def test_keys_arrive_by_event_by_info_and_as_tones(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    await annas.presses("12#")
    await bens.hears.pressed("12#")
    await bens.presses("9*", info=True)
    assert annas.digits_by_info == "9*"
    assert annas.hears.digits == ""
    await annas.hears.tone(620)


async def test_a_caller_who_gives_up_is_told_apart_from_one_who_is_answered(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas = await anna.dials(number_of(ben))
    bens = await ben.rings()
    await annas.ringing()
    assert await annas.hangs_up() == Ended(487, "hung up", Who.US)
    assert (await bens.ended()).who is Who.THEM
    assert bens.answered_at is None


@pytest.mark.parametrize(("policy", "status"), [(BUSY, 486), (DECLINES, 603)])
async def test_a_phone_refuses_as_told(phone: Makes, policy: object, status: int) -> None:
    anna, ben = await phone("anna"), await phone("ben", policy=policy)
    annas = await anna.dials(number_of(ben))
    ended = await annas.ended()
    assert (ended.status, ended.who) == (status, Who.THEM)
    with pytest.raises(CallRefuses, match=f"{status}"):
        await annas.answered()
    assert annas.media.figures.packets_sent == 0


async def test_a_phone_answers_by_itself(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben", policy=answers_after(0.1))
    annas = await (await anna.dials(number_of(ben))).answered()
    assert annas.state is CallState.UP
    assert annas.answered_at is not None and annas.rang_at is not None


async def test_waiting_in_vain_tells_the_messages_seen(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben", policy=IGNORES)
    annas = await anna.dials(number_of(ben))
    with pytest.raises(NotInTime, match=r"(?s)ringing did not happen in 0.5 s.*-> INVITE sip:ben.*<- SIP/2.0 100 Trying \(1 INVITE\)"):
        await annas.ringing(patience=0.5)
    with pytest.raises(NotInTime, match="anna: a call coming in"):
        await anna.rings(patience=0.1)
    with pytest.raises(NotHeard, match="No packet"):
        await annas.hears.tone(440, patience=0.1)


async def test_nobody_there_ends_the_call_by_itself(phone: Makes) -> None:
    anna, ben = await phone("anna", timers=Timers(t1=0.1, patience=1.0)), await phone("ben")
    there = number_of(ben)
    await ben.vanish()
    annas = await anna.dials(there)
    ended = await annas.ended()
    assert (ended.status, ended.who) == (408, Who.NOBODY)


async def test_an_invite_without_an_offer_is_answered_with_one(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas = await anna.dials(number_of(ben), offerless=True)
    bens = await ben.rings()
    await bens.answers()
    await annas.answered()
    assert annas.answer is not None and b"m=audio" in annas.answer.body
    assert annas.answer.body.count(b"a=rtpmap") == 3


async def test_early_media_is_heard_before_the_answer(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas = await anna.dials(number_of(ben))
    bens = await ben.rings()
    bens.says(Tone(425))
    bens.rings(183, early_media=True)
    await annas.hears.tone(425)
    assert annas.state is CallState.CALLING
    await bens.answers()
    await annas.answered()
    assert annas.progress == [180, 183]


async def test_reports_give_both_sides_figures(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    await annas.hears.until(lambda: annas.figures.round_trip_ms is not None, "Ben's report")
    assert annas.figures.their_lost == 0
    assert bens.figures.packets_heard > 0


async def test_two_calls_of_one_phone_do_not_mix(phone: Makes) -> None:
    anna, ben, chloe = await phone("anna"), await phone("ben"), await phone("chloe")
    annas, bens = await talking(anna, ben)
    chloes = await chloe.dials(number_of(anna))
    chloes.says(Tone(1000))
    second = await anna.rings()
    await second.answers()
    await second.hears.tone(1000)
    await annas.hears.tone(620)
    assert not annas.hears.heard_tone(1000)
    assert await chloes.hangs_up() == Ended(200, "hung up", Who.US)
    await second.ended()
    assert bens.state is CallState.UP


async def test_a_caller_who_cancels_at_once_leaves_nothing_ringing(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas = await anna.dials(number_of(ben))
    ended = await annas.hangs_up()
    assert ended.status == 487
    assert all(call.state is CallState.ENDED for call in ben.calls)


async def test_a_call_that_is_over_is_forgotten_whoever_ended_it(phone: Makes) -> None:
    """A sandbox's carrier refuses thousands of calls: those that it had ended itself stayed for ever."""
    anna, ben = await phone("anna"), await phone("ben")
    for policy in (BUSY, answers_with_redirect(302, ("sip:101@lumen.test",))):
        ben.policy = policy
        await (await anna.dials(number_of(ben))).ended()
    ben.policy = RINGS
    refused = await anna.dials(number_of(ben))
    (await ben.rings()).declines()
    await refused.ended()
    for by_caller in (True, False):
        annas, bens = await talking(anna, ben)
        await (annas if by_caller else bens).hangs_up()
        await asyncio.gather(annas.ended(), bens.ended())
    cancelled = await anna.dials(number_of(ben))
    bens = await ben.rings()
    await cancelled.hangs_up()
    await bens.ended()
    for each in (anna, ben):
        assert (each._sessions, each.agent._core.sessions, each.agent._core.dialogs) == ({}, {}, {})


async def test_a_call_that_finds_no_port_for_its_sound_is_refused(phone: Makes, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas = await anna.dials(number_of(ben))

    async def none_left(*where: object, **how: object) -> MediaPort:
        raise OSError("too many open files")

    monkeypatch.setattr(MediaPort, "open", none_left)
    assert (await annas.ended()).status == 500
    assert (ben._sessions, ben._meanwhile, ben.agent._core.sessions) == ({}, {}, {})
