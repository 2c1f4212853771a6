"""Calls that are transferred or sent on, told as stories without any engine."""

import pytest

from offhook.domain.calls.commands import (
    AcceptTransfer,
    AnswerMedia,
    AskYield,
    Command,
    EndLeg,
    FindDevices,
    GiveLeg,
    InviteLeg,
    OfferMedia,
    Play,
    RefuseTransfer,
    RefuseYield,
    RemoveMedia,
    ReofferLeg,
    Route,
    Silence,
    SoundKind,
    TellTransfer,
    TurnYield,
    Unsilence,
)
from offhook.domain.calls.events import (
    Device,
    DevicesFound,
    LegReceived,
    LegRefused,
    LegReofferAnswered,
    LegReofferRefused,
    MediaAlone,
    MediaOffered,
    Routed,
    Timer,
    TransferAsked,
    YieldAsked,
    YieldRefused,
    YieldTurned,
)
from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.calls.in_bridge import MOST_REDIRECTS
from offhook.domain.calls.sides import Diversion, Side
from offhook.domain.media import MediaShape
from offhook.domain.organizations import OrganizationId
from offhook.domain.routing import Caller, Source, route
from tests.domain.calls.scene import CALLER, FIRST, SECOND, THIRD, Scene
from tests.fakes import world

OTHER = CallId("d")
CHLOES_LEG = leg_id(OTHER, 1)
OURS = OrganizationId(7)


def transferred(scene: Scene, leg: LegId, dialled: str) -> list[Command]:
    """A telephone asks for a blind transfer, and it is decided where that goes."""
    scene.tell(lambda at: TransferAsked(at, leg, dialled))
    (asked,) = scene.ordered(Route)
    return scene.tell(lambda at: Routed(at, route(scene.organization, asked.caller, asked.dialled)))


def found(scene: Scene) -> list[Command]:
    return scene.tell(lambda at: DevicesFound(at, (Device("sip:chloe@h", "Chloe's telephone"),)))


def told(scene: Scene) -> list[tuple[int, bool]]:
    return [(order.status, order.final) for order in scene.ordered(TellTransfer)]


@pytest.mark.parametrize(("asks", "kept", "shown"), [(FIRST, CALLER, "101"), (CALLER, FIRST, "102")])
def test_blind(asks: LegId, kept: LegId, shown: str) -> None:
    scene = Scene().talking()
    scene.tell(lambda at: TransferAsked(at, asks, "103"))
    assert AcceptTransfer(asks) in scene.orders and [order.caller.username for order in scene.ordered(Route)] == [
        "ben" if asks == FIRST else "anna"
    ]
    scene.tell(lambda at: Routed(at, route(scene.organization, world.calling("ben"), "103")))
    found(scene)
    (offer,) = scene.ordered(OfferMedia)
    assert (offer.leg, offer.offerer) == (SECOND, kept)
    scene.offered(SECOND)
    (invite,) = scene.ordered(InviteLeg)
    assert (invite.to, invite.shown_number) == ("103", shown), "whoever is called sees the one who is kept"
    scene.rings(SECOND)
    assert told(scene) == [(180, False)] and scene.ordered(Play)[0].sound.kind is SoundKind.RINGBACK and scene.ordered(Play)[0].leg == kept
    scene.answers(SECOND)
    assert scene.ordered(AnswerMedia)[0].offerer == kept
    scene.joined(SECOND)
    assert told(scene) == [(200, True)]
    assert [order.leg for order in scene.ordered(EndLeg)] == [asks] and scene.ordered(RemoveMedia)[0].leg == asks
    assert {order.leg for order in scene.ordered(Unsilence)} == {kept, SECOND}
    assert scene.call.state == "talking"
    assert {order.leg for order in scene.hangs_up(kept) if isinstance(order, EndLeg)} == {SECOND}
    scene.closes()


def test_blind_to_nobody_who_answers_comes_back_and_says_why() -> None:
    scene = Scene().talking()
    transferred(scene, FIRST, "103")
    found(scene)
    scene.offered(SECOND)
    scene.refuses(SECOND, 486)
    assert told(scene) == [(486, True)] and {order.leg for order in scene.ordered(Unsilence)} == {CALLER, FIRST}
    assert scene.call.state == "talking" and scene.call.connected == "telephone 1"
    scene.hangs_up(CALLER)
    assert scene.closes() == "completed.by_caller"


def test_if_he_who_asked_has_left_a_failed_transfer_ends_the_call() -> None:
    scene = Scene().talking()
    transferred(scene, FIRST, "103")
    found(scene)
    scene.offered(SECOND)
    assert scene.hangs_up(FIRST) and scene.call.ending is None
    scene.refuses(SECOND, 486)
    assert told(scene) == [(486, True)] and scene.closes() == "callee.busy"


