"""Emergency calls first: whatever From says, however the number is written, and when everything else is full, banned or flooded."""

import asyncio
from dataclasses import replace

import pytest

from tests.engines.kamailio.conftest import ALL_TRANSPORTS, RunningEdge
from tests.engines.kamailio.talk import Line, Message, Phone, eventually, reply, token
from tests.engines.kamailio.test_abuse import ATTACKER, banned, guess
from tests.engines.kamailio.test_calls import invites, within

pytestmark = pytest.mark.engines
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
SENDERS = (
    "",
    ANONYMOUS,
    "<sip:anonymous@Anonymous.Invalid>",
    "<sip:anna@192.0.2.1>",
    "<sip:ben@lumen.test>",
    "<tel:+12065550100>",
    "<sip:x.test>",
)


async def let_through(edge: RunningEdge, switch: Line, phone: Phone, uri: str, sender: str = "") -> Message:
    """The INVITE that the switch sees of a call that nobody questioned."""
    call = token()
    phone.send(phone.text("INVITE", uri, call=call, sender=sender, to="<sip:911@lumen.test>"))
    invite = await switch.hear(lambda m: invites(m) and m.one("Call-ID") == call)
    assert invite.one("X-Offhook-Source") == "emergency"
    return invite


@ALL_TRANSPORTS
async def test_an_emergency_call_of_a_registered_phone_is_never_challenged(edge: RunningEdge, switch: Line, transport: str) -> None:
    anna = await edge.phone(transport=transport)
    await anna.registers()
    anna.send(anna.text("INVITE", "sip:911@lumen.test", "X-Offhook-Source: phone", call=token()))
    invite = await switch.hear(invites)
    assert invite.one("X-Offhook-Source") == "emergency"
    assert invite.one("P-Asserted-Identity") == "<sip:anna@lumen.test>"
    switch.send(reply(invite, 200, contact=f"<sip:s@127.0.0.1:{edge.settings.switch_port}>"), edge.inner)
    await anna.line.hear(lambda m: m.status == 200)
    invite = await let_through(edge, switch, anna, f"sip:933@{edge.settings.address}:{edge.settings.sip_port}", ANONYMOUS)
    assert invite.one("P-Asserted-Identity") == "<sip:anna@lumen.test>"


@pytest.mark.parametrize("sender", SENDERS)
async def test_from_may_say_what_it_likes(edge: RunningEdge, switch: Line, sender: str) -> None:
    """RFC 3323 lets it hide everything, and a telephone may be set up wrongly: who calls is known by where the telephone registered."""
    anna = await edge.phone()
    await anna.registers()
    for uri in ("sip:911@lumen.test", "tel:911", f"sip:911@{edge.settings.address}"):
        invite = await let_through(edge, switch, anna, uri, sender)
        assert (invite.uri, invite.one("P-Asserted-Identity")) == ("sip:911@lumen.test", "<sip:anna@lumen.test>")


@pytest.mark.parametrize(
    "uri",
    ["sip:9-1-1@lumen.test", "sip:911;phone-context=+1@lumen.test;user=phone", "tel:9.1-1;phone-context=+1", "sip:(9)1%31@x.test;x=y",
     "sips:911@lumen.test", "sip:911:word@lumen.test"],
)  # fmt: skip
async def test_the_number_is_read_however_it_is_written(edge: RunningEdge, switch: Line, uri: str) -> None:
    anna = await edge.phone()
    await anna.registers()
    assert (await let_through(edge, switch, anna, uri)).uri == "sip:911@lumen.test", "and the switch reads the same"


async def test_what_is_no_emergency_call_of_that_telephone_is_challenged(edge: RunningEdge, switch: Line) -> None:
    anna, other, paul = await edge.phone(), await edge.phone(), await edge.phone("paul", domain="pine.test")
    await anna.registers()
    await paul.registers()
    # Not registered from there; no emergency number of this organization; not exactly the number; another country's.
    for phone, uri in (
        (other, "sip:911@lumen.test"), (anna, "sip:112@lumen.test"), (anna, "sip:9110@lumen.test"), (anna, "sip:0911@lumen.test"),
        (anna, "sip:+911@lumen.test"), (paul, "sip:911@pine.test"),
    ):  # fmt: skip
        assert (await phone.answer_to(phone.text("INVITE", uri, call=token()))).status == 407
    assert (await paul.answer_to(paul.text("INVITE", "tel:911", call=token(), sender="<sip:anna@lumen.test>"))).status == 407
    await switch.hears_nothing(seconds=0.2)


async def test_two_people_on_one_telephone_call_each_as_themselves(edge: RunningEdge, switch: Line) -> None:
    anna, ben = await edge.phone(), await edge.phone("ben")
    ben.line = anna.line
    await anna.registers()
    await ben.registers()
    for phone in (anna, ben):
        invite = await let_through(edge, switch, phone, "sip:911@lumen.test")
        assert invite.one("P-Asserted-Identity") == f"<sip:{phone.user}@lumen.test>"


