"""Whole calls through the switch in memory: what is ordered, what is kept, and that a trouble becomes the ending it should."""

import asyncio
import json
from dataclasses import replace

import pytest

from offhook.domain.calls.call import Call
from offhook.domain.calls.events import DigitPressed, LegLost, LegReceived, LegRinging, MediaClosed, TransferAsked
from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.calls.sides import Side
from offhook.domain.media import MediaFigures
from offhook.domain.routing import Caller, Source
from offhook.engines.signalling.reading import description_of
from offhook.services.explain import explain
from offhook.services.ports.signalling import SignallingRefused
from offhook.services.snapshot import Snapshot
from offhook.switch.admission import MOST_CALLS_A_USER
from offhook.switch.executor import now
from tests.fakes import world
from tests.switch.office import ANSWER, OFFER, Office, eventually

TRACE_KEYS = {
    "call", "organization", "revision", "caller", "dialled", "reasons", "steps", "legs", "messages", "media", "findings", "state",
}  # fmt: skip


async def test_a_whole_call_with_two_telephones(office: Office) -> None:
    call = office.dials("102")
    first, second = await office.called(call, 1), await office.called(call, 2)
    office.exchange.observe(leg_id(call, 0), 1.0, "in", b"INVITE sip:102@lumen.test SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n")
    office.rings(first)
    await eventually(lambda: office.signalling.given("ring"))
    (live,) = office.exchange.calls()
    assert (live.call, live.organization, live.state, live.caller, live.dialled) == (call, 7, "ringing", "anna@lumen.test", "102")
    assert live.answered_at is None
    # Both pick up at the same instant; the second is hung up.
    office.answers(second)
    office.answers(first)
    await office.stands(call, "talking")
    assert office.signalling.endings[first].code == "leg.answered_elsewhere"
    assert office.signalling.given("answer")[0].leg == leg_id(call, 0)
    office.hangs_up(second)
    cdr, trace = await office.ended(call)
    assert (cdr.ending.code, cdr.connected, cdr.organization) == ("completed.by_callee", trace["legs"][2]["party"], 7)
    assert cdr.answered_at is not None
    assert set(trace) == TRACE_KEYS and trace["state"] == "completed.by_callee"
    assert json.loads(json.dumps(trace)) == trace
    told = explain(trace)
    assert told.ending is not None and told.ending.code == "completed.by_callee" and told.ladder
    assert await eventually(lambda: not office.exchange.calls()) and office.exchange.trace(call) is None


async def test_a_live_call_can_be_explained_at_every_stage(office: Office) -> None:
    call = office.dials("102")
    for stage in ("calling", "ringing", "talking"):
        leg = leg_id(call, 1)
        if stage == "calling":
            await office.called(call, 1)
        elif stage == "ringing":
            office.rings(leg)
            await eventually(lambda: office.signalling.given("ring"))
        else:
            office.answers(leg)
            await office.stands(call, "talking")
        trace = office.exchange.trace(call)
        assert trace is not None and set(trace) == TRACE_KEYS
        assert explain(trace).ending is None
    office.hangs_up(leg_id(call, 0))
    assert (await office.ended(call))[0].ending.code == "completed.by_caller"


async def test_a_caller_who_cancels_stops_every_telephone(office: Office) -> None:
    call = office.dials("102")
    await office.called(call, 2)
    office.cancels(leg_id(call, 0))
    assert (await office.ended(call))[0].ending.code == "caller.cancelled"


async def test_a_cancel_that_crosses_our_answer_ends_the_call(office: Office) -> None:
    call = office.dials("103")
    leg = await office.called(call)
    caller = leg_id(call, 0)

    def too_late(leg: LegId, sdp: str) -> None:
        # The CANCEL has been read, and its fact waits in the inbox behind what led to this order.
        office.cancels(leg)
        raise SignallingRefused(f"leg {leg} is over")

    office.signalling.answer = too_late  # type: ignore[method-assign]
    office.answers(leg)
    cdr, _ = await office.ended(call)
    assert (cdr.ending.code, cdr.answered_at) == ("caller.cancelled", None)
    assert (office.signalling.states[leg], office.signalling.states[caller]) == ("over", "over")


