"""Telephones that are called and behave badly: what the caller sees, how the call is recorded, and that nothing is left of it."""

import asyncio
import re

import pytest

from offhook.phones.calls import CallState, Who
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import PATIENCE_SECONDS, registered, told
from tests.calls.system import System
from tests.hostile.bad_phone import KIND, bad_phone, is_answer, sdp, value
from tests.hostile.peers import TRUSTED

pytestmark = pytest.mark.engines

TWO_AUDIO = sdp() + "m=audio 4010 RTP/AVP 0\r\na=sendrecv\r\n"
NO_AUDIO = sdp().replace("m=audio", "m=video")
ANSWERS = [
    ("no description", "", "media.no_common_codec"),
    ("no audio", NO_AUDIO, "media.no_common_codec"),
    ("audio switched off", sdp(0), "media.no_common_codec"),
    ("nonsense", "v=0\r\nnonsense\r\n", "media.no_common_codec"),
    ("packets of an hour", sdp() + "a=ptime:3600000\r\n", ""),
    ("two audio lines", TWO_AUDIO, ""),
    ("50 kB", sdp() + "".join(f"a=x-{number}:{'y' * 20}\r\n" for number in range(1800)), ""),
]


@pytest.mark.parametrize(("name", "body", "code"), ANSWERS, ids=[name for name, _, _ in ANSWERS])
async def test_it_answers_with(system: System, name: str, body: str, code: str) -> None:
    """A description that cannot be talked by ends the call for both; one that only is odd does not."""
    async with bad_phone(system, f"{TRUSTED}.210") as ben, registered(system.phone("anna")) as (anna,):
        call = await anna.dials("102")
        invite = await ben.asked("INVITE")
        ben.says(invite, "200 OK", body=body)
        await ben.asked("ACK")
        if code:
            assert (await call.ended(PATIENCE_SECONDS)).status >= 400
        else:
            await call.answered(PATIENCE_SECONDS)
            await call.hangs_up()
        ben.says(await ben.asked("BYE"), "200 OK")
        await told(system, call, code or "completed.by_caller")
        await assert_nothing_is_left(system)


async def test_it_answers_again_and_again_and_as_another(system: System) -> None:
    """Each repeat is acknowledged; a second dialog (another tag) is acknowledged and hung up (RFC 3261 13.2.2.4)."""
    async with bad_phone(system, f"{TRUSTED}.210") as ben, registered(system.phone("anna")) as (anna,):
        call = await anna.dials("102")
        invite = await ben.asked("INVITE")
        for _ in range(30):
            ben.says(invite, "200 OK", body=sdp())
        await call.answered(PATIENCE_SECONDS)
        for _ in range(30):
            await ben.asked("ACK")
        ben.says(invite, "200 OK", tag="another", body=sdp())
        bye = await ben.asked("BYE")
        assert ";tag=another" in value(bye, "To")
        ben.says(bye, "200 OK")
        assert call.state is CallState.UP
        await call.hangs_up()
        ben.says(await ben.hears(lambda data: data.startswith(b"BYE ") and b";tag=bad" in data), "200 OK")
        await told(system, call, "completed.by_caller")
        await assert_nothing_is_left(system)


async def test_it_rings_as_a_hundred_and_is_busy(system: System) -> None:
    async with bad_phone(system, f"{TRUSTED}.210") as ben, registered(system.phone("anna")) as (anna,):
        call = await anna.dials("102")
        invite = await ben.asked("INVITE")
        for number in range(100):
            ben.says(invite, "180 Ringing", tag=f"fork{number}")
        ben.says(invite, "486 Busy Here")
        ben.says(invite, "486 Busy Here")
        # Not sooner: two workers of the edge may swap what comes in one burst.
        assert (await call.ended(PATIENCE_SECONDS)).status == 486
        ben.says(invite, "200 OK", body=sdp())
        await told(system, call, "callee.busy")
        await assert_nothing_is_left(system)


