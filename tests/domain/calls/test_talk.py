"""What happens while two talk, beyond holding (test_bridge.py): late answers, changes taken back, and sound that dies."""

import pytest

from offhook.domain.calls.commands import (
    AcceptReoffer,
    AnswerMedia,
    OfferMedia,
    Play,
    PressDigit,
    ReadFigures,
    RefuseReoffer,
    SendDigit,
    SoundKind,
)
from offhook.domain.calls.events import (
    FiguresRead,
    LegAnswered,
    LegReofferAsked,
    LegReofferCancelled,
    MediaLost,
    MediaOffered,
    MediaRestarted,
    OfferAnswered,
    Timer,
)
from offhook.domain.media import Description, Direction, MediaFigures, StreamFigures
from tests.domain.calls.scene import CALLER, FIRST, Scene
from tests.fakes import world

MOVED = Description("moved", ("PCMA",), Direction.BOTH, "127.0.0.1:5000")


def test_a_telephone_asks_for_our_offer_and_answers_it_in_its_ack() -> None:
    scene = Scene().talking()
    scene.tell(lambda at: LegReofferAsked(at, CALLER))
    assert scene.orders == [AcceptReoffer(CALLER, f"answer of {FIRST}", Direction.BOTH)], "what it was last told is offered again"
    scene.tell(lambda at: OfferAnswered(at, CALLER, MOVED))
    others = scene.call.legs[FIRST].description
    assert [(order.leg, order.offerer, order.description) for order in scene.ordered(OfferMedia)] == [(CALLER, FIRST, others)]
    scene.offered(CALLER)
    assert [(order.leg, order.offerer, order.description) for order in scene.ordered(AnswerMedia)] == [(CALLER, FIRST, MOVED)]
    scene.joined(CALLER)
    assert not scene.ordered(AcceptReoffer), "an ACK wants no answer"
    assert scene.call.caller_leg.description == MOVED


def test_who_answers_our_offer_with_nothing_is_hung_up() -> None:
    scene = Scene().talking()
    scene.tell(lambda at: OfferAnswered(at, CALLER, Description("", (), Direction.BOTH, "")))
    assert scene.closes() == "media.no_common_codec"


def test_an_answer_that_comes_while_the_other_changes_waits_its_turn() -> None:
    scene = Scene().talking()
    scene.reoffers(FIRST, world.sdp("PCMU"))
    assert scene.tell(lambda at: OfferAnswered(at, CALLER, MOVED)) == []
    scene.offered(CALLER)
    scene.joined(CALLER)
    assert [order.leg for order in scene.ordered(AcceptReoffer)] == [FIRST]
    assert [(order.leg, order.offerer) for order in scene.ordered(OfferMedia)] == [(CALLER, FIRST)]
    scene.offered(CALLER)
    assert [order.description for order in scene.ordered(AnswerMedia)] == [MOVED]


def test_a_change_that_is_taken_back_in_time_is_undone_at_the_relay() -> None:
    scene = Scene().talking()
    before = scene.call.caller_leg.description
    scene.reoffers(CALLER, world.sdp(direction=Direction.SENDS))
    scene.tell(lambda at: LegReofferCancelled(at, CALLER))
    scene.offered(FIRST)
    scene.joined(FIRST)
    assert not scene.ordered(AcceptReoffer) and not scene.ordered(Play)
    assert [order.description for order in scene.ordered(OfferMedia)] == [before]
    assert scene.call.state == "talking"


def test_a_change_taken_back_a_moment_too_late_for_us_is_undone_too() -> None:
    scene = Scene().talking()
    before = scene.call.caller_leg.description
    scene.reoffers(CALLER, MOVED)
    scene.offered(FIRST)
    scene.joined(FIRST)
    scene.fails(AcceptReoffer, leg=CALLER)
    assert [order.description for order in scene.ordered(OfferMedia)] == [before]


def test_what_is_undone_waits_for_the_change_in_hand() -> None:
    scene = Scene().talking()
    before = scene.call.caller_leg.description
    scene.reoffers(CALLER, MOVED)
    scene.tell(lambda at: OfferAnswered(at, FIRST, MOVED))
    scene.offered(FIRST)
    scene.joined(FIRST)
    assert [order.leg for order in scene.ordered(OfferMedia)] == [FIRST], "the other's change is in hand now"
    assert scene.fails(AcceptReoffer, leg=CALLER) == []
    scene.offered(FIRST)
    assert [(order.leg, order.description) for order in scene.ordered(AnswerMedia)] == [(FIRST, MOVED)]
    scene.joined(FIRST)
    assert [(order.leg, order.description) for order in scene.ordered(OfferMedia)] == [(FIRST, before)], "and then the caller's is undone"


def test_the_media_engine_comes_back_and_music_plays_again() -> None:
    scene = Scene().talking()
    scene.reoffers(CALLER, world.sdp(direction=Direction.SENDS))
    scene.offered(FIRST)
    scene.joined(FIRST)
    assert scene.call.state == "held"
    scene.tell(MediaRestarted)
    assert [(order.leg, order.sound.kind) for order in scene.ordered(Play)] == [(FIRST, SoundKind.MUSIC)]


def test_the_media_engine_dies_with_the_call() -> None:
    scene = Scene().talking()
    scene.tell(MediaLost)
    assert scene.closes() == "media.lost"


def silent(seconds: float) -> MediaFigures:
    return MediaFigures(tuple(StreamFigures(leg, "PCMU", "h:1", "h:1", 9, 9, seconds) for leg in (CALLER, FIRST)))


@pytest.mark.parametrize(("seconds", "ending"), [(70.0, "media.silent"), (1.0, "media.lost")])
def test_a_call_that_the_relay_has_forgotten_ends(seconds: float, ending: str) -> None:
    scene = Scene().talking()
    assert scene.fires(Timer.WATCH) == [ReadFigures()]
    scene.tell(lambda at: FiguresRead(at, silent(seconds)))
    scene.tell(lambda at: FiguresRead(at, MediaFigures()))
    assert scene.closes() == ending


def test_keys_in_the_signalling_go_into_the_sound_where_the_other_hears_them_there() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    scene.tell(lambda at: LegAnswered(at, FIRST, Description("v=0", ("PCMU",), Direction.BOTH, "h:1", digits=True)))
    scene.joined(FIRST)
    scene.confirmed()
    assert scene.presses("5", by_info=True) == [PressDigit(CALLER, "5")]
    assert scene.presses("5", by_info=True, leg=FIRST) == [SendDigit(CALLER, "5")]
    assert scene.presses("5") == [], "it was in the sound"


def test_two_changes_at_once_are_told_to_come_again() -> None:
    scene = Scene().talking()
    scene.reoffers(CALLER, MOVED)
    assert scene.reoffers(FIRST, MOVED) == [RefuseReoffer(FIRST, 491)]
    assert scene.tell(lambda at: LegReofferAsked(at, FIRST)) == [RefuseReoffer(FIRST, 491)]
    scene.tell(lambda at: MediaOffered(at, FIRST, "sdp"))
    assert [order.leg for order in scene.ordered(AnswerMedia)] == [FIRST]
