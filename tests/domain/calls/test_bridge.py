"""Calls between two parties, told as stories without any engine."""

import pytest

from offhook.domain.calls.commands import (
    AcceptReoffer,
    AnswerLeg,
    AnswerMedia,
    CloseMedia,
    EndLeg,
    InviteLeg,
    OfferMedia,
    Play,
    ProgressLeg,
    ReadFigures,
    RefuseReoffer,
    RemoveMedia,
    RingLeg,
    SendDigit,
    Silence,
    StartTimer,
    StopSound,
    Unsilence,
)
from offhook.domain.calls.endings import ANSWERED_ELSEWHERE, NO_COMMON_CODEC
from offhook.domain.calls.events import Device, DevicesFound, FiguresRead, LegAnswered, LegLost, StopAsked, Timer, Trouble
from offhook.domain.calls.leg import LegState
from offhook.domain.media import Description, Direction, MediaFigures, MediaShape, StreamFigures
from tests.domain.calls.scene import CALLER, FIRST, SECOND, THIRD, Scene
from tests.fakes import world


def test_two_telephones_talk_until_the_caller_hangs_up() -> None:
    scene = Scene()
    scene.arrives("102")
    assert scene.devices(1) and scene.invited() == [FIRST]
    invite = scene.ordered(InviteLeg)[0]
    assert (invite.to, invite.shown_name, invite.shown_number, invite.sdp) == ("102", "Anna Lind", "101", f"sdp for {FIRST}")
    assert scene.rings(FIRST) == [RingLeg(CALLER)]
    assert scene.rings(FIRST) == []
    scene.answers(FIRST)
    assert [order.leg for order in scene.ordered(AnswerMedia)] == [FIRST]
    assert AnswerLeg(CALLER, f"answer of {FIRST}") in scene.joined(FIRST)
    scene.confirmed()
    assert scene.call.state == "talking"
    orders = scene.hangs_up(CALLER)
    assert [type(order) for order in orders] == [EndLeg, CloseMedia] and orders[0].leg == FIRST  # type: ignore[attr-defined]
    assert scene.closes() == "completed.by_caller"
    assert scene.record is not None
    cdr = scene.record.cdr
    assert cdr.connected == "telephone 1" and cdr.talked_seconds == pytest.approx(10.1)


def test_the_called_side_may_hang_up_first() -> None:
    scene = Scene().talking()
    assert [order.leg for order in scene.hangs_up(FIRST) if isinstance(order, EndLeg)] == [CALLER]
    assert scene.closes() == "completed.by_callee"


def test_of_three_telephones_the_first_to_answer_wins_and_the_others_fall_silent() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(3)
    assert scene.invited() == [FIRST, SECOND, THIRD]
    orders = scene.answers(SECOND)
    assert [order for order in orders if isinstance(order, EndLeg)] == [
        EndLeg(FIRST, ANSWERED_ELSEWHERE),
        EndLeg(THIRD, ANSWERED_ELSEWHERE),
    ]
    assert {order.leg for order in orders if isinstance(order, RemoveMedia)} == {FIRST, THIRD}
    assert scene.answers(FIRST) == [], "a late answer changes nothing: its leg is over"


@pytest.mark.parametrize(
    ("statuses", "ending"),
    [
        ((486,), "callee.busy"),
        ((603,), "callee.declined"),
        ((480,), "callee.no_answer"),
        ((408,), "callee.unreachable"),
        ((488,), "media.no_common_codec"),
        ((500,), "callee.failed"),
        ((408, 486), "callee.busy"),
        ((500, 480), "callee.no_answer"),
    ],
)
def test_refusals_have_names_and_the_most_telling_one_counts(statuses: tuple[int, ...], ending: str) -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(len(statuses))
    for leg, status in zip((FIRST, SECOND), statuses, strict=False):
        scene.refuses(leg, status)
    assert [order.leg for order in scene.ordered(EndLeg)] == [CALLER]
    assert scene.closes() == ending


def test_busy_on_one_telephone_lets_the_other_ring_on_but_a_decline_speaks_for_the_person() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(2)
    assert not [order for order in scene.refuses(FIRST, 486) if isinstance(order, EndLeg)]
    scene = Scene()
    scene.arrives("102")
    scene.devices(2)
    assert {order.leg for order in scene.refuses(FIRST, 603) if isinstance(order, EndLeg)} == {CALLER, SECOND}
    assert scene.closes() == "callee.declined"


