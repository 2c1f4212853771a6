"""Every way a call can be made to end: what the caller's telephone is told, and what the administrator can read of it."""

import asyncio
import re

import pytest

from offhook.phones import offers
from offhook.phones.calls import Who
from offhook.phones.phone import BUSY, DECLINES, Policy
from offhook.phones.registration import RegistrationRefused
from offhook.sip.sdp import Codec
from tests.calls.stories import (
    PATIENCE_SECONDS,
    check_printed,
    connected,
    eventually,
    listed,
    registered,
    token_of_the_provider,
    told_and_printed,
)
from tests.calls.system import System

pytestmark = pytest.mark.engines


@pytest.mark.parametrize("by_caller", [True, False], ids=["by the caller", "by the callee"])
async def test_hung_up(system: System, by_caller: bool) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        first, second = (call, other) if by_caller else (other, call)
        await first.hangs_up()
        assert (await second.ended()).who is Who.THEM
        answer = await told_and_printed(system, call, "completed.by_caller" if by_caller else "completed.by_callee")
    assert answer["record"]["answered_at"] is not None and answer["record"]["talked_seconds"] is not None
    ladder = "\n".join(answer["explanation"]["ladder"])
    assert "200 OK (INVITE) +SDP" in ladder and ladder.count("200 OK (BYE)") == 2
    assert ladder.count("-- BYE sip:") == 2


async def test_the_caller_gives_up(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102")
        other = await ben.rings()
        await call.ringing()
        assert (await call.hangs_up()).status == 487
        assert (await other.ended()).status == 487
        answer = await told_and_printed(system, call, "caller.cancelled")
    assert answer["record"]["answered_at"] is None
    assert "487 Request Terminated" in "\n".join(answer["explanation"]["ladder"])


@pytest.mark.parametrize(
    ("policy", "status", "code"),
    [
        (BUSY, 486, "callee.busy"),
        (DECLINES, 603, "callee.declined"),
        (Policy(refuses_with=488), 488, "media.no_common_codec"),
        (Policy(refuses_with=500), 480, "callee.failed"),
        (Policy(refuses_with=480), 480, "callee.no_answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_called_telephone_refuses(system: System, policy: Policy, status: int, code: str) -> None:
    async with registered(system.phone("anna"), system.phone("ben", policy=policy)) as (anna, _):
        call = await anna.dials("102")
        assert (await call.ended()).status == status
        answer = await told_and_printed(system, call, code)
    assert f"<-- {status} " in "\n".join(answer["explanation"]["ladder"])


@pytest.mark.parametrize(
    ("dialled", "status", "code"),
    [
        ("103", 480, "callee.not_registered"),
        ("12", 484, "number.unreadable"),
        ("+12065559999", 404, "carrier.number_unknown"),
        ("+12065550190", 486, "callee.busy"),
        ("+12065550192", 603, "callee.declined"),
        ("+12065550193", 503, "carrier.refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_was_dialled_cannot_be_reached(system: System, dialled: str, status: int, code: str) -> None:
    async with registered(system.phone("anna")) as (anna,):
        call = await anna.dials(dialled)
        assert (await call.ended(PATIENCE_SECONDS)).status == status
        answer = await told_and_printed(system, call, code)
    assert answer["record"]["dialled"] == dialled
    assert f"<-- {status} " in "\n".join(answer["explanation"]["ladder"])


async def test_a_number_of_the_carrier_that_hangs_up_by_itself(system: System) -> None:
    async with registered(system.phone("anna")) as (anna,):
        call = await (await anna.dials("+12065550194")).answered(PATIENCE_SECONDS)
        assert (await call.ended()).who is Who.THEM
        answer = await told_and_printed(system, call, "completed.by_callee")
    assert answer["record"]["direction"] == "out"


async def test_a_caller_whose_sound_the_attendant_cannot_speak(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(offers.FORMATS, "G729", Codec(18, "G729", 8000))
    async with registered(system.phone("anna", codecs=("G729",))) as (anna,):
        call = await anna.dials("100")
        assert (await call.ended()).status == 488
        await told_and_printed(system, call, "media.no_common_codec")


@pytest.mark.long
async def test_nobody_answers_and_no_key_is_pressed(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben"), system.phone("chloe")) as (anna, ben, chloe):
        ringing = await anna.dials("103")
        late = await chloe.rings()
        menu = await (await ben.dials("100")).answered(PATIENCE_SECONDS)
        await menu.hears.speech()
        for _ in range(3):  # the attendant has three rounds, and a wrong key costs one
            await menu.presses("9")
        assert (await menu.ended(PATIENCE_SECONDS)).who is Who.THEM
        await told_and_printed(system, menu, "attendant.no_input")
        assert (await ringing.ended(45)).status == 480
        assert (await late.ended()).status == 487
        answer = await told_and_printed(system, ringing, "callee.no_answer")
    assert "480 Temporarily Unavailable" in "\n".join(answer["explanation"]["ladder"])


async def test_the_caller_leaves_the_attendant(system: System) -> None:
    async with registered(system.phone("anna")) as (anna,):
        call = await (await anna.dials("100")).answered(PATIENCE_SECONDS)
        await call.hears.speech()
        await call.hangs_up()
        answer = await told_and_printed(system, call, "attendant.caller_left")
    assert answer["record"]["connected"] == "the attendant Reception"


async def test_the_caller_leaves_while_the_attendants_choice_rings(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await (await anna.dials("100")).answered(PATIENCE_SECONDS)
        await call.hears.speech()
        await call.presses("2")
        other = await ben.rings()
        await call.hangs_up()
        assert (await other.ended()).status == 487
        await told_and_printed(system, call, "caller.left")


async def test_a_number_that_nobody_has(system: System) -> None:
    report = await asyncio.to_thread(call_in, system, "+12065550177")
    assert report["status"] == 404
    token = token_of_the_provider(system)
    unassigned = await eventually(lambda: listed(system, token, "--ending", "number.not_assigned"), "its record")
    assert [call["dialled"] for call in unassigned].count("+12065550177") == 1
    text = await check_printed(system, unassigned[0]["call"], "number.not_assigned", token)
    assert "+12065550177 is nobody's number here" in text and "404 Not Found" in text


def call_in(system: System, number: str) -> dict[str, object]:
    """A call from the public network that listens for a second."""
    body = {"from": "+12065550199", "to": number, "digits": "", "listen_seconds": 1}
    answer = system.api("POST", "/sandbox/calls", json=body)
    return dict(answer.raise_for_status().json())


async def test_a_wrong_password(system: System) -> None:
    async with system.phone("anna", password="not-her-password") as anna:
        with pytest.raises(RegistrationRefused) as refused:
            await anna.register()
    assert refused.value.status in (401, 403)

    def logged() -> re.Match[str] | None:
        return re.search(r"edge\.wrong_password user=anna@lumen\.test source=udp:[\d.:]+: correct the password", system.log("kamailio"))

    await eventually(logged, "a sentence in the edge's log")