def test_the_one_who_is_kept_may_hang_up_while_it_rings() -> None:
    scene = Scene().talking()
    transferred(scene, FIRST, "103")
    found(scene)
    scene.offered(SECOND)
    scene.hangs_up(CALLER)
    assert told(scene) == [(487, True)]
    assert {order.leg for order in scene.ordered(EndLeg)} == {FIRST, SECOND} and scene.closes() == "caller.left"


def telephones(scene: Scene, second: MediaShape | None = None) -> None:
    scene.tell(lambda at: DevicesFound(at, (Device("sip:chloe@h", "Chloe's telephone", second=second),)))


@pytest.mark.parametrize("leaves", ["before it is routed", "before her telephone is found", "while it rings"])
def test_he_who_asked_may_leave_at_any_time_and_the_one_who_is_kept_keeps_his_port(leaves: str) -> None:
    scene = Scene().talking()
    scene.tell(lambda at: TransferAsked(at, FIRST, "103"))
    if leaves == "before it is routed":
        scene.hangs_up(FIRST)
    scene.tell(lambda at: Routed(at, route(scene.organization, world.calling("ben"), "103")))
    if leaves == "before her telephone is found":
        scene.hangs_up(FIRST)
    telephones(scene)
    scene.offered(SECOND)
    scene.rings(SECOND)
    if leaves == "while it rings":
        assert scene.hangs_up(FIRST) == [Silence(CALLER)], "nobody may hear him"
    scene.answers(SECOND)
    scene.joined(SECOND)
    assert told(scene) == [(200, True)], "he is told all the same"
    assert {order.leg for order in scene.ordered(Unsilence)} == {CALLER, SECOND}
    assert CALLER not in scene.portless and scene.joined_with[CALLER] == {SECOND}


@pytest.mark.parametrize("refusal", ["302", "488"])
def test_he_who_asked_has_left_and_another_is_called_in_the_place_of_the_third(refusal: str) -> None:
    scene = Scene().talking()
    transferred(scene, FIRST, "103")
    telephones(scene, second=MediaShape(secure=True))
    scene.offered(SECOND)
    scene.hangs_up(FIRST)
    if refusal == "302":
        sent_on(scene, SECOND, "102")
        telephones(scene)
    else:
        scene.refuses(SECOND, 488)
    assert scene.ordered(OfferMedia)[0].leg == THIRD
    scene.offered(THIRD)
    assert [order.leg for order in scene.ordered(RemoveMedia)] == [SECOND], "only once the next one is there"
    scene.answers(THIRD)
    scene.joined(THIRD)
    assert CALLER not in scene.portless and scene.joined_with[CALLER] == {THIRD}


def test_blind_to_a_telephone_that_sends_its_callers_to_the_attendant() -> None:
    scene = Scene().talking()
    transferred(scene, FIRST, "103")
    found(scene)
    scene.offered(SECOND)
    sent_on(scene, SECOND, "100")
    assert told(scene) == [(200, True)] and [order.leg for order in scene.ordered(EndLeg)] == [FIRST]
    assert CALLER not in scene.portless
    scene.tell(lambda at: MediaAlone(at, CALLER, "sdp"))
    assert scene.ordered(Play)[0].sound.kind is SoundKind.SPEECH
    assert scene.joined_with[CALLER] == {"the system's own end"}


def test_a_transfer_is_decided_with_the_rights_of_him_who_asks() -> None:
    scene = Scene().talking()
    transferred(scene, FIRST, "what?")
    assert told(scene) == [(484, True)] and scene.call.state == "talking"


def test_what_comes_from_the_public_network_may_not_have_calls_made() -> None:
    scene = Scene()
    scene.arrives("+12065550103", Caller(Source.CARRIER, address="udp:127.0.2.1:5080"))
    scene.devices(1)
    scene.answers(FIRST)
    scene.joined(FIRST)
    scene.confirmed()
    assert scene.tell(lambda at: TransferAsked(at, CALLER, "+19005550100")) == [RefuseTransfer(CALLER, 403)]
    assert AcceptTransfer(FIRST) in scene.tell(lambda at: TransferAsked(at, FIRST, "102")), "the person called may"


def test_a_transfer_that_nobody_can_take_now_is_refused() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    scene.answers(FIRST)
    assert scene.tell(lambda at: TransferAsked(at, FIRST, "103")) == [RefuseTransfer(FIRST, 491)]