def test_a_telephone_that_answers_without_sound_is_hung_up_and_another_may_still_answer() -> None:
    for first_only in (True, False):
        scene = Scene()
        scene.arrives("102")
        scene.devices(1 if first_only else 2)
        mute = Description("", (), Direction.BOTH, "")
        orders = scene.tell(lambda at, mute=mute: LegAnswered(at, FIRST, mute))  # type: ignore[misc]
        assert EndLeg(FIRST, NO_COMMON_CODEC) in orders and not scene.ordered(AnswerMedia)
        if first_only:
            assert EndLeg(CALLER, NO_COMMON_CODEC) in orders
        else:
            scene.answers(SECOND)
            assert scene.ordered(AnswerMedia)


def test_an_offer_without_sound_is_refused_in_mid_call() -> None:
    scene = Scene().talking()
    assert scene.reoffers(FIRST, Description("", (), Direction.BOTH, "")) == [RefuseReoffer(FIRST, 488)]


def test_nobody_answers_in_time() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    assert {order.leg for order in scene.fires(Timer.RING) if isinstance(order, EndLeg)} == {CALLER, FIRST}
    assert scene.closes() == "callee.no_answer"


def test_the_caller_gives_up() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(2)
    assert {order.leg for order in scene.cancels() if isinstance(order, EndLeg)} == {FIRST, SECOND}
    assert scene.closes() == "caller.cancelled"


def test_no_telephone_is_registered() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(0)
    assert [type(order) for order in scene.call.handle(StopAsked(world.at(9)))] == []
    assert scene.closes() == "callee.not_registered"


def test_a_caller_whose_sound_cannot_be_read_is_refused_at_once() -> None:
    scene = Scene()
    scene.arrives("102", description=Description("", (), Direction.BOTH, ""))
    assert scene.closes() == "media.no_common_codec"


def test_early_sound_of_a_carrier_reaches_the_caller() -> None:
    scene = Scene()
    scene.arrives("3125550123")
    scene.offered(FIRST)
    scene.early(FIRST)
    assert scene.ordered(AnswerMedia)
    assert scene.joined(FIRST) == [ProgressLeg(CALLER, f"answer of {FIRST}")]
    scene.answers(FIRST)
    assert AnswerLeg(CALLER, f"answer of {FIRST}") in scene.joined(FIRST)


def test_early_sound_of_one_of_several_telephones_is_ringing_only() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(2)
    assert scene.early(FIRST) == [RingLeg(CALLER)]


def test_hold_plays_music_to_the_other_and_resume_brings_the_sound_back() -> None:
    scene = Scene().talking()
    assert [(o.leg, o.offerer) for o in scene.reoffers(FIRST, world.sdp(direction=Direction.SENDS)) if isinstance(o, OfferMedia)] == [
        (CALLER, FIRST)
    ]
    scene.offered(CALLER)
    answer = scene.ordered(AnswerMedia)[0]
    assert (answer.leg, answer.offerer, answer.direction) == (CALLER, FIRST, Direction.RECEIVES)
    orders = scene.joined(CALLER)
    assert orders[0] == AcceptReoffer(FIRST, f"answer of {CALLER}", Direction.RECEIVES)
    assert {o.leg for o in orders if isinstance(o, Silence)} == {CALLER, FIRST}
    assert [o.leg for o in orders if isinstance(o, Play)] == [CALLER]
    assert scene.call.state == "held"
    scene.reoffers(FIRST, world.sdp())
    scene.offered(CALLER)
    orders = scene.joined(CALLER)
    assert [o.leg for o in orders if isinstance(o, StopSound)] == [CALLER]
    assert {o.leg for o in orders if isinstance(o, Unsilence)} == {CALLER, FIRST}
    assert scene.call.state == "talking"


def test_inactive_holds_too_and_is_answered_with_inactive() -> None:
    scene = Scene().talking()
    scene.reoffers(CALLER, world.sdp(direction=Direction.NEITHER))
    scene.offered(FIRST)
    assert AcceptReoffer(CALLER, f"answer of {FIRST}", Direction.NEITHER) in scene.joined(FIRST)


def test_two_changes_at_once_meet_as_491_and_a_failed_change_leaves_the_call_as_it_was() -> None:
    scene = Scene().talking()
    scene.reoffers(FIRST, world.sdp(direction=Direction.SENDS))
    assert scene.reoffers(CALLER, world.sdp()) == [RefuseReoffer(CALLER, 491)]
    assert scene.fails(OfferMedia, leg=CALLER) == [RefuseReoffer(FIRST, 488)]
    assert scene.call.state == "talking"


def test_a_key_in_the_signalling_is_passed_on_and_one_in_the_sound_is_not() -> None:
    scene = Scene().talking()
    assert scene.presses("5", by_info=True) == [SendDigit(FIRST, "5")]
    assert scene.presses("5") == []