async def test_there_is_room_for_an_emergency_call_of_whom_we_know_nothing_yet(edge: RunningEdge, switch: Line) -> None:
    """Not registered, so it shows a password; full or not, and whatever From says."""
    anna = await edge.phone()
    await edge.client.limit_new_calls(0)
    assert (await anna.answer_to(anna.text("INVITE", "sip:102@lumen.test", call=token()))).status == 503
    for sender in ("", ANONYMOUS, "<sip:anna@192.0.2.1>"):
        call, uri = token(), "sip:9-1-1@lumen.test"
        challenge = await anna.answer_to(anna.text("INVITE", uri, call=call, sender=sender))
        assert challenge.status == 407
        anna.send(anna.text("INVITE", uri, anna.proof(challenge, "INVITE", uri), call=call, cseq=2, sender=sender))
        invite = await switch.hear(invites)
        assert (invite.one("Call-ID"), invite.uri, invite.one("X-Offhook-Source")) == (call, "sip:911@lumen.test", "phone")
        assert invite.one("P-Asserted-Identity") == "<sip:anna@lumen.test>"
    assert (await edge.client.counters())["shed"] == 1


async def test_an_emergency_call_goes_through_while_its_source_is_banned(edge: RunningEdge, switch: Line) -> None:
    anna, noise = await edge.phone(ip=ATTACKER), await edge.phone("mary", ip=ATTACKER)
    await anna.registers()
    await guess(edge, noise)
    with pytest.raises(AssertionError):
        await noise.answer_to(noise.text("OPTIONS", "sip:lumen.test", call=token()), 1.0)
    invite = await let_through(edge, switch, anna, "sip:911@lumen.test", ANONYMOUS)
    switch.send(reply(invite, 200, contact=f"<sip:s@127.0.0.1:{edge.settings.switch_port}>"), edge.inner)
    answer = await anna.line.hear(lambda m: m.status == 200)
    for number in range(3 * edge.settings.flood_requests):
        anna.send(anna.text("OPTIONS", "sip:lumen.test", call=f"m{number}"))
    call, (uri, to, routes) = invite.one("Call-ID"), within(answer)
    anna.send(anna.text("ACK", uri, *routes, call=call, to=to))
    await switch.hear(lambda m: m.method == "ACK")
    anna.send(anna.text("BYE", uri, *routes, call=call, cseq=2, to=to))
    await switch.hear(lambda m: m.method == "BYE")


async def test_a_telephone_is_found_again_by_its_address_after_the_edge_died(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone()
    await anna.registers()
    edge.end()
    await edge.start()
    await let_through(edge, switch, anna, "tel:911", ANONYMOUS)
    told = str(await edge.client._ask("htable.dump", "sources"))
    assert "'name': '127.0.0.1'" in told, "and so is the address of telephones"


async def test_a_flood_of_emergency_calls_must_show_the_password(edge: RunningEdge, switch: Line) -> None:
    """One telephone, or who forges its address, must not take all of the switch; who can show the password goes on."""
    edge.end()
    edge.settings = replace(edge.settings, flood_requests=1000)
    await edge.start()
    anna, ben, most = await edge.phone(), await edge.phone("ben"), edge.settings.emergencies_by_source
    await anna.registers()
    await ben.registers()
    for number in range(most):
        anna.send(anna.text("INVITE", "sip:911@lumen.test", call=f"burst{number}", branch=f"burst{number}"))
    for _ in range(most):
        assert (await switch.hear(invites)).one("X-Offhook-Source") == "emergency"
    for number in range(most, 99):
        anna.send(anna.text("INVITE", "sip:911@lumen.test", call=f"burst{number}"))
    uri = "sip:911@lumen.test"
    challenge = await anna.answer_to(anna.text("INVITE", uri, call="last"))
    assert challenge.status == 407
    await switch.hears_nothing(invites, seconds=0.2)
    assert edge.log.count("edge.emergencies user=anna@lumen.test source=udp:127.0.0.1:") == 1
    await edge.client.limit_new_calls(0)
    anna.send(anna.text("INVITE", uri, anna.proof(challenge, "INVITE", uri), call="last", cseq=2))
    assert (await switch.hear(invites)).one("X-Offhook-Source") == "phone"
    await let_through(edge, switch, ben, uri)


async def test_with_a_password_a_flood_waits_for_room_as_others_do(edge: RunningEdge, switch: Line) -> None:
    edge.end()
    edge.settings = replace(edge.settings, emergencies_by_source=2)
    await edge.start()
    anna = await edge.phone()
    await edge.client.limit_new_calls(0)
    uri, statuses = "sip:911@lumen.test", []
    for number in range(3):
        challenge = await anna.answer_to(anna.text("INVITE", uri, call=f"shown{number}"))
        proven = anna.text("INVITE", uri, anna.proof(challenge, "INVITE", uri), call=f"shown{number}", cseq=2)
        anna.send(proven)
        if number < 2:
            switch.send(reply(await switch.hear(invites), 486), edge.inner)
        statuses.append((await anna.answer_to(proven)).status)
    assert statuses == [486, 486, 503]


async def test_the_count_of_a_telephone_ends(edge: RunningEdge, switch: Line) -> None:
    edge.end()
    edge.settings = replace(edge.settings, emergencies_by_source=1, emergency_seconds=1)
    await edge.start()
    anna = await edge.phone()
    await anna.registers()
    await let_through(edge, switch, anna, "sip:911@lumen.test")
    assert (await anna.answer_to(anna.text("INVITE", "sip:911@lumen.test", call=token()))).status == 407

    async def unchallenged() -> bool:
        answer = await anna.answer_to(anna.text("INVITE", "sip:911@lumen.test", call=token()))
        return answer.status == 486

    async def busy() -> None:
        while True:
            switch.send(reply(await switch.hear(invites), 486), edge.inner)

    answering = asyncio.create_task(busy())
    await eventually(unchallenged)
    answering.cancel()
    assert not await banned(edge, "127.0.0.1")
