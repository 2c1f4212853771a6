"""Telephones that transfer, and that leave the offer to the others, over real sockets."""

from contextlib import suppress

import pytest

from offhook.phones.calls import CallRefuses, PhoneCall, Who
from offhook.phones.phone import Phone
from offhook.phones.sources import Tone
from offhook.sip.facts import ReferReceived
from tests.phones.conftest import Makes, number_of


async def talking(anna: Phone, ben: Phone, *, offerless: bool = False) -> tuple[PhoneCall, PhoneCall]:
    """A call that is up, Anna saying 440 Hz and Ben 620."""
    annas = await anna.dials(number_of(ben), offerless=offerless)
    annas.says(Tone(440))
    bens = await ben.rings()
    bens.says(Tone(620))
    await bens.answers()
    await annas.answered()
    return annas, bens


def takes_transfers(phone: Phone, call: PhoneCall, *statuses: int) -> list[ReferReceived]:
    """From now on this side takes a REFER and tells these statuses, the last one as the end."""
    asked: list[ReferReceived] = []

    def told(fact: ReferReceived) -> None:
        asked.append(fact)
        phone.do(phone.agent.accept_refer(fact.session, now=phone.now()))
        for status in statuses:
            phone.do(phone.agent.notify_refer(fact.session, status=status, final=status >= 200, now=phone.now()))

    call.on_refer = told
    return asked


async def test_a_blind_transfer_ends_with_what_was_told(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas, bens = await talking(anna, ben)
    asked = takes_transfers(ben, bens, 180, 200)
    assert await annas.transfers(to="103") == 200
    assert annas.notified == [100, 180, 200]
    assert asked[0].refer_to == f"sip:103@127.0.0.1:{anna.address.port}"
    assert asked[0].referred_by == f"<{anna.own_uri}>"
    asked = takes_transfers(ben, bens, 486)
    assert await annas.transfers(to="sip:chloe@lumen.test") == 486
    assert asked[0].refer_to == "sip:chloe@lumen.test"
    assert (await annas.hangs_up()).who is Who.US


async def test_a_transfer_nobody_takes_leaves_the_call(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    assert await annas.transfers(to="103") == 603
    await bens.hears.tone(440)


async def test_an_attended_transfer_names_the_other_call(phone: Makes) -> None:
    anna, ben, chloe = await phone("anna"), await phone("ben"), await phone("chloe")
    annas, bens = await talking(anna, ben)
    second, chloes = await talking(anna, chloe)
    asked = takes_transfers(ben, bens, 200)
    assert await annas.transfers_to(second) == 200
    replaces = asked[0].replaces
    assert replaces is not None
    assert chloe.agent.session_of(replaces.call_id, replaces.to_tag, replaces.from_tag) is not None
    assert replaces.call_id == chloes.call_id
    await annas.hangs_up()


async def test_a_call_that_ends_before_the_transfer_is_told_of_says_so(phone: Makes) -> None:
    anna, ben = await phone("anna"), await phone("ben")
    annas, bens = await talking(anna, ben)

    def leaves(fact: ReferReceived) -> None:
        ben.do(ben.agent.accept_refer(fact.session, now=ben.now()))
        ben.do(ben.agent.bye(fact.session, now=ben.now()))

    bens.on_refer = leaves
    with pytest.raises(CallRefuses, match="before the transfer was told of"):
        await annas.transfers(to="103")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_who_leaves_the_offer_to_the_others_answers_in_the_ack(phone: Makes, transport: str) -> None:
    anna, ben = await phone("anna", transport=transport), await phone("ben", transport=transport)
    annas, bens = await talking(anna, ben, offerless=True)
    await annas.hears.tone(620)
    await bens.hears.tone(440)


async def test_an_offer_may_be_asked_for_in_the_call(phone: Makes) -> None:
    annas, bens = await talking(await phone("anna"), await phone("ben"))
    await annas.asks_for_offer()
    await bens.asks_for_offer()
    await annas.holds()
    assert bens.held
    await annas.resumes()
    await annas.hears.tone(620)
    await bens.hears.tone(440)


async def test_a_call_offered_in_the_ack_in_words_nobody_speaks_ends(phone: Makes) -> None:
    anna, ben = await phone("anna", codecs=("PCMU",)), await phone("ben", codecs=("PCMA",))
    annas = await anna.dials(number_of(ben), offerless=True)
    bens = await ben.rings()
    # Acknowledged and hung up in one breath: ben may see the end first.
    with suppress(CallRefuses):
        await bens.answers()
    assert (await annas.ended()).status == 488
    assert (await bens.ended()).who is not Who.NOBODY
