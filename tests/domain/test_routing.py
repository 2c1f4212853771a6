"""Where calls go, and the reasons given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.domain.calls.endings import CALLER_UNKNOWN, NO_CARRIER, NUMBER_NOT_ASSIGNED, NUMBER_UNREADABLE
from offhook.domain.routing import Attend, CallOut, Decision, Outcome, Refuse, RingUser, Source, route
from tests.fakes.world import ANNA, BEN, CARRIER, RECEPTION, calling, from_outside, organization

LUMEN = organization()


def codes(decision: Decision, outcome: Outcome | None = None) -> list[str]:
    return [reason.code for reason in decision.reasons if outcome is None or reason.outcome is outcome]


def test_an_extension_rings_its_user_and_shows_the_callers_extension() -> None:
    decision = route(LUMEN, calling(), "102")
    assert decision.plan == RingUser(BEN)
    assert (decision.shown_name, decision.shown_number) == ("Anna Lind", "101")
    assert codes(decision) == ["emergency.no_match", "caller.recognised", "number.extension_matched"]


def test_the_attendants_extension_is_answered_by_the_attendant() -> None:
    decision = route(LUMEN, calling(), "100")
    assert decision.plan == Attend(RECEPTION)
    assert "hours.always_open" in codes(decision)


def test_an_own_number_stays_inside_however_it_is_written() -> None:
    for dialled in ("+12065550103", "2065550103", "12065550103", "206-555-0103", "01112065550103"):
        decision = route(LUMEN, calling(), dialled)
        assert isinstance(decision.plan, RingUser) and decision.plan.user.username == "chloe", dialled


def test_a_number_outside_goes_to_the_carrier_with_the_callers_own_number() -> None:
    assert route(LUMEN, calling(), "3125550123").plan == CallOut("+13125550123", CARRIER, ANNA.number)


def test_a_user_without_a_number_shows_the_organizations() -> None:
    assert route(LUMEN, calling("ben"), "3125550123").plan == CallOut("+13125550123", CARRIER, LUMEN.main_number)


@pytest.mark.parametrize("dialled", ["", "9999", "1234567", "anna", "+0123", "+1206555010", "20655501031", "sip:x", "+", "１０１"])
def test_what_can_be_no_number_is_refused_and_says_so(dialled: str) -> None:
    decision = route(LUMEN, calling(), dialled)
    assert decision.plan == Refuse(NUMBER_UNREADABLE)
    assert codes(decision, Outcome.CHOSEN) == ["number.unreadable"]


def test_without_a_carrier_calls_outside_are_refused() -> None:
    assert route(organization(carrier=None), calling(), "3125550123").plan == Refuse(NO_CARRIER)


def test_a_domain_or_user_that_is_nobodys_is_refused() -> None:
    assert route(None, calling(), "102").plan == Refuse(CALLER_UNKNOWN)
    assert route(LUMEN, calling("mallory"), "102").plan == Refuse(CALLER_UNKNOWN)


@pytest.mark.parametrize("source", [Source.PHONE, Source.EMERGENCY])
def test_an_emergency_number_is_the_first_rule_and_shows_the_callers_number(source: Source) -> None:
    decision = route(LUMEN, calling(source=source), "911")
    assert decision.plan == CallOut("911", CARRIER, ANNA.number, emergency=True)
    assert codes(decision)[0] == "emergency.matched"


@pytest.mark.parametrize("dialled", ["9-1-1", "(9) 11", "9.11"])
def test_an_emergency_number_may_be_written_with_separators(dialled: str) -> None:
    assert route(LUMEN, calling(), dialled).plan == CallOut("911", CARRIER, ANNA.number, emergency=True)


def test_an_emergency_call_goes_out_even_for_a_user_that_is_gone() -> None:
    assert route(LUMEN, calling("deleted"), "911").plan == CallOut("911", CARRIER, LUMEN.main_number, emergency=True)


@given(st.text(alphabet="0123456789+*#", max_size=16).filter(lambda dialled: dialled != "911"))
def test_nothing_but_an_emergency_number_is_an_emergency(dialled: str) -> None:
    plan = route(LUMEN, calling(), dialled).plan
    assert not (isinstance(plan, CallOut) and plan.emergency)


@given(st.text(max_size=40), st.sampled_from([None, LUMEN]), st.sampled_from([calling(), from_outside(), calling("ben")]))
def test_every_call_gets_exactly_one_decision_with_one_reason_chosen_last(dialled: str, own: object, caller: object) -> None:
    decision = route(own, caller, dialled)  # type: ignore[arg-type]
    assert Outcome.CHOSEN in {reason.outcome for reason in decision.reasons}
    assert (decision.organization is None) == (own is None)


def test_a_call_from_outside_finds_the_number_it_is_for() -> None:
    decision = route(LUMEN, from_outside(), "+12065550103")
    assert isinstance(decision.plan, RingUser) and decision.plan.user.username == "chloe"
    assert decision.shown_number == "+12065550199"
    assert route(LUMEN, from_outside(), "+12065550100").plan == Attend(RECEPTION)


@pytest.mark.parametrize("dialled", ["101", "911", "+12065550142", "3125550123"])
def test_a_carrier_reaches_only_assigned_numbers(dialled: str) -> None:
    assert route(LUMEN, from_outside(), dialled).plan == Refuse(NUMBER_NOT_ASSIGNED)
    assert route(None, from_outside(), dialled).plan == Refuse(NUMBER_NOT_ASSIGNED)