async def test_an_attendant_greets_waits_and_says_goodbye(office: Office) -> None:
    call = office.dials("100")
    await eventually(lambda: office.voice.said)
    office.exchange.heard(call, leg_id(call, 0), "9", 100)
    await eventually(lambda: len(office.voice.said) == 2)
    office.exchange.heard(call, leg_id(call, 0), "9", 100)
    cdr, trace = await office.ended(call)
    assert cdr.ending.code == "attendant.no_input"
    assert office.voice.said[0] == "Welcome. For Ben, press 2." and len(office.voice.said) == 3
    assert explain(trace).ending is not None


async def test_a_key_at_the_attendant_connects_in_spite_of_a_change_under_way(office: Office) -> None:
    call = office.dials("100")
    await eventually(lambda: office.voice.said)
    office.reoffers(leg_id(call, 0), OFFER + "a=sendonly\r\n")
    office.exchange.heard(call, leg_id(call, 0), "0", 100)
    leg = await office.called(call)
    office.answers(leg)
    await office.stands(call, "talking")
    assert office.signalling.given("accept_reoffer"), "the re-INVITE was left without an answer"
    office.hangs_up(leg)
    assert (await office.ended(call))[0].ending.code == "completed.by_callee"


async def test_a_greeting_that_cannot_be_stopped_keeps_nobody_from_being_called(office: Office) -> None:
    call = office.dials("100")
    await eventually(lambda: office.voice.said)
    office.media.refusals["stop"] = "in a test"
    office.exchange.heard(call, leg_id(call, 0), "0", 100)
    leg = await office.called(call)
    office.answers(leg)
    await office.stands(call, "talking")
    office.hangs_up(leg)
    assert (await office.ended(call))[0].connected == "chloe's telephone at 127.0.0.1:5084 (Phone/1)"


@pytest.mark.parametrize(("number", "code"), [(0, "caller.lost"), (1, "callee.lost")])
async def test_the_ending_says_who_was_lost(office: Office, number: int, code: str) -> None:
    call = await office.talking("103")
    leg = leg_id(call, number)
    office.signalling.happens(LegLost(now(), leg, "in a test"), "over")
    cdr, trace = await office.ended(call)
    assert cdr.ending.code == code
    assert explain(trace).ending is not None


async def test_hold_and_resume(office: Office) -> None:
    call = await office.talking("103")
    caller, callee = leg_id(call, 0), leg_id(call, 1)
    office.reoffers(callee, ANSWER + "a=sendonly\r\n")
    await office.stands(call, "held")
    await eventually(lambda: caller in office.media.playing)
    assert office.media.silenced == {caller, callee}
    assert "a=recvonly" in office.signalling.given("accept_reoffer")[0].detail
    office.reoffers(callee, ANSWER)
    await office.stands(call, "talking")
    await eventually(lambda: not office.media.silenced)
    assert caller not in office.media.playing
    office.hangs_up(caller)
    await office.ended(call)


async def test_keys_in_the_signalling_are_passed_on(office: Office) -> None:
    call = await office.talking("103")
    caller = leg_id(call, 0)
    office.exchange.heard(call, caller, "1", 100)
    office.signalling.deliver(DigitPressed(now(), caller, "7", by_info=True))
    office.hangs_up(caller)
    await office.ended(call)
    assert [(order.leg, order.detail) for order in office.signalling.given("send_digit")] == [(leg_id(call, 1), "7")]


def nothing_held() -> Snapshot:
    raise KeyError("no configuration")


@pytest.mark.parametrize(
    ("dialled", "trouble", "code", "status"),
    [
        ("102", "registrar absent", "edge.registrar_absent", 503),
        ("102", "nobody registered", "callee.not_registered", 480),
        ("102", "media dead", "media.engine_absent", 503),
        ("103", "offer refused", "media.no_common_codec", 488),
        ("100", "media dead", "media.engine_absent", 503),
        ("100", "answer_alone refused", "media.refused", 500),
        ("103", "invite broken", "callee.unreachable", 480),
        ("103", "answer broken", "switch.failed", 500),
        ("103", "no configuration", "switch.failed", 500),
    ],
)
async def test_a_trouble_becomes_its_ending(office: Office, dialled: str, trouble: str, code: str, status: int) -> None:
    if trouble == "registrar absent":
        office.registrar.present = False
    elif trouble == "nobody registered":
        office.registrar.devices.clear()
    elif trouble == "media dead":
        office.media.dies()
    elif trouble.endswith("refused"):
        office.media.refusals[trouble.split()[0]] = "in a test"
    elif trouble.endswith("broken"):
        office.signalling.breaks.add(trouble.split()[0])
    else:
        office.executor = replace(office.executor, configuration=nothing_held)
    call = office.dials(dialled)
    if trouble == "answer broken":
        office.answers(await office.called(call))
    cdr, trace = await office.ended(call)
    assert (cdr.ending.code, cdr.ending.sip_status) == (code, status)
    assert office.signalling.endings[leg_id(call, 0)].code == code, "the caller is told"
    failed = [step for step in trace["steps"] if step["name"] == "CommandFailed"]
    assert failed or trouble == "nobody registered"
    assert explain(trace).ending is not None


