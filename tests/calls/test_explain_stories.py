"""What an explanation tells of real calls: while they last, afterwards, and about the sound."""

import asyncio
import re
from typing import Any

import pytest

from offhook.phones.sources import Nothing
from tests.calls.stories import PATIENCE_SECONDS, connected, eventually, found, hear_each_other, registered, told
from tests.calls.system import System

pytestmark = pytest.mark.engines


async def test_a_telephone_that_sends_nothing_is_found_while_the_call_lasts(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben", says=Nothing)) as (anna, ben):
        call, other = await connected(anna, ben, "102")

        def noticed() -> dict[str, Any] | None:
            living = found(system, call.call_id, live=True)
            return living if living and living["explanation"]["findings"] else None

        living = await eventually(noticed, "a finding")
        assert living["record"]["live"] and living["explanation"]["ending"] is None
        (finding,) = living["explanation"]["findings"]
        assert re.fullmatch(r"ben's telephone at .* sent no audio: its SDP said 127\.0\.0\.1:\d+, packets never came", finding)
        assert finding.endswith(f"127.0.0.1:{other.media.port}, packets never came")
        printed = await asyncio.to_thread(system.offhook, "explain", living["record"]["call"])
        assert "Findings" in printed.stdout and finding in printed.stdout and "the call goes on (talking)" in printed.stdout
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert finding in answer["explanation"]["findings"] == answer["record"]["findings"]


async def test_a_call_while_it_lasts_and_afterwards(system: System) -> None:
    revision = system.api("GET", "/organization").json()["revision"]
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102")
        other = await ben.rings()
        ringing = await eventually(lambda: found(system, call.call_id, live=True), "the living call")
        id = ringing["record"]["call"]
        assert (ringing["record"]["state"], ringing["record"]["answered_at"]) == ("ringing", None)
        assert ringing["explanation"]["headline"].endswith("the call goes on (ringing).")
        assert ringing["explanation"]["revision"] == revision
        assert {each["call"] for each in system.api("GET", "/calls?state=live").json()["calls"]} == {id}
        await other.answers()
        await call.answered()
        await other.holds()
        assert system.record(id)["record"]["state"] == "held"
        await other.resumes()
        assert system.record()["record"]["state"] == "talking"
        await other.hangs_up()
        answer = await told(system, call, "completed.by_callee")
    assert answer["explanation"]["revision"] == revision
    for name in ("last", id[:-2], id.upper()):
        printed = await asyncio.to_thread(system.offhook, "explain", name)
        assert f"call {id}, configuration revision {revision}" in printed.stdout, printed
    assert system.offhook("explain", "zzzzzz").returncode != 0


async def test_the_quality_is_told_where_telephones_report_it(system: System) -> None:
    async with registered(system.phone("anna", report_every=1.0), system.phone("ben", report_every=1.0)) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        # Reports count from the first look at the sound (after five seconds), and the quality is known after a round trip of them.
        talked = lambda: min(call.figures.packets_sent, other.figures.packets_sent) > 450  # noqa: E731
        await call.hears.until(talked, "nine seconds of talk", PATIENCE_SECONDS)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    sound = "\n".join(answer["explanation"]["media"])
    assert [float(mos) > 4 for mos in re.findall(r"excellent \(MOS (\d\.\d) of 4\.5\); 0\.\d % of its packets lost", sound)] == [
        True,
        True,
    ], sound


async def test_the_quality_is_called_not_measured_where_nobody_reports(system: System) -> None:
    async with registered(system.phone("anna", report_every=600.0), system.phone("ben", report_every=600.0)) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    sound = "\n".join(answer["explanation"]["media"])
    assert sound.count("not measured: no telephone sent RTCP") == 2 and "MOS" not in sound
    assert re.search(r"anna@lumen\.test at .* sent \d+ packets of audio in PCMU from 127\.0\.0\.1:\d+\.", sound)
