"""Who sent a call on before it came to us, as carriers write it."""

import pytest
from sipmessage import Request

from offhook.domain.calls.sides import Diversion
from offhook.engines.signalling.diversions import MOST_TOLD, diverted_in
from tests.engines.signalling.far_end import Line, arrived

MOTHER, NEIGHBOUR = "+12065550150", "+12065550151"


def told(*lines: str) -> tuple[Diversion, ...]:
    request = Request.parse("\r\n".join(("INVITE sip:+12065550100@192.0.2.1 SIP/2.0", *lines, "", "")).encode())
    assert isinstance(request, Request)
    return diverted_in(request)


def test_who_was_called_directly_was_sent_on_by_nobody() -> None:
    assert told() == ()
    assert told("History-Info: <sip:+12065550100@192.0.2.1>;index=1") == ()


def test_the_last_who_diverted_stands_first() -> None:
    first = f"Diversion: <sip:{NEIGHBOUR}@carrier.test>;reason=no-answer;counter=1"
    second = f'Diversion: "Mother" <tel:{MOTHER}>;reason="user-busy", <sip:12065550152@carrier.test>;reason=;privacy=off'
    assert told(first, second) == (
        Diversion("+12065550152", "unknown"),
        Diversion(MOTHER, "user-busy"),
        Diversion(NEIGHBOUR, "no-answer"),
    )


@pytest.mark.parametrize(
    ("onward", "own", "reason"),
    [(";cause=486", "", "user-busy"), ("", "?Reason=SIP%3Bcause%3D408", "no-answer"), (";cause=999", "", "unknown"), ("", "", "unknown")],
)
def test_a_history_names_who_was_mapped_to_another(onward: str, own: str, reason: str) -> None:
    history = f"<sip:{MOTHER}@carrier.test{own}>;index=1, <sip:+12065550100@192.0.2.1{onward}>;index=1.1;mp=1"
    assert told(f"History-Info: {history}") == (Diversion(MOTHER, reason),)


def test_a_history_that_names_nobody_leads_nowhere() -> None:
    assert told(f"History-Info: <sip:{MOTHER}@carrier.test>;index=1, <sip:+12065550100@192.0.2.1>;index=1.1;mp=7") == ()
    assert told("History-Info: nonsense;mp", "Diversion: ;;;,<sip:@>,<http://a>") == ()


@pytest.mark.parametrize(
    "lines",
    [
        (f"Diversion: <sip:{MOTHER}@carrier.test>;privacy=full",),
        (f"Diversion: <sip:{MOTHER}@carrier.test>", "Privacy: id;history"),
        (f"History-Info: <sip:{MOTHER}@carrier.test?Privacy=history>;index=1, <sip:1@192.0.2.1>;index=1.1;mp=1",),
    ],
)
def test_who_is_hidden_has_no_number(lines: tuple[str, ...]) -> None:
    assert told(*lines) == (Diversion("anonymous", "unknown"),)


def test_a_long_history_is_cut() -> None:
    assert len(told("Diversion: " + ", ".join([f"<sip:{MOTHER}@carrier.test>"] * 50))) == MOST_TOLD


async def test_a_call_arrives_with_who_sent_it_on(line: Line) -> None:
    call = await arrived(line, headers=(("X-Offhook-Source", "carrier"), ("Diversion", f"<sip:{MOTHER}@carrier.test>;reason=no-answer")))
    assert call.diverted == (Diversion(MOTHER, "no-answer"),)