async def test_a_mute_attendant_calls_its_operator(office: Office) -> None:
    office.voice.mute = True
    call = office.dials("100")
    leg = await office.called(call)
    office.refuses(leg)
    cdr, _ = await office.ended(call)
    assert cdr.ending.code == "attendant.voiceless" and cdr.findings


async def test_an_emergency_call_goes_out_without_the_relay(office: Office) -> None:
    office.media.dies()
    call = office.dials("911")
    leg = await office.called(call)
    office.answers(leg)
    await office.stands(call, "talking")
    assert office.signalling.given("answer")[0].detail == ANSWER
    office.hangs_up(leg)
    assert (await office.ended(call))[0].ending.code == "completed.by_callee"


async def test_a_mistake_in_one_machine_is_that_calls_end_and_no_others(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await office.talking("103")
    broken = await office.talking("102")
    real = Call.handle

    def mistaken(self: Call, event):  # type: ignore[no-untyped-def]
        if self.id == broken and isinstance(event, LegRinging):
            raise KeyError("a mistake")
        return real(self, event)

    monkeypatch.setattr(Call, "handle", mistaken)
    office.rings(leg_id(broken, 1))
    cdr, trace = await office.ended(broken)
    assert cdr.ending.code == trace["state"] == "switch.failed"
    assert explain(trace).ending is not None
    assert [live.call for live in office.exchange.calls() if live.state == "talking"] == [other]
    office.hangs_up(leg_id(other, 0))
    assert (await office.ended(other))[0].ending.code == "completed.by_caller"


async def test_a_mistake_at_the_first_step_still_answers_the_caller(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Call, "handle", lambda self, event: 1 / 0)
    call = office.dials("102")
    assert (await office.ended(call))[0].ending.code == "switch.failed"
    assert office.signalling.endings[leg_id(call, 0)].sip_status == 500


async def test_a_record_that_cannot_be_kept_keeps_no_call_alive(office: Office) -> None:
    office.records.broken = True
    call = office.dials("999999")
    await eventually(lambda: office.signalling.states[leg_id(call, 0)] == "over")
    await eventually(lambda: not office.exchange.calls(), "an empty list")
    await office.exchange.drain(5)


async def test_without_ports_a_call_ends_as_when_the_system_is_full_and_one_for_help_goes_on(office: Office) -> None:
    office.media.free = 1
    half, full, attended, urgent = office.dials("102"), office.dials("103"), office.dials("100"), office.dials("911")
    office.rings(await office.called(half))
    for call in (full, attended):
        cdr, trace = await office.ended(call)
        assert (cdr.ending.code, cdr.ending.sip_status) == ("system.full", 503)
        assert "No ports are free for sound." in json.dumps(trace)
    await office.called(urgent)
    assert [order.legs[1] for order in office.media.given("offer")] == [leg_id(half, 1), leg_id(urgent, 1)]
    office.answers(leg_id(half, 1))
    await office.stands(half, "talking")


async def test_one_user_makes_no_more_calls_at_once_than_allowed_but_one_for_help(office: Office) -> None:
    first, *_ = calls = [office.dials("102") for _ in range(MOST_CALLS_A_USER)]
    for call in calls:
        await office.called(call)
    refused, urgent, others = office.dials("102"), office.dials("911"), office.dials("102", replace(world.calling(), username="ben"))
    cdr, trace = await office.ended(refused)
    assert (cdr.ending.code, cdr.ending.sip_status) == ("caller.too_many_calls", 403)
    assert trace["reasons"][-1]["code"] == "caller.too_many_calls"
    for call in (urgent, others):
        await office.called(call)
    office.cancels(leg_id(first, 0))
    office.cancels(leg_id(urgent, 0))
    await office.ended(first)
    await office.called(office.dials("102"))


async def test_draining_lets_calls_finish_refuses_new_ones_and_ends_the_rest(office: Office) -> None:
    stays, leaves = await office.talking("103"), await office.talking("102")
    draining = asyncio.create_task(office.exchange.drain(0.6))
    await asyncio.sleep(0)
    refused, urgent = office.dials("102"), office.dials("911")
    assert (await office.ended(refused))[0].ending.code == "system.stopped"
    assert not [order for order in office.signalling.given("invite") if order.leg.startswith(f"{refused}.")]
    await office.called(urgent)
    office.hangs_up(leg_id(leaves, 0))
    assert (await office.ended(leaves))[0].ending.code == "completed.by_caller"
    await draining
    assert (await office.ended(stays))[0].ending.code == "system.stopped"
    assert (await office.ended(urgent))[0].ending.code == "system.stopped"
    assert office.exchange.calls() == []


async def test_an_emergency_call_that_comes_too_late_even_for_one_is_told_so(office: Office) -> None:
    await office.talking("103")
    draining = asyncio.create_task(office.exchange.drain(0.05))
    await eventually(lambda: office.signalling.given("end"), "the end of the drain")
    late = office.dials("911")
    cdr, _ = await office.ended(late)
    assert (cdr.ending.code, cdr.ending.sip_status) == ("system.stopped", 503)
    await draining
    assert office.exchange.calls() == []


@pytest.mark.parametrize("dialled", ["", "9" * 5000, "102\r\nEvil: 1", "sip:102", "%31", "\u0661\u0660\u0662", "*#"])
async def test_whatever_is_dialled_ends_in_a_refusal_with_a_name(office: Office, dialled: str) -> None:
    call = office.dials(dialled)
    cdr, trace = await office.ended(call)
    assert 400 <= cdr.ending.sip_status < 500 and cdr.dialled == dialled
    assert explain(trace).ending is not None


async def test_a_carriers_call_and_an_anonymous_one(office: Office) -> None:
    anonymous = Caller(Source.CARRIER, address="udp:127.0.2.1:5080")
    for caller, shown in ((world.from_outside(), "+12065550199"), (anonymous, "anonymous")):
        call = office.dials("+12065550103", caller)
        leg = await office.called(call)
        invited = next(order for order in office.signalling.given("invite") if order.leg == leg)
        assert invited.detail.endswith(f" {shown}")
        office.refuses(leg, 603)
        cdr, _ = await office.ended(call)
        assert (cdr.ending.code, cdr.caller, cdr.direction) == ("callee.declined", shown, "in")


async def test_a_call_that_is_over_refuses_at_once_to_give_a_party_away(office: Office) -> None:
    over, asks = await office.talking("103"), await office.talking("102")
    office.hangs_up(leg_id(over, 0))
    await office.ended(over)
    assert over in office.exchange.alive(), "it stays a moment to be asked for"
    office.signalling.deliver(TransferAsked(now(), leg_id(asks, 1), "", leg_id(over, 1)))
    await eventually(lambda: office.signalling.given("tell_transfer"), "the end of the transfer")
    trace = office.exchange.trace(asks)
    assert trace is not None
    assert "YieldRefused" in [step["name"] for step in trace["steps"]]
    assert office.exchange._given == {}


async def test_who_asks_a_call_as_it_closes_is_answered(office: Office) -> None:
    closes = await office.talking("103")
    office.hangs_up(leg_id(closes, 0))
    office.exchange.tell(closes, MediaClosed(now(), MediaFigures()))
    office.exchange.tell(closes, LegReceived(now(), leg_id(CallId("gone"), 1), Side("Chloe"), description_of(OFFER), OFFER))
    office.signalling.states[leg_id(CallId("gone"), 1)] = "up"
    await office.ended(closes)
    assert office.signalling.states[leg_id(CallId("gone"), 1)] == "over"


async def test_facts_of_no_call_change_nothing(office: Office) -> None:
    office.rings(leg_id("gone", 1))  # type: ignore[arg-type]
    office.exchange.heard("gone", leg_id("gone", 0), "5", 100)  # type: ignore[arg-type]
    office.exchange.observe(leg_id("gone", 0), 0.0, "in", b"x")  # type: ignore[arg-type]
    assert office.exchange.calls() == []