def test_blind_to_the_attendant() -> None:
    scene = Scene().talking()
    orders = transferred(scene, FIRST, "100")
    assert told(scene) == [(200, True)]
    kinds = [type(order).__name__ for order in orders]
    assert kinds.index("AnswerAlone") < kinds.index("RemoveMedia"), "a leg joined with nobody would lose its port"
    scene.tell(lambda at: MediaAlone(at, CALLER, "sdp"))
    assert scene.ordered(Play)[0].leg == CALLER, "it was answered before: it is greeted at once"


def test_attended() -> None:
    scene = Scene().talking()
    scene.tell(lambda at: TransferAsked(at, FIRST, "", leg_id(OTHER, 0)))
    assert AskYield(leg_id(OTHER, 0), OURS) in scene.orders
    scene.tell(lambda at: LegReceived(at, CHLOES_LEG, Side("Chloe's telephone"), world.sdp(), "sdp"))
    assert [(order.leg, order.offerer) for order in scene.ordered(OfferMedia)] == [(CHLOES_LEG, CALLER)]
    assert scene.tell(lambda at: MediaOffered(at, CHLOES_LEG, "offer")) == [ReofferLeg(CHLOES_LEG, "offer")]
    scene.tell(lambda at: LegReofferAnswered(at, CHLOES_LEG, world.sdp()))
    assert [(order.leg, order.offerer) for order in scene.ordered(AnswerMedia)] == [(CHLOES_LEG, CALLER)]
    scene.joined(CHLOES_LEG)
    assert told(scene) == [(200, True)] and [order.leg for order in scene.ordered(EndLeg)] == [FIRST]
    assert scene.call.connected == "Chloe's telephone"
    scene.hangs_up(CHLOES_LEG)
    assert [order.leg for order in scene.ordered(EndLeg)] == [CALLER] and scene.closes() == "completed.by_callee"


@pytest.mark.parametrize("refused", [YieldRefused, None], ids=["refused", "silent"])
def test_attended_with_a_call_that_gives_nobody_away(refused: type | None) -> None:
    scene = Scene().talking()
    scene.tell(lambda at: TransferAsked(at, FIRST, "", leg_id(OTHER, 0)))
    if refused is None:
        scene.fires(Timer.TRANSFER)
    else:
        scene.tell(YieldRefused)
    assert told(scene) == [(480, True)] and scene.call.state == "talking"
    late = scene.tell(lambda at: LegReceived(at, CHLOES_LEG, Side("Chloe's telephone"), world.sdp(), "sdp"))
    assert [order.leg for order in late if isinstance(order, EndLeg)] == [CHLOES_LEG], "a party that comes too late is let go"


def test_attended_and_the_third_will_not_move() -> None:
    scene = Scene().talking()
    scene.tell(lambda at: TransferAsked(at, FIRST, "", leg_id(OTHER, 0)))
    scene.tell(lambda at: LegReceived(at, CHLOES_LEG, Side("Chloe's telephone"), world.sdp(), "sdp"))
    scene.tell(lambda at: MediaOffered(at, CHLOES_LEG, "offer"))
    scene.tell(lambda at: LegReofferRefused(at, CHLOES_LEG, 488))
    assert [order.leg for order in scene.ordered(EndLeg)] == [CHLOES_LEG] and told(scene) == [(480, True)]
    assert scene.call.state == "talking"


def test_attended_before_the_third_answered_dials_anew() -> None:
    scene = Scene().talking()
    scene.tell(lambda at: TransferAsked(at, FIRST, "", leg_id(OTHER, 0)))
    scene.tell(lambda at: YieldTurned(at, "103"))
    assert [order.dialled for order in scene.ordered(Route)] == ["103"]


def test_a_call_gives_its_party_away_and_ends() -> None:
    scene = Scene().talking()
    scene.tell(lambda at: YieldAsked(at, CALLER, OTHER, OURS))
    assert scene.orders[0] == GiveLeg(FIRST, OTHER)
    assert [order.leg for order in scene.ordered(EndLeg)] == [CALLER], "what was given is not hung up"
    assert scene.closes() == "completed.transferred"


@pytest.mark.parametrize(("leg", "organization"), [(CALLER, OrganizationId(8)), (THIRD, OURS)], ids=["another's", "no leg of it"])
def test_a_call_gives_nothing_to_others(leg: LegId, organization: OrganizationId) -> None:
    scene = Scene().talking()
    assert scene.tell(lambda at: YieldAsked(at, leg, OTHER, organization)) == [RefuseYield(OTHER)]
    assert scene.call.ending is None


