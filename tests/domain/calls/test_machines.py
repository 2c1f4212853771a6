"""The machines under anything that may happen, in any order: no exception, one ending, one record, only moves that the tables allow."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.domain.calls import call as frame
from offhook.domain.calls.call import CALL_MOVES, Call, Stage
from offhook.domain.calls.commands import (
    AcceptReoffer,
    AnswerAlone,
    AnswerMedia,
    AskYield,
    CloseMedia,
    Command,
    FindDevices,
    InviteLeg,
    OfferMedia,
    Play,
    ReadFigures,
    RecordCall,
    ReofferLeg,
)
from offhook.domain.calls.entering import enter
from offhook.domain.calls.events import (
    CallArrived,
    CommandFailed,
    Device,
    DevicesFound,
    DigitPressed,
    Event,
    FiguresRead,
    LegAnswered,
    LegCancelled,
    LegConfirmed,
    LegHungUp,
    LegLost,
    LegProgressed,
    LegReceived,
    LegRefused,
    LegReofferAnswered,
    LegReofferAsked,
    LegReofferCancelled,
    LegReoffered,
    LegReofferRefused,
    LegRinging,
    MediaAlone,
    MediaAnswered,
    MediaClosed,
    MediaLost,
    MediaOffered,
    MediaRestarted,
    Moment,
    OfferAnswered,
    Routed,
    SoundStarted,
    StopAsked,
    Timer,
    TimerFired,
    TransferAsked,
    Trouble,
    YieldAsked,
    YieldRefused,
    YieldTurned,
)
from offhook.domain.calls.ids import CallId, leg_id
from offhook.domain.calls.in_attendant import ATTENDANT_MOVES, AttendantStage, Attending
from offhook.domain.calls.in_bridge import BRIDGE_MOVES, Bridge, BridgeStage
from offhook.domain.calls.in_transfer import TRANSFER_MOVES, Transferring, TransferStage
from offhook.domain.calls.leg import LEG_MOVES, LegState
from offhook.domain.calls.sides import Side
from offhook.domain.media import Direction, MediaFigures, StreamFigures
from offhook.domain.organizations import OrganizationId
from offhook.domain.routing import route
from tests.fakes import world

NOW = world.at(0)
OTHER_LEG = leg_id(CallId("e"), 1)
DIALLED = st.sampled_from(["100", "102", "103", "911", "3125550123", "what?"])
LEGS = st.sampled_from([leg_id(CallId("c"), number) for number in range(4)])
DESCRIPTIONS = st.builds(
    lambda direction, codecs: world.sdp(*codecs, direction=direction),
    st.sampled_from(Direction),
    st.sampled_from([("PCMU",), ("opus", "PCMA"), ("G729",)]),
)
FIGURES = st.builds(
    lambda leg, packets: MediaFigures((StreamFigures(leg, None, "10.0.0.5:1", None, packets, 0, 9.0),)), LEGS, st.integers(0, 5)
)
COMMANDS = st.sampled_from(
    [OfferMedia, AnswerMedia, AnswerAlone, Play, CloseMedia, InviteLeg, FindDevices, AcceptReoffer, ReofferLeg, AskYield, ReadFigures]
)

THINGS: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda count: DevicesFound(NOW, tuple(Device("sip:d@h", "t") for _ in range(count))), st.integers(0, 3)),
    st.builds(lambda leg: LegRinging(NOW, leg), LEGS),
    st.builds(lambda leg, sdp: LegProgressed(NOW, leg, sdp), LEGS, DESCRIPTIONS),
    st.builds(lambda leg, sdp: LegAnswered(NOW, leg, sdp), LEGS, DESCRIPTIONS),
    st.builds(lambda leg, status: LegRefused(NOW, leg, status, ""), LEGS, st.sampled_from([302, 404, 408, 480, 486, 488, 503, 600, 603])),
    st.builds(lambda leg: LegConfirmed(NOW, leg), LEGS),
    st.builds(lambda leg: LegCancelled(NOW, leg), LEGS),
    st.builds(lambda leg: LegHungUp(NOW, leg), LEGS),
    st.builds(lambda leg: LegLost(NOW, leg, ""), LEGS),
    st.builds(lambda leg, sdp: LegReoffered(NOW, leg, sdp), LEGS, DESCRIPTIONS),
    st.builds(lambda leg, digit, info: DigitPressed(NOW, leg, digit, info), LEGS, st.sampled_from("0129#"), st.booleans()),
    st.builds(lambda leg: MediaOffered(NOW, leg, "sdp"), LEGS),
    st.builds(lambda leg: MediaAnswered(NOW, leg, "sdp"), LEGS),
    st.builds(lambda leg: MediaAlone(NOW, leg, "sdp"), LEGS),
    st.builds(lambda leg: SoundStarted(NOW, leg, 1000), LEGS),
    st.builds(lambda figures: FiguresRead(NOW, figures), FIGURES),
    st.builds(lambda figures: MediaClosed(NOW, figures), FIGURES),
    st.builds(lambda timer: TimerFired(NOW, timer), st.sampled_from(Timer)),
    st.builds(lambda command, leg, trouble: CommandFailed(NOW, command, leg, trouble, ""), COMMANDS, LEGS, st.sampled_from(Trouble)),
    st.builds(lambda: StopAsked(NOW)),
    st.builds(lambda leg: LegReofferAsked(NOW, leg), LEGS),
    st.builds(lambda leg: LegReofferCancelled(NOW, leg), LEGS),
    st.builds(lambda leg, sdp: OfferAnswered(NOW, leg, sdp), LEGS, DESCRIPTIONS),
    st.builds(lambda leg, sdp: LegReofferAnswered(NOW, leg, sdp), LEGS, DESCRIPTIONS),
    st.builds(lambda leg, status: LegReofferRefused(NOW, leg, status), LEGS, st.sampled_from([488, 491, 500])),
    st.builds(lambda leg, dialled: TransferAsked(NOW, leg, dialled), LEGS, DIALLED),
    st.builds(lambda leg: TransferAsked(NOW, leg, "", OTHER_LEG), LEGS),
    st.builds(lambda leg, organization: YieldAsked(NOW, leg, CallId("d"), OrganizationId(organization)), LEGS, st.sampled_from([7, 8])),
    st.builds(lambda sdp: LegReceived(NOW, OTHER_LEG, Side("Chloe"), sdp, "sdp"), DESCRIPTIONS),
    st.builds(lambda: YieldRefused(NOW)),
    st.builds(lambda dialled: YieldTurned(NOW, dialled), DIALLED),
    st.builds(lambda dialled: Routed(NOW, route(world.organization(), world.calling(), dialled)), DIALLED),
    st.builds(lambda leg: LegRefused(NOW, leg, 302, "", ("103",)), LEGS),
    st.builds(lambda: MediaLost(NOW)),
    st.builds(lambda: MediaRestarted(NOW)),
)


def talking(dialled: str, sets_up: list[Event]) -> Call:
    call = begun(dialled)
    for event in sets_up:
        call.handle(event)
    return call


JOINED: list[Event] = [
    DevicesFound(NOW, (Device("sip:d@h", "t"),)),
    MediaOffered(NOW, leg_id(CallId("c"), 1), "sdp"),
    LegRinging(NOW, leg_id(CallId("c"), 1)),
    LegAnswered(NOW, leg_id(CallId("c"), 1), world.sdp()),
    MediaAnswered(NOW, leg_id(CallId("c"), 1), "sdp"),
    LegConfirmed(NOW, leg_id(CallId("c"), 0)),
]


def begun(dialled: str) -> Call:
    call = Call(CallId("c"), enter)
    call.handle(CallArrived(NOW, leg_id(call.id, 0), world.calling(), dialled, world.sdp("PCMU", "opus")))
    call.handle(Routed(NOW, route(world.organization(), world.calling(), dialled)))
    return call


def stages(call: Call) -> dict[str, object]:
    within = call.within
    bridge = within if isinstance(within, Bridge) else within.bridge if isinstance(within, Attending) else None
    return {
        "bridge": bridge.stage if bridge else None,
        "attendant": within.stage if isinstance(within, Attending) else None,
        "transfer": within.stage if isinstance(within, Transferring) else None,
    }


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["102", "100", "911", "3125550123", "what?"]), st.sampled_from([[], JOINED]), st.lists(THINGS, max_size=25))
def test_whatever_happens_a_call_ends_once_and_moves_only_as_its_tables_say(
    dialled: str, before_that: list[Event], things: list[Event]
) -> None:
    call = talking(dialled, before_that)
    records: list[Command] = []
    for tick, thing in enumerate(things, 1):
        event = replace(thing, at=Moment(NOW.wall + tick, NOW.ticks + tick))
        before, ending = stages(call), call.ending
        commands = call.handle(event)
        records += [command for command in commands if isinstance(command, RecordCall)]
        assert ending is None or call.ending is ending, "an ending is for ever"
        after = stages(call)
        if isinstance(before["bridge"], BridgeStage) and after["bridge"] not in (None, before["bridge"]):
            assert after["bridge"] in BRIDGE_MOVES[before["bridge"]][type(event)].to
        if isinstance(before["attendant"], AttendantStage) and before["bridge"] is None and after["attendant"] is not before["attendant"]:
            assert after["attendant"] in ATTENDANT_MOVES[before["attendant"]][type(event)].to
        if isinstance(before["transfer"], TransferStage) and after["transfer"] not in (None, before["transfer"]):
            row = TRANSFER_MOVES[before["transfer"]]
            assert type(event) not in row or after["transfer"] in row[type(event)].to
    assert len(records) == (1 if call.stage is Stage.CLOSED else 0)
    if call.stage is not Stage.CLOSED:
        call.handle(StopAsked(NOW))
        final = call.handle(MediaClosed(NOW, MediaFigures()))
        assert [type(command) for command in final] == [RecordCall], "every call can be ended"
    assert call.handle(StopAsked(NOW)) == []


@given(st.sampled_from(LegState), THINGS)
def test_a_leg_refuses_what_its_table_does_not_have(state: LegState, thing: Event) -> None:
    call = begun("102")
    leg = call.caller_leg
    leg.state = state
    moved = leg.moves(thing)  # type: ignore[arg-type]
    assert moved == (type(thing) in LEG_MOVES[state])
    assert moved or leg.state is state


def test_every_stage_of_every_machine_has_its_row() -> None:
    assert set(CALL_MOVES) == set(Stage) and set(LEG_MOVES) == set(LegState)
    assert set(BRIDGE_MOVES) == set(BridgeStage) and set(ATTENDANT_MOVES) == set(AttendantStage)
    assert set(TRANSFER_MOVES) == set(TransferStage)
    assert frame.Stage.CLOSED in CALL_MOVES and not CALL_MOVES[Stage.CLOSED] and not LEG_MOVES[LegState.GONE]
