"""Session timers (RFC 4028): calls are refreshed, and hung up where nobody is left."""

from itertools import pairwise

import pytest

from offhook.sip.agent import Agent, SessionState
from offhook.sip.facts import (
    AnswerReceived,
    ByeAnswered,
    InviteReceived,
    Output,
    RefusalReceived,
    ReofferAnswered,
    ReofferReceived,
    SessionExpired,
)
from offhook.sip.session_timers import SessionTimers
from tests.sip.lines import ANSWER, OFFER, Line, talking, told_as
from tests.sip.raw import PEER, an_agent, calling, header, invite, ours, request, response, sends, sent, statuses, told

TIMERS = SessionTimers(1800, 90)
TIMER = "Supported: timer"
NUMBER = 1 + 2**52
"""Of every session here: the dice always fall in the middle."""


def timed(**settings: object) -> Agent:
    return an_agent(session_timers=TIMERS, dice=lambda: 0.5, **settings)


def up(agent: Agent, *more: str) -> tuple[str, bytes]:
    """The peer has called, and its call is answered at 0.1 and acknowledged; the session and the 200."""
    session = next(fact for fact in agent.receive(invite(more=more), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    answer = sent(agent.answer(session, sdp=ANSWER, now=0.1))[0]
    agent.receive(request("ACK", branch="z9hG4bKa", to_tag=ours(answer)), PEER, 0.2)
    return session, answer


def called(agent: Agent, *more: str) -> bytes:
    """The agent has called and is answered at 0.1; its INVITE."""
    data = calling(agent)
    outputs = agent.receive(response(data, 200, more=("Contact: <sip:peer@192.0.2.9:5070>", *more), body=ANSWER), PEER, 0.1)
    assert told(outputs, AnswerReceived)
    return data


def methods(outputs: list[Output]) -> list[bytes]:
    return [data.split()[0] for data in sent(outputs)]


def test_an_invite_of_ours_asks_and_the_2xx_settles_it() -> None:
    agent = timed()
    data = called(agent, "Session-Expires: 600;refresher=uac", "Require: timer", "Allow: INVITE, UPDATE")
    assert header(data, "Session-Expires") == ["1800"]
    assert header(data, "Min-SE") == ["90"]
    assert header(data, "Supported") == ["100rel, timer, replaces, norefersub"]
    assert methods(agent.tick(300.0)) == []
    outputs = agent.tick(300.2)
    assert methods(outputs) == [b"UPDATE"]
    update = sent(outputs)[0]
    assert header(update, "Session-Expires") == ["1800;refresher=uac"]
    assert header(update, "Content-Length") == ["0"]
    outputs = agent.receive(response(update, 200, more=("Session-Expires: 600;refresher=uac",)), PEER, 301.0)
    assert not told(outputs, ReofferAnswered)
    assert methods(agent.tick(600.0)) == []
    assert methods(agent.tick(601.1)) == [b"UPDATE"]


def test_a_peer_without_update_gets_a_reinvite_with_what_we_said_last() -> None:
    agent = timed()
    called(agent, "Session-Expires: 600;refresher=uac")
    new = OFFER + "a=sendonly\r\n"
    reoffer = sent(agent.reoffer("call", sdp=new, now=10.0))[0]
    assert told(
        agent.receive(response(reoffer, 200, more=("Session-Expires: 600;refresher=uac",), body=ANSWER), PEER, 10.1), ReofferAnswered
    )
    outputs = agent.tick(310.2)
    assert methods(outputs) == [b"INVITE"]
    refresh = sent(outputs)[0]
    assert refresh.endswith(told_as(new, 2, NUMBER).encode())
    for _ in range(2):
        outputs = agent.receive(response(refresh, 200, more=("Session-Expires: 600;refresher=uac",), body=ANSWER), PEER, 311.0)
        assert methods(outputs) == [b"ACK"]
        assert not told(outputs, ReofferAnswered)
    # An offer of ours goes as always, and counts as a refresh.
    reoffer = sent(agent.reoffer("call", sdp=OFFER, now=400.0))[0]
    agent.receive(response(reoffer, 200, more=("Session-Expires: 600;refresher=uac",), body=ANSWER), PEER, 400.1)
    assert methods(agent.tick(699.0)) == []
    assert methods(agent.tick(701.0)) == [b"INVITE"]


@pytest.mark.parametrize("status", [408, 481, None])
def test_a_refresh_of_a_call_that_nobody_knows_any_more_ends_it(status: int | None) -> None:
    agent = timed()
    called(agent)
    refresh = sent(agent.tick(900.2))[0]
    outputs = agent.receive(response(refresh, status), PEER, 901.0) if status else agent.tick(935.0)
    gone(agent, outputs, 935.0)


def gone(agent: Agent, outputs: list[Output], now: float) -> None:
    """The call's end has just been told, and nothing stays of it."""
    expired = told(outputs, SessionExpired)
    assert len(expired) == 1
    assert isinstance(expired[0], SessionExpired) and "refresh" in expired[0].words
    assert b"BYE" in methods(outputs)
    outputs = agent.tick(now + 65)
    assert told(outputs, ByeAnswered) and agent.state("call") is SessionState.GONE
    agent.tick(now + 200)
    assert agent.next_due() is None


def asked_until(agent: Agent, end: float, status: int, *more: str) -> tuple[list[float], list[Output]]:
    """Every refresh is answered so until then: when each was sent, and what came of the last moment."""
    asked: list[float] = []
    outputs: list[Output] = []
    while not told(outputs, SessionExpired) and (due := agent.next_due()) is not None and due <= end:
        outputs = agent.tick(due)
        for data in [data for data in sent(outputs) if data.split()[0] in (b"INVITE", b"UPDATE")]:
            asked.append(due)
            agent.receive(response(data, status, more=more), PEER, due)
    return asked, outputs


@pytest.mark.parametrize("status", [404, 410, 478, 480, 486, 491, 500, 503, 504])
def test_who_is_not_to_be_had_is_asked_again_until_the_sessions_end(status: int) -> None:
    agent = timed()
    called(agent)
    asked, outputs = asked_until(agent, 1800.2, status)
    assert asked[0] == pytest.approx(900.1)
    assert all(2 <= later - earlier < 226 for earlier, later in pairwise(asked))
    assert 1790 < asked[-1] < 1800.1
    assert agent.state("call") is not SessionState.UP
    gone(agent, outputs, 1800.1)


def test_a_telephone_that_connects_anew_keeps_its_call() -> None:
    agent = timed()
    called(agent)
    first = sent(agent.tick(900.2))[0]
    assert not told(agent.receive(response(first, 478), PEER, 900.3), SessionExpired)
    again = sent(agent.tick(1126.0))[0]
    agent.receive(response(again, 200, body=ANSWER), PEER, 1126.1)
    assert methods(agent.tick(2026.0)) == []
    assert methods(agent.tick(2026.2)) == [b"INVITE"]


def test_a_refresh_that_could_not_be_sent_is_sent_again() -> None:
    agent = timed()
    called(agent)
    to = sends(agent.tick(900.2))[0].to
    assert not told(agent.undeliverable(to, 900.3), SessionExpired)
    assert methods(agent.tick(1126.0)) == [b"INVITE"]


def test_who_says_when_to_come_again_is_left_alone_until_then() -> None:
    agent = timed()
    called(agent)
    asked, _ = asked_until(agent, 960.0, 503, "Retry-After: 20 (connecting);duration=3600")
    assert asked == pytest.approx([900.1, 920.1, 940.1])
    agent = timed()
    called(agent)
    asked, outputs = asked_until(agent, 1800.2, 503, "Retry-After: 3600")
    assert len(asked) == 1
    gone(agent, outputs, 1800.1)


def test_a_peer_that_does_not_know_of_timers_is_asked_all_the_same() -> None:
    agent = timed()
    session, answer = up(agent, "Allow: INVITE, UPDATE")
    assert header(answer, "Session-Expires") == header(answer, "Require") == []
    outputs = agent.tick(900.2)
    assert methods(outputs) == [b"UPDATE"]
    # It knows of no UPDATE after all: then by re-INVITE, from now on.
    outputs = agent.receive(response(sent(outputs)[0], 405), PEER, 901.0)
    assert methods(outputs) == [b"INVITE"]
    assert sent(outputs)[0].endswith(told_as(ANSWER, 1, NUMBER).encode())
    agent.receive(response(sent(outputs)[0], 488), PEER, 902.0)
    assert agent.state(session) is SessionState.UP
    assert methods(agent.tick(1802.1)) == [b"INVITE"]


def test_a_refresh_waits_while_an_offer_is_open_and_after_glare() -> None:
    agent = timed()
    _, answer = up(agent)
    agent.receive(invite(branch="z9hG4bKi", cseq=2, to_tag=ours(answer)), PEER, 899.0)
    assert methods(agent.tick(900.2)) == []
    agent = timed()
    called(agent)
    refresh = sent(agent.tick(900.2))[0]
    outputs = agent.receive(response(refresh, 491), PEER, 901.0)
    assert methods(outputs) == [b"ACK"]
    assert methods(agent.tick(904.0)) == []
    assert methods(agent.tick(904.1)) == [b"INVITE"]


def test_a_peer_that_is_to_refresh_and_does_not_is_dead() -> None:
    agent = timed()
    session, answer = up(agent, TIMER, "Session-Expires: 120;refresher=uac")
    assert header(answer, "Session-Expires") == ["120;refresher=uac"]
    assert header(answer, "Require") == ["timer"]
    tag = ours(answer)
    # It refreshes twice, once by UPDATE and once by re-INVITE.
    more = (TIMER, "Session-Expires: 120;refresher=uac")
    outputs = agent.receive(request("UPDATE", branch="z9hG4bKu", cseq=2, to_tag=tag, more=more), PEER, 60.0)
    assert header(sent(outputs)[0], "Session-Expires") == ["120;refresher=uac"]
    agent.receive(invite(branch="z9hG4bKi", cseq=3, to_tag=tag, more=more), PEER, 120.0)
    outputs = agent.accept_reoffer(session, sdp=ANSWER, now=120.0)
    assert header(sent(outputs)[0], "Session-Expires") == ["120;refresher=uac"]
    agent.receive(request("ACK", branch="z9hG4bKj", cseq=3, to_tag=tag), PEER, 120.1)
    assert not told(agent.tick(207.0), SessionExpired)
    outputs = agent.tick(208.1)
    assert told(outputs, SessionExpired) and methods(outputs) == [b"BYE"]


@pytest.mark.parametrize(
    ("lines", "expires", "refresher"),
    [
        ((TIMER,), "1800", "uas"),
        ((TIMER, "Session-Expires: 300"), "300", "uas"),
        ((TIMER, "Session-Expires: 300;refresher=UAS"), "300", "uas"),
        ((TIMER, "Session-Expires: 9000;refresher=uac"), "1800", "uac"),
        ((TIMER, "Session-Expires: 9000", "Min-SE: 3600"), "3600", "uas"),
        ((TIMER, "Session-Expires: nonsense", "Min-SE: x"), "1800", "uas"),
        ((TIMER, "Min-SE: 4000"), "4000", "uas"),
    ],
)
def test_what_a_caller_asks_for_is_granted_as_far_as_it_goes(lines: tuple[str, ...], expires: str, refresher: str) -> None:
    _, answer = up(timed(), *lines)
    assert header(answer, "Session-Expires") == [f"{expires};refresher={refresher}"]
    assert header(answer, "Require") == ["timer"]


def test_too_brief_a_session_is_refused_to_who_can_ask_again() -> None:
    outputs = timed().receive(invite(more=(TIMER, "Session-Expires: 60")), PEER, 0.0)
    assert statuses(outputs) == [422]
    assert header(sent(outputs)[0], "Min-SE") == ["90"]
    assert told(timed().receive(invite(more=("Session-Expires: 60",)), PEER, 0.0), InviteReceived)
    assert told(an_agent().receive(invite(more=(TIMER, "Session-Expires: 60")), PEER, 0.0), InviteReceived)
    agent = timed()
    _, answer = up(agent)
    more = (TIMER, "Session-Expires: 60")
    assert statuses(agent.receive(request("UPDATE", branch="z9hG4bKu", cseq=2, to_tag=ours(answer), more=more), PEER, 1.0)) == [422]


def test_after_422_we_call_again_with_what_the_peer_wants() -> None:
    agent = timed()
    first = calling(agent)
    outputs = agent.receive(response(first, 422, more=("Min-SE: 3600",)), PEER, 0.1)
    assert methods(outputs) == [b"ACK", b"INVITE"]
    again = sent(outputs)[1]
    assert header(again, "CSeq") == ["2 INVITE"]
    assert header(again, "Call-ID") == header(first, "Call-ID") and header(again, "From") == header(first, "From")
    assert header(again, "Session-Expires") == ["3600"] and header(again, "Min-SE") == ["3600"]
    # A peer that is told what it wants and refuses it, or always wants more, has refused the call.
    outputs = agent.receive(response(again, 422, more=("Min-SE: 3600",)), PEER, 0.2)
    assert told(outputs, RefusalReceived)
    agent = timed()
    data, asked = calling(agent), 1
    while methods(outputs := agent.receive(response(data, 422, more=(f"Min-SE: {3600 + asked}",)), PEER, 0.3)) != [b"ACK"]:
        data, asked = sent(outputs)[1], asked + 1
        assert asked < 10
    assert asked == 3
    agent = timed()
    outputs = agent.receive(response(calling(agent), 422), PEER, 0.1)
    assert told(outputs, RefusalReceived)


def test_a_cancelled_call_is_not_made_again() -> None:
    agent = timed()
    data = calling(agent)
    agent.receive(response(data, 180), PEER, 0.1)
    agent.cancel("call", now=0.2)
    outputs = agent.receive(response(data, 422, more=("Min-SE: 3600",)), PEER, 0.3)
    assert methods(outputs) == [b"ACK"]
    assert told(outputs, RefusalReceived)


def test_a_refresh_that_is_too_brief_is_made_longer() -> None:
    agent = timed()
    called(agent)
    outputs = agent.receive(response(sent(agent.tick(900.2))[0], 422, more=("Min-SE: 4000",)), PEER, 901.0)
    assert methods(outputs) == [b"ACK", b"INVITE"]
    assert header(sent(outputs)[1], "Session-Expires") == ["4000;refresher=uac"]


def test_two_agents_keep_their_call_for_hours_and_notice_a_death() -> None:
    line = Line(session_timers=TIMERS)
    session = talking(line)
    line.ben.reactions[ReofferReceived] = lambda fact: line.ben.agent.accept_reoffer(fact.session, sdp=ANSWER, now=line.now)
    line.run(4 * 3600)
    assert line.anna.agent.state("call") is line.ben.agent.state(session) is SessionState.UP
    assert not line.anna.told(ReofferAnswered)
    # Ben's telephone loses its power.
    line._people.pop(line.ben.address)
    line.run(3600)
    assert line.anna.told(SessionExpired)
    assert line.anna.the(ByeAnswered).status == 408


def test_a_call_that_is_over_is_not_refreshed() -> None:
    line = Line(session_timers=TIMERS)
    talking(line)
    line.anna.does("bye", "call")
    line.run(100)
    assert line.anna.agent.next_due() is None and line.ben.agent.next_due() is None


@pytest.mark.parametrize("said", ["Session-Expires: 86400;refresher=uas", "Session-Expires: 86400"])
def test_a_peer_that_would_be_silent_for_a_day_is_asked_meanwhile(said: str) -> None:
    agent = timed()
    called(agent, said, "Require: timer", "Allow: INVITE, UPDATE")
    assert methods(agent.tick(900.0)) == []
    assert methods(agent.tick(900.2)) == [b"UPDATE"]


def test_a_caller_that_would_be_silent_for_a_day_is_asked_meanwhile() -> None:
    agent = timed()
    _, answer = up(agent, TIMER, "Session-Expires: 86400;refresher=uac", "Min-SE: 86400", "Allow: INVITE, UPDATE")
    assert header(answer, "Session-Expires") == ["86400;refresher=uac"]
    assert methods(agent.tick(901.0)) == [b"UPDATE"]


def test_an_offer_that_stays_open_does_not_keep_a_call_for_ever() -> None:
    agent = timed()
    session, answer = up(agent)
    agent.receive(request("INVITE", branch="z9hG4bKr", cseq=2, to_tag=ours(answer), body=OFFER), PEER, 1.0)
    outputs = [output for second in range(890, 1820) for output in agent.tick(float(second))]
    assert told(outputs, SessionExpired)
    assert agent.state(session) is not SessionState.UP
