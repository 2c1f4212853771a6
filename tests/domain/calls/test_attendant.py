"""Callers and the attendant, told as stories."""

import pytest

from offhook.domain.calls.commands import (
    AnswerAlone,
    AnswerLeg,
    Command,
    EndLeg,
    FindDevices,
    LeaveAlone,
    Play,
    SoundKind,
    StartTimer,
    StopSound,
)
from offhook.domain.calls.events import DevicesFound, MediaAlone, SoundStarted, Timer, Trouble
from tests.domain.calls.scene import CALLER, FIRST, SECOND, Scene
from tests.fakes import world


def spoken(orders: list[Command]) -> str:
    return " / ".join(order.sound.text for order in orders if isinstance(order, Play))


def test_it_answers_in_a_codec_of_the_callers_and_greets_once_acknowledged() -> None:
    scene = Scene()
    assert [o.codec for o in scene.arrives("100", description=world.sdp("opus", "PCMA")) if isinstance(o, AnswerAlone)] == ["PCMA"]


def test_a_caller_who_speaks_nothing_we_can_is_refused() -> None:
    scene = Scene()
    scene.arrives("100", description=world.sdp("G729"))
    assert scene.closes() == "media.no_common_codec"


@pytest.mark.parametrize(("trouble", "ending"), [(Trouble.ABSENT, "media.engine_absent"), (Trouble.FULL, "system.full")])
def test_where_no_sound_can_be_had_it_does_not_answer(trouble: Trouble, ending: str) -> None:
    scene = Scene()
    scene.arrives("100")
    scene.fails(AnswerAlone, trouble, CALLER)
    assert scene.closes() == ending


def test_the_greeting_ends_and_it_listens_and_asks_again_and_says_goodbye() -> None:
    scene = Scene().greeted()
    assert scene.orders == [StartTimer(Timer.PATIENCE, 5)]
    assert spoken(scene.fires(Timer.PATIENCE)) == "Welcome. For Ben, press 2."
    scene.tell(lambda at: SoundStarted(at, CALLER, 3000))
    scene.fires(Timer.SOUND)
    assert spoken(scene.fires(Timer.PATIENCE)) == "We did not hear a choice. Goodbye."
    scene.tell(lambda at: SoundStarted(at, CALLER, 2000))
    assert [order.leg for order in scene.fires(Timer.SOUND) if isinstance(order, EndLeg)] == [CALLER]
    assert scene.closes() == "attendant.no_input"


def test_a_key_connects_and_the_caller_hears_ringback_and_then_the_person() -> None:
    scene = Scene().greeted()
    orders = scene.presses("2")
    assert StopSound(CALLER) in orders and FindDevices("ben", "lumen.test") in orders
    scene.devices(1)
    assert [order.sound.kind for order in scene.rings(FIRST) if isinstance(order, Play)] == [SoundKind.RINGBACK]
    assert StopSound(CALLER) in scene.answers(FIRST)
    orders = scene.joined(FIRST)
    assert LeaveAlone(CALLER) in orders and not [o for o in orders if isinstance(o, AnswerLeg)]
    scene.hangs_up(FIRST)
    assert scene.closes() == "completed.by_callee"
    assert scene.record is not None and scene.record.cdr.connected == "telephone 1"


def test_a_key_may_be_pressed_while_it_still_speaks() -> None:
    scene = Scene().greeted()
    scene.fires(Timer.PATIENCE)
    assert FindDevices("chloe", "lumen.test") in scene.presses("0")


def test_a_key_without_a_meaning_is_told_and_counts_as_a_round() -> None:
    scene = Scene().greeted()
    assert spoken(scene.presses("9")) == "That is not one of the choices. Welcome. For Ben, press 2."
    assert spoken(scene.presses("9")) == "That is not one of the choices. We did not hear a choice. Goodbye."


def test_who_cannot_be_reached_is_told_and_the_choice_comes_back() -> None:
    scene = Scene().greeted()
    scene.presses("2")
    assert spoken(scene.tell(lambda at: DevicesFound(at, ()))) == "Ben Okafor cannot take your call right now. Welcome. For Ben, press 2."
    scene.presses("0")
    scene.devices(2)
    scene.rings(FIRST)
    orders = scene.fires(Timer.RING)
    assert {o.leg for o in orders if isinstance(o, EndLeg)} == {FIRST, SECOND} and StopSound(CALLER) in orders
    assert "Chloe Martin cannot take your call" in spoken(orders)


def test_a_timer_of_before_the_key_changes_nothing() -> None:
    scene = Scene().greeted()
    scene.presses("9")
    assert scene.fires(Timer.PATIENCE) == []


def test_an_attendant_without_a_voice_connects_to_its_operator_and_without_one_ends() -> None:
    scene = Scene()
    scene.arrives("100")
    scene.tell(lambda at: MediaAlone(at, CALLER, "sdp alone"))
    scene.confirmed()
    assert FindDevices("chloe", "lumen.test") in scene.fails(Play, leg=CALLER)
    assert "could not speak" in scene.call.findings[0]
    scene.tell(lambda at: DevicesFound(at, ()))
    scene.fails(Play, leg=CALLER)
    assert scene.closes() == "attendant.voiceless"


@pytest.mark.parametrize("when", ["greeting", "ringing"])
def test_the_caller_may_leave_at_any_moment(when: str) -> None:
    scene = Scene().greeted()
    if when == "ringing":
        scene.presses("2")
        scene.devices(1)
    scene.hangs_up(CALLER)
    assert scene.closes() == ("attendant.caller_left" if when == "greeting" else "caller.left")