def test_a_party_that_is_not_heard_is_found_once_while_the_call_lasts() -> None:
    scene = Scene().talking()
    scene.fires(Timer.WATCH)
    silent = StreamFigures(FIRST, "PCMU", "10.0.0.5:4000", None, 0, 0, None)
    heard = StreamFigures(CALLER, "PCMU", "127.0.0.1:4000", "127.0.0.1:4000", 250, 43000, 0.0)
    for _ in range(2):
        scene.tell(lambda at: FiguresRead(at, MediaFigures((heard, silent))))
    assert scene.call.findings == ["telephone 1 sent no audio: its SDP said 10.0.0.5:4000, packets never came"]


@pytest.mark.parametrize(
    ("trouble", "ending"),
    [(Trouble.ABSENT, "media.engine_absent"), (Trouble.REFUSED, "media.no_common_codec"), (Trouble.FULL, "system.full")],
)
def test_without_a_media_engine_a_call_ends_with_its_name(trouble: Trouble, ending: str) -> None:
    scene = Scene()
    scene.arrives("3125550123")
    scene.fails(OfferMedia, trouble, FIRST)
    assert scene.closes() == ending


def test_of_several_telephones_those_that_found_ports_ring() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.tell(lambda at: DevicesFound(at, tuple(Device(f"sip:d{n}@h", f"telephone {n}") for n in range(3))))
    scene.offered(FIRST)
    assert scene.invited() == [FIRST]
    for leg in (SECOND, THIRD):
        assert scene.fails(OfferMedia, Trouble.FULL, leg) == []
    scene.refuses(FIRST, 486)
    assert scene.closes() == "callee.busy"


def test_where_no_telephone_found_ports_the_system_is_full() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.tell(lambda at: DevicesFound(at, tuple(Device(f"sip:d{n}@h", f"telephone {n}") for n in range(2))))
    assert scene.fails(OfferMedia, Trouble.FULL, FIRST) == []
    assert [order.leg for order in scene.fails(OfferMedia, Trouble.FULL, SECOND) if isinstance(order, EndLeg)] == [CALLER]
    assert scene.closes() == "system.full"


def test_only_a_call_for_help_is_urgent() -> None:
    for dialled, urgent in (("911", True), ("3125550123", False)):
        scene = Scene()
        scene.arrives(dialled)
        assert [order.urgent for order in scene.ordered(OfferMedia)] == [urgent]


def test_an_emergency_call_goes_out_without_a_media_engine() -> None:
    scene = Scene()
    scene.arrives("911", description=Description("the caller's own sdp", ("PCMU",), Direction.BOTH, "127.0.0.1:4000"))
    orders = scene.fails(OfferMedia, Trouble.ABSENT, FIRST)
    assert [(o.to, o.sdp, o.shown_number) for o in orders if isinstance(o, InviteLeg)] == [("911", "the caller's own sdp", "+12065550101")]
    assert AnswerLeg(CALLER, "v=0...") in scene.answers(FIRST)


def test_the_system_stops_in_mid_call() -> None:
    scene = Scene().talking()
    assert {o.leg for o in scene.tell(StopAsked) if isinstance(o, EndLeg)} == {CALLER, FIRST}
    assert scene.closes() == "system.stopped"


def test_a_caller_that_never_acknowledges_is_lost() -> None:
    scene = Scene().talking()
    scene.call.legs[CALLER].state = LegState.ANSWERED
    assert {o.leg for o in scene.tell(lambda at: LegLost(at, CALLER, "no ACK")) if isinstance(o, EndLeg)} == {FIRST}
    assert scene.closes() == "caller.lost"


def test_the_watch_goes_on_after_figures_that_could_not_be_read() -> None:
    scene = Scene().talking()
    scene.fires(Timer.WATCH)
    assert [type(order) for order in scene.fails(ReadFigures, Trouble.ABSENT)] == [StartTimer]


@pytest.mark.parametrize(("status", "tried"), [(488, 2), (606, 2), (486, 1)])
def test_a_telephone_that_cannot_take_secure_sound_is_asked_for_plain_once(status: int, tried: int) -> None:
    scene = Scene()
    scene.arrives("102")
    secure = Device("sip:ben@h", "Ben's telephone", MediaShape(secure=True), MediaShape())
    scene.tell(lambda at: DevicesFound(at, (secure,)))
    shapes = [order.shape.secure for order in scene.ordered(OfferMedia)]
    scene.offered(FIRST)
    scene.refuses(FIRST, status)
    shapes += [order.shape.secure for order in scene.ordered(OfferMedia)]
    assert shapes == [True, False][:tried]
    if tried == 2:
        scene.offered(SECOND)
        assert [order.uri for order in scene.ordered(InviteLeg)] == ["sip:ben@h"]
        scene.refuses(SECOND, status)
        assert not scene.ordered(OfferMedia)
    scene.closes()
