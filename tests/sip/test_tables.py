"""The tables themselves: what is not in them changes nothing, and nothing in them is out of reach."""

from itertools import product

import pytest

from offhook.sip.addresses import Address
from offhook.sip.dialogs import Dialog, DialogEvent, DialogState
from offhook.sip.offers import GLARE, OfferEvent, OfferState
from offhook.sip.origins import Origin
from offhook.sip.sessions import SESSION_MOVES, Session, SessionEvent, SessionRefuses, SessionState
from offhook.sip.tables import MACHINES, Machine
from offhook.sip.transactions import (
    INVITE_CLIENT_MOVES,
    INVITE_SERVER_MOVES,
    OTHER_CLIENT_MOVES,
    OTHER_SERVER_MOVES,
    Event,
    Moves,
    State,
    Transaction,
)

HERE = Address("127.0.0.1", 7001)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_every_row_is_reached_from_the_start_and_leads_on(machine: Machine) -> None:
    reached, fresh = {machine.start}, [machine.start]
    while fresh:
        for move in machine.moves.get(fresh.pop(), {}).values():
            if move.next not in reached:
                reached.add(move.next)
                fresh.append(move.next)
    assert set(machine.moves) <= reached
    assert all(isinstance(event, machine.events) for row in machine.moves.values() for event in row)


@pytest.mark.parametrize("moves", [INVITE_CLIENT_MOVES, INVITE_SERVER_MOVES, OTHER_CLIENT_MOVES, OTHER_SERVER_MOVES])
def test_a_transaction_ignores_what_its_table_does_not_hold(moves: Moves) -> None:
    refused = 0
    for state, event in product(State, Event):
        transaction = Transaction(moves, ("z9hG4bK1",), HERE, None)
        transaction.state = state
        doing = transaction.move_on(event)
        move = moves.get(state, {}).get(event)
        if move is None:
            refused += 1
            assert doing is None
            assert transaction.state is state
        else:
            assert (doing, transaction.state) == (move.do, move.next)
    assert refused > 100


def test_a_session_ignores_what_its_table_does_not_hold_and_says_so_of_orders() -> None:
    for state, event in product(SessionState, SessionEvent):
        session = Session("call", Origin(1))
        session.state = state
        move = SESSION_MOVES[state].get(event)
        if move is None:
            assert session.move_on(event) is None
            with pytest.raises(SessionRefuses) as refusal:
                session.obey(event)
            assert (refusal.value.order, refusal.value.state) == (event, state)
        assert session.state is state
        if move is not None:
            assert session.obey(event) == move.do
            assert session.state is move.next


def test_a_dialog_that_has_ended_never_comes_back() -> None:
    for event in DialogEvent:
        dialog = a_dialog()
        dialog.state = DialogState.ENDED
        assert not dialog.follow(event)
        assert dialog.state is DialogState.ENDED


def test_offers_out_of_turn_change_nothing() -> None:
    turns = {
        OfferState.STABLE: {OfferEvent.OFFER_SENT, OfferEvent.OFFER_RECEIVED, OfferEvent.ASKED, OfferEvent.WE_ASK},
        OfferState.WE_ASKED: {OfferEvent.OFFER_RECEIVED, OfferEvent.WITHDRAWN},
        OfferState.WE_OFFERED: {OfferEvent.ANSWER_RECEIVED, OfferEvent.WITHDRAWN},
        OfferState.PEER_OFFERED: {OfferEvent.ANSWER_SENT, OfferEvent.WITHDRAWN},
        OfferState.PEER_ASKED: {OfferEvent.ANSWER_SENT, OfferEvent.WITHDRAWN},
        OfferState.ACK_AWAITED: {OfferEvent.ANSWER_RECEIVED, OfferEvent.WITHDRAWN},
    }
    for state, event in product(OfferState, OfferEvent):
        session = Session("call", Origin(1))
        session.offers = state
        assert session.offer(event) is (event in turns[state])
        if event not in turns[state]:
            assert session.offers is state


def test_a_reinvite_meets_a_refusal_in_every_state_but_stable() -> None:
    assert set(GLARE) == set(OfferState) - {OfferState.STABLE}


def a_dialog() -> Dialog:
    return Dialog(
        key=("id", "ours", "theirs"),
        local="<sip:a@b>;tag=ours",
        remote="<sip:c@d>;tag=theirs",
        target="sip:c@127.0.0.1:7002",
        routes=(),
        local_cseq=1,
        remote_cseq=-1,
        fallback=HERE,
    )
