"""Who calls, read from what phones and carriers really write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Request

from offhook.sip.identity import Party, asserted, claimed, party, wants_privacy
from offhook.sip.reading import parameter, split_name_addr, split_values, tag_in
from offhook.sip.wall import read
from tests.sip.raw import PEER, invite


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ('"Anna, \\"the\\" <boss>" <sip:anna@Lumen.test:5060;transport=tcp>;tag=1', Party('Anna, "the" <boss>', "anna", "lumen.test")),
        ("Ben Miller <sips:ben@lumen.test>", Party("Ben Miller", "ben", "lumen.test", "sips")),
        ("sip:chloe@lumen.test;tag=3", Party("", "chloe", "lumen.test")),
        ("<sip:+12065550100;phone-context=x@carrier.test;user=phone>", Party("", "+12065550100", "carrier.test")),
        ("<tel:+1-206-555-0100;ext=7>", Party("", "+1-206-555-0100", "", "tel")),
        ("<sip:%2a21%23@[2001:db8::1]:5070>", Party("", "*21#", "[2001:db8::1]")),
        ("<sip:lumen.test>", Party("", "", "lumen.test")),
        ("<mailto:anna@lumen.test>", None),
        ("nobody", None),
        ("", None),
        ("<sip:>", None),
    ],
)
def test_the_party_in_a_header(value: str, wanted: Party | None) -> None:
    assert party(value) == wanted


def request(*more: str) -> Request:
    found = read(invite(more=more), PEER)
    assert isinstance(found, Request)
    return found


def test_the_asserted_identity_is_not_what_from_claims() -> None:
    both = request('P-Asserted-Identity: <urn:x>, "Anna" <sip:anna@lumen.test>, <tel:+12065550100>')
    assert asserted(both) == Party("Anna", "anna", "lumen.test")
    assert claimed(both) == Party("", "peer", "192.0.2.9")
    assert asserted(request()) is None


def test_privacy_is_asked_for_in_several_ways() -> None:
    assert wants_privacy(request("Privacy: header; id"))
    assert wants_privacy(request("Privacy: user"))
    assert not wants_privacy(request("Privacy: none"))
    assert not wants_privacy(request())


def test_commas_in_quotes_and_brackets_part_nothing() -> None:
    assert split_values('"a, \\", b" <sip:x,y@z>, <sip:c>;p=1 ,, sip:d') == ['"a, \\", b" <sip:x,y@z>', "<sip:c>;p=1", "sip:d"]
    assert split_values(" ") == []


def test_parameters_are_found_by_their_whole_name() -> None:
    text = ";rport;received=1.2.3.4 ; Branch = z9 ;xtag=no;tag=yes"
    assert [parameter(text, name) for name in ("rport", "received", "branch", "tag", "port")] == ["", "1.2.3.4", "z9", "yes", None]
    assert tag_in('"a;tag=x" <sip:a@b;tag=y>') == ""
    assert tag_in("sip:a@b;tag=z") == "z"


@given(st.text())
def test_reading_never_fails(text: str) -> None:
    party(text)
    tag_in(text)
    split_name_addr(text)
    for value in split_values(text):
        assert value.strip() == value != ""
