"""Requests outside sessions, of ours and of others."""

import pytest

from offhook.sip.agent import SessionRefuses
from offhook.sip.facts import (
    Output,
    RequestReceived,
    ResponseReceived,
)
from tests.sip.raw import PEER, an_agent, answered, header, request, response, sent, told


def test_requests_outside_sessions_are_given_out_and_answered_once() -> None:
    agent = an_agent()
    came = agent.receive(request("OPTIONS"), PEER, 0.0)
    key = next(fact for fact in came if isinstance(fact, RequestReceived)).key
    reply = sent(agent.respond(key, status=200, headers=[("Accept", "application/sdp")], now=0.1))
    assert header(reply[0], "Accept") == ["application/sdp"]
    assert sent(agent.receive(request("OPTIONS"), PEER, 0.2)) == reply
    with pytest.raises(SessionRefuses):
        agent.respond(key, status=200, now=0.3)


def test_a_call_asked_what_we_can_do_tells_it() -> None:
    """As outside of one (RFC 3261 11.2)."""
    agent = an_agent()
    _, tag = answered(agent)
    outputs = agent.receive(request("OPTIONS", branch="z9hG4bKo", cseq=2, to_tag=tag), PEER, 1.0)
    assert not told(outputs, RequestReceived)
    said = sent(outputs)[0]
    assert said.startswith(b"SIP/2.0 200 ")
    assert {"INVITE", "UPDATE", "REFER"} <= set(header(said, "Allow")[0].split(", "))
    assert header(said, "Accept") == ["application/sdp, multipart/mixed"]
    assert header(said, "Supported") == ["100rel, replaces, norefersub"]
    assert ("Supported", "100rel, replaces, norefersub") in agent.capabilities


def test_a_request_that_nobody_answers_is_given_up_when_its_sender_has() -> None:
    agent = an_agent()
    key = next(fact for fact in agent.receive(request("OPTIONS"), PEER, 0.0) if isinstance(fact, RequestReceived)).key
    agent.tick(32.1)
    with pytest.raises(SessionRefuses):
        agent.respond(key, status=200, now=32.2)
    assert agent._core.servers == {}


def test_a_request_of_ours_outside_sessions() -> None:
    agent = an_agent()
    out = agent.request(
        "register",
        method="REGISTER",
        request_uri="sip:lumen.test",
        from_header="<sip:anna@lumen.test>",
        to_header="<sip:anna@lumen.test>",
        destination=PEER,
        now=0.0,
        headers=[("Contact", "<sip:anna@127.0.0.1:7001>"), ("Expires", "60"), ("Max-Forwards", "5")],
        call_id="mine",
        cseq=7,
    )
    data = sent(out)[0]
    assert header(data, "CSeq") == ["7 REGISTER"]
    assert header(data, "Max-Forwards") == ["5"]
    assert header(data, "Contact") == ["<sip:anna@127.0.0.1:7001>"]
    assert agent.receive(response(data, 100), PEER, 0.1)[1:] == []
    final = agent.receive(response(data, 401, more=('WWW-Authenticate: Digest realm="r", nonce="n"',)), PEER, 0.2)
    fact = next(fact for fact in final if isinstance(fact, ResponseReceived))
    assert (fact.key, fact.status) == ("register", 401)
    assert agent.receive(response(data, 401), PEER, 0.3)[1:] == []


def test_a_request_that_nobody_answers_is_a_408() -> None:
    agent = an_agent()
    agent.request(
        "options", method="OPTIONS", request_uri="sip:x@y", from_header="<sip:a@b>", to_header="<sip:x@y>", destination=PEER, now=0.0
    )
    facts: list[Output] = []
    while (due := agent.next_due()) is not None:
        facts += agent.tick(due)
    assert told(facts, ResponseReceived) == [ResponseReceived("options", 408, None)]
    # Timer E: 0.5, 1, 2, 4, 4, 4... seconds apart until 32 have gone (RFC 3261 17.1.2.2).
    assert len(sent(facts)) == 10


def test_after_a_provisional_a_request_is_repeated_every_four_seconds() -> None:
    agent = an_agent()
    data = sent(
        agent.request(
            "options", method="OPTIONS", request_uri="sip:x@y", from_header="<sip:a@b>", to_header="<sip:x@y>", destination=PEER, now=0.0
        )
    )[0]
    agent.receive(response(data, 100), PEER, 0.1)
    times = []
    while (due := agent.next_due()) is not None:
        times += [due] * len(sent(agent.tick(due)))
    assert times == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
