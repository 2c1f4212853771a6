"""Two organizations on one system, whose people have the same extensions: nobody hears, reaches or reads the other's."""

import asyncio

import pytest

from tests.calls.stories import PATIENCE_SECONDS, connected, eventually, found, hear_each_other, listed, registered, told
from tests.calls.system import System

pytestmark = pytest.mark.engines

PINE = "pine.test"


async def test_the_same_extension_is_each_ones_own(system: System) -> None:
    phones = (system.phone("anna"), system.phone("ben"), system.phone("paul", PINE), system.phone("paul", PINE))
    async with registered(*phones) as (anna, ben, paul, bakery):
        lumens, pines = await ben.dials("101"), await paul.dials("101")
        at_anna, at_bakery = await anna.rings(PATIENCE_SECONDS), await bakery.rings(PATIENCE_SECONDS)
        assert [(each.caller.user, each.caller.host) for each in (at_anna, at_bakery) if each.caller] == [
            ("102", "lumen.test"),
            ("101", PINE),
        ]
        await asyncio.gather(at_anna.answers(), at_bakery.answers())
        await asyncio.gather(hear_each_other(lumens, at_anna), hear_each_other(pines, at_bakery))
        assert len(anna.calls) == 1  # Pine's 101 did not ring here
        await asyncio.gather(lumens.hangs_up(), at_bakery.hangs_up())
        await told(system, lumens, "completed.by_caller")
        await told(system, pines, "completed.by_callee", domain=PINE)
    assert found(system, lumens.call_id, PINE) is None
    assert found(system, pines.call_id) is None


async def test_an_extension_of_the_other_organization_is_nobodys(system: System) -> None:
    async with registered(system.phone("paul", PINE), system.phone("ben")) as (paul, ben):
        call = await paul.dials("102")
        assert (await call.ended()).status == 484
        whole = await paul.dials("sip:ben@lumen.test")
        assert (await whole.ended()).status in (403, 404, 484)
        assert ben.calls == []
        answer = await told(system, call, "number.unreadable", domain=PINE)
    assert "102 is nobody's extension" in [decision["text"] for decision in answer["explanation"]["decisions"]]


async def test_the_calls_of_one_are_not_there_for_the_other(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        living = found(system, call.call_id, live=True)
        assert living is not None
        id = living["record"]["call"]
        assert system.api("GET", "/calls?state=live", PINE).json()["calls"] == []
        assert system.api("GET", f"/calls/{id}", PINE).status_code == 404
        await other.hangs_up()
        await told(system, call, "completed.by_callee")
    assert system.api("GET", f"/calls/{id}", PINE).status_code == 404
    token = system.organization(PINE)["api"]["token"]
    assert id not in [each["call"] for each in listed(system, token)]
    refused = await asyncio.to_thread(system.offhook, "--token", token, "explain", id)
    assert refused.returncode != 0 and "ben" not in refused.stdout + refused.stderr


async def test_the_same_call_id_in_both_does_not_mix(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    phones = (system.phone("anna"), system.phone("ben"), system.phone("paul", PINE), system.phone("paul", PINE))
    async with registered(*phones) as (anna, ben, paul, bakery):
        lumens, at_ben = await connected(anna, ben, "102")
        invite = paul.agent.invite
        monkeypatch.setattr(paul.agent, "invite", lambda session, **more: invite(session, **{**more, "call_id": lumens.call_id}))
        pines, at_bakery = await connected(paul, bakery, "101")
        await asyncio.gather(hear_each_other(lumens, at_ben), hear_each_other(pines, at_bakery))
        await pines.hangs_up()
        await at_bakery.ended()
        assert lumens.ending is at_ben.ending is None
        await lumens.hangs_up()
        ours = await told(system, lumens, "completed.by_caller")
        theirs = await eventually(lambda: found(system, lumens.call_id, PINE), "Pine's record")
    assert ours["record"]["caller"] == "anna@lumen.test" and theirs["record"]["caller"] == "paul@pine.test"
    assert not {message["text"] for message in ours["explanation"]["messages"]} & {
        message["text"] for message in theirs["explanation"]["messages"]
    }
