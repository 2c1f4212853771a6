"""Which way messages go: back along the Vias, on along the routes."""

from offhook.sip.addresses import Address
from offhook.sip.facts import (
    InviteReceived,
)
from tests.sip.lines import ANSWER
from tests.sip.raw import PEER, an_agent, answered, calling, header, invite, ours, request, response, sends, sent

ROUTES = ("Record-Route: <sip:127.0.0.1:5090;lr;r2=on>, <sip:198.51.100.1:5060;lr;r2=on>", "Record-Route: <sip:203.0.113.5;lr>")


def test_responses_go_back_to_the_source_port_with_received_and_rport() -> None:
    outputs = an_agent().receive(invite(), Address("203.0.113.7", 40123), 0.0)
    assert sends(outputs)[0].to == Address("203.0.113.7", 40123)
    assert header(sends(outputs)[0].data, "Via") == ["SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;received=203.0.113.7;rport=40123"]


def test_without_rport_responses_go_to_the_port_of_sent_by() -> None:
    data = invite().replace(b";rport", b"")
    outputs = an_agent().receive(data, Address("203.0.113.7", 40123), 0.0)
    assert sends(outputs)[0].to == Address("203.0.113.7", 5070)
    assert header(sends(outputs)[0].data, "Via") == ["SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;received=203.0.113.7"]


def test_the_route_set_of_a_callee_keeps_the_order_and_every_letter() -> None:
    agent = an_agent()
    session, _ = answered(agent, more=ROUTES)
    bye = sends(agent.bye(session, now=1.0))[0]
    assert bye.data.startswith(b"BYE sip:peer@192.0.2.9:5070 SIP/2.0")
    assert header(bye.data, "Route") == ["<sip:127.0.0.1:5090;lr;r2=on>", "<sip:198.51.100.1:5060;lr;r2=on>", "<sip:203.0.113.5;lr>"]
    assert bye.to == Address("127.0.0.1", 5090)


def test_the_record_routes_of_an_invite_come_back_in_the_answers_that_make_a_dialog() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(more=ROUTES), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    for outputs in (agent.ring(session, now=0.1), agent.answer(session, sdp=ANSWER, now=0.2)):
        assert header(sent(outputs)[0], "Record-Route") == [line.partition(": ")[2] for line in ROUTES]


def test_the_route_set_of_a_caller_is_turned_around() -> None:
    agent = an_agent()
    data = response(calling(agent), 200, more=("Contact: <sip:peer@10.0.0.1:4444;alias=1.2.3.4~5~1>", *ROUTES), body=ANSWER)
    ack = sends(agent.receive(data, PEER, 0.1))[0]
    assert ack.data.startswith(b"ACK sip:peer@10.0.0.1:4444;alias=1.2.3.4~5~1 SIP/2.0")
    assert header(ack.data, "Route") == ["<sip:203.0.113.5;lr>", "<sip:198.51.100.1:5060;lr;r2=on>", "<sip:127.0.0.1:5090;lr;r2=on>"]
    assert ack.to == Address("203.0.113.5", 5060)


def test_a_strict_router_gets_itself_in_the_request_line() -> None:
    agent = an_agent()
    session, _ = answered(agent, more=("Record-Route: <sip:127.0.0.1:5090>, <sip:198.51.100.1>",))
    bye = sends(agent.bye(session, now=1.0))[0]
    assert bye.data.startswith(b"BYE sip:127.0.0.1:5090 SIP/2.0")
    assert header(bye.data, "Route") == ["<sip:198.51.100.1>", "<sip:peer@192.0.2.9:5070>"]


def test_a_named_contact_is_reached_where_it_spoke_from() -> None:
    agent = an_agent()
    data = invite().replace(b"<sip:peer@192.0.2.9:5070>", b"<sip:peer@phone.invalid>")
    session = next(fact for fact in agent.receive(data, PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.answer(session, sdp=ANSWER, now=0.1))[0])
    agent.receive(request("ACK", branch="z9hG4bK2", to_tag=tag), PEER, 0.2)
    assert sends(agent.bye(session, now=1.0))[0].to == PEER


def test_a_reinvite_moves_the_target_only_when_it_is_accepted() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    moved = invite(branch="z9hG4bK5", cseq=2, to_tag=tag).replace(
        b"Contact: <sip:peer@192.0.2.9:5070>", b"Contact: <sip:peer@192.0.2.9:6000>"
    )
    agent.receive(moved, PEER, 1.0)
    agent.refuse_reoffer(session, status=488, now=1.1)
    assert sends(agent.info(session, content_type="a/b", body=b"x", now=1.2))[0].to == PEER
    agent.receive(moved.replace(b"CSeq: 2", b"CSeq: 3").replace(b"z9hG4bK5", b"z9hG4bK6"), PEER, 1.3)
    agent.accept_reoffer(session, sdp=ANSWER, now=1.4)
    assert sends(agent.info(session, content_type="a/b", body=b"x", now=1.5))[0].to == Address("192.0.2.9", 6000)