async def test_it_says_nothing_at_all(system: System) -> None:
    async with bad_phone(system, f"{TRUSTED}.210") as ben, registered(system.phone("anna")) as (anna,):
        call = await anna.dials("102")
        await ben.asked("INVITE")
        assert (await call.ended(30)).status == 480
        await told(system, call, "callee.unreachable")
        await assert_nothing_is_left(system)


async def test_its_bye_with_wrong_tags_is_nobodys_and_the_call_stands(system: System) -> None:
    async with bad_phone(system, f"{TRUSTED}.210") as ben, registered(system.phone("anna")) as (anna,):
        call = await anna.dials("102")
        invite = await ben.asked("INVITE")
        ben.says(invite, "200 OK", body=sdp())
        await call.answered(PATIENCE_SECONDS)
        ben.as_called("BYE", invite, 1, tag="wrong")
        ben.as_called("BYE", invite, 2, far="wrong")
        ben.as_called("BYE", invite, 3, tag="")
        for number in (1, 2, 3):
            await ben.hears(lambda data, number=number: is_answer(data, 481, f"{number} BYE"))  # type: ignore[misc]
        assert call.state is CallState.UP
        ben.as_called("BYE", invite, 4)
        await ben.hears(lambda data: is_answer(data, 200, "4 BYE"))
        assert (await call.ended()).who is Who.THEM
        for _ in range(20):
            ben.as_called("BYE", invite, 4)
        await told(system, call, "completed.by_callee")
        await assert_nothing_is_left(system)


async def test_it_sends_it_back_to_the_caller_and_to_itself(system: System) -> None:
    """A redirect in a circle ends, whether redirects are followed or not."""
    async with bad_phone(system, f"{TRUSTED}.210") as ben, registered(system.phone("anna")) as (anna,):
        call = await anna.dials("102")
        for _ in range(20):
            waiting = asyncio.create_task(ben.asked("INVITE"))
            done, _ = await asyncio.wait({waiting, asyncio.create_task(call.ended(30))}, return_when=asyncio.FIRST_COMPLETED)
            if waiting not in done:
                waiting.cancel()
                break
            invite = await waiting
            ben.says(invite, "302 Moved Temporarily", "Contact: <sip:102@lumen.test>, <sip:101@lumen.test>")
        assert (await call.ended(PATIENCE_SECONDS)).status >= 300
        await assert_nothing_is_left(system)


async def test_it_floods_the_call_with_keys_offers_and_transfers(system: System) -> None:
    """INFO, re-INVITE, UPDATE, PRACK and REFER by the hundred: the call goes on or ends, and is over when hung up."""
    async with bad_phone(system, f"{TRUSTED}.210") as ben, registered(system.phone("anna")) as (anna,):
        call = await anna.dials("102")
        invite = await ben.asked("INVITE")
        ben.says(invite, "200 OK", body=sdp())
        await call.answered(PATIENCE_SECONDS)
        cseq = 0
        for _ in range(60):
            for method, more, body in (
                ("INFO", "Content-Type: application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"),
                ("INVITE", KIND, sdp(4000 + 2 * cseq)),
                ("UPDATE", KIND, sdp()),
                ("PRACK", "RAck: 4294967296 0 INVITE", ""),
                ("REFER", "Refer-To: <sip:102@lumen.test>;x=\"", ""),
                ("REFER", "Refer-To: <sip:nobody@nowhere.invalid?Replaces=%00>", ""),
            ):  # fmt: skip
                cseq += 1
                ben.as_called(method, invite, cseq, more, body=body)
            await asyncio.sleep(0.02)
        await ben.hears(lambda data: is_answer(data, 200, "1 INFO"))
        ben.as_called("BYE", invite, cseq + 1)
        await ben.hears(lambda data: re.match(rb"SIP/2.0 (200|481)", data) is not None and value(data, "CSeq") == f"{cseq + 1} BYE")
        await call.ended(PATIENCE_SECONDS)
        for data in list(ben.heard):
            if data.startswith((b"BYE", b"NOTIFY", b"INVITE", b"CANCEL")):
                ben.says(data, "486 Busy Here" if data.startswith(b"INVITE") else "200 OK")
        await assert_nothing_is_left(system, 100)