@pytest.mark.parametrize(("key", "instead"), [("", "100"), ("2", "102")], ids=["itself", "whom it calls"])
def test_an_attendant_has_itself_dialled_anew_or_whom_it_calls(key: str, instead: str) -> None:
    scene = Scene().greeted()
    if key:
        scene.presses(key)
        scene.devices(1)
        scene.rings(FIRST)
    scene.tell(lambda at: YieldAsked(at, CALLER, OTHER, OURS))
    assert scene.orders[0] == TurnYield(OTHER, instead) and scene.closes() == "completed.transferred"


@pytest.mark.parametrize(("leg", "organization"), [(CALLER, OrganizationId(8)), (THIRD, OURS)], ids=["another's", "no leg of it"])
def test_an_attendant_says_nothing_to_others(leg: LegId, organization: OrganizationId) -> None:
    scene = Scene().greeted()
    assert scene.tell(lambda at: YieldAsked(at, leg, OTHER, organization)) == [RefuseYield(OTHER)]


def test_a_call_that_only_rings_tells_what_was_dialled_and_ends() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    scene.rings(FIRST)
    scene.tell(lambda at: YieldAsked(at, CALLER, OTHER, OURS))
    assert scene.orders[0] == TurnYield(OTHER, "102") and scene.closes() == "completed.transferred"


def sent_on(scene: Scene, leg: LegId, to: str) -> list[Command]:
    scene.tell(lambda at: LegRefused(at, leg, 302, "Moved Temporarily", (to,)))
    (asked,) = scene.ordered(Route)
    return scene.tell(lambda at: Routed(at, route(scene.organization, asked.caller, asked.dialled)))


def test_a_telephone_sends_its_caller_on() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    sent_on(scene, FIRST, "103")
    assert [order.username for order in scene.ordered(FindDevices)] == ["chloe"]
    found(scene)
    scene.offered(SECOND)
    (invite,) = scene.ordered(InviteLeg)
    assert [(each.number, each.reason) for each in invite.diverted] == [("102", "deflection")] and invite.shown_number == "101"
    scene.answers(SECOND)
    scene.joined(SECOND)
    assert scene.call.state == "talking"


BEFORE = Diversion("+12065550150", "no-answer")


def test_who_sent_the_call_on_before_us_is_told_onward() -> None:
    scene = Scene()
    scene.arrives("+12065550103", world.from_outside(), diverted=(BEFORE,))
    scene.devices(1)
    assert [order.diverted for order in scene.ordered(InviteLeg)] == [(BEFORE,)]
    sent_on(scene, FIRST, "3125550123")
    scene.offered(SECOND)
    (invite,) = scene.ordered(InviteLeg)
    assert invite.outside and invite.diverted == (BEFORE, Diversion("103", "deflection"))


def test_an_attendant_tells_it_onward_and_a_transfer_does_not() -> None:
    scene = Scene()
    scene.arrives("100", diverted=(BEFORE,))
    scene.tell(lambda at: MediaAlone(at, CALLER, "sdp alone"))
    scene.confirmed()
    scene.presses("2")
    scene.devices(1)
    assert [order.diverted for order in scene.ordered(InviteLeg)] == [(BEFORE,)]
    scene.answers(FIRST)
    scene.joined(FIRST)
    transferred(scene, FIRST, "103")
    found(scene)
    scene.offered(SECOND)
    assert [order.diverted for order in scene.ordered(InviteLeg)] == [()], "that is a call of his who transfers"


def test_a_telephone_sends_its_caller_out_with_its_owners_rights() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    sent_on(scene, FIRST, "3125550123")
    scene.offered(SECOND)
    (invite,) = scene.ordered(InviteLeg)
    assert invite.uri == "sip:+13125550123@127.0.2.1:5080" and invite.outside
    assert invite.shown_number == "+12065550100", "Ben has no number of his own: the organization's"


def test_a_telephone_sends_its_caller_to_the_attendant() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    orders = sent_on(scene, FIRST, "100")
    assert "AnswerAlone" in [type(order).__name__ for order in orders]


def test_two_telephones_that_send_each_other_their_callers_end() -> None:
    scene = Scene()
    scene.arrives("102")
    scene.devices(1)
    for turn in range(MOST_REDIRECTS):
        leg = leg_id(scene.call.id, turn + 1)
        sent_on(scene, leg, "103" if turn % 2 == 0 else "102")
        found(scene)
        scene.offered(leg_id(scene.call.id, turn + 2))
    scene.tell(lambda at: LegRefused(at, leg_id(scene.call.id, MOST_REDIRECTS + 1), 302, "", ("102",)))
    assert not scene.ordered(Route) and scene.closes() == "callee.failed"
