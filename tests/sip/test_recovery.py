"""A call that another life of the process set up is hung up from its note."""

import json
from dataclasses import asdict

import pytest

from offhook.sip.agent import Agent, SessionRefuses
from offhook.sip.facts import ByeReceived, ResponseReceived
from offhook.sip.notes import DialogNote
from tests.sip.lines import Line, Person, ringing, talking
from tests.sip.raw import an_agent, answered, header, sends


def another_life(person: Person) -> None:
    """The process dies without a word and a new one takes its address."""
    words = iter(range(1, 1000))
    person.agent = Agent(local=person.address, user_agent=person.name, tokens=lambda: f"new{next(words)}")
    person.facts.clear()


def through_json(note: DialogNote) -> DialogNote:
    return DialogNote(**json.loads(json.dumps(asdict(note))))


@pytest.mark.parametrize("caller", [True, False])
def test_a_new_life_hangs_up_what_the_old_one_set_up(caller: bool) -> None:
    line = Line()
    session = talking(line)
    dead, other, name = (line.anna, line.ben, "call") if caller else (line.ben, line.anna, session)
    note = through_json(dead.agent.remembered(name))
    for _ in range(20):
        dead.does("info", name, content_type="a/b", body=b"5")
        line.run(1)
    another_life(dead)
    dead.takes(dead.agent.bye_for(note, [("Reason", "Q.850;cause=41")], line.now))
    line.run(5)
    farewell = other.the(ByeReceived).request
    assert farewell.headers.get("Reason") == "Q.850;cause=41"
    assert dead.the(ResponseReceived).status == 200
    assert dead.the(ResponseReceived).key == note.local_tag


def test_a_farewell_goes_by_the_routes_of_the_call() -> None:
    agent = an_agent()
    session, _ = answered(agent, more=("Record-Route: <sip:192.0.2.7:5071;lr>, <sip:192.0.2.8;lr>",))
    note = through_json(agent.remembered(session))
    bye = sends(an_agent().bye_for(note, (), 9.0))[0]
    assert bye.to.host == "192.0.2.7"
    assert bye.data.startswith(b"BYE sip:peer@192.0.2.9:5070 SIP/2.0")
    assert header(bye.data, "Route") == ["<sip:192.0.2.7:5071;lr>", "<sip:192.0.2.8;lr>"]


def test_a_farewell_to_a_call_nobody_knows_ends_too() -> None:
    line = Line()
    session = talking(line)
    note = line.anna.agent.remembered("call")
    line.ben.agent.forget(session)
    another_life(line.anna)
    line.anna.takes(line.anna.agent.bye_for(note, (), line.now))
    line.run(5)
    assert line.anna.the(ResponseReceived).status == 481


def test_only_a_dialog_is_remembered() -> None:
    agent = an_agent()
    with pytest.raises(SessionRefuses):
        agent.remembered("nobody")
    line = Line()
    line.anna.calls(line.ben)
    with pytest.raises(SessionRefuses):
        line.anna.agent.remembered("call")


def test_a_session_is_found_by_its_dialog_while_it_lives() -> None:
    line = Line()
    session = ringing(line)
    note = line.ben.agent.remembered(session)
    find = line.ben.agent.session_of
    assert find(note.call_id, note.local_tag, note.remote_tag) == session
    assert find(note.call_id, note.remote_tag, note.local_tag) is None
    line.ben.does("refuse", session, status=486)
    assert find(note.call_id, note.local_tag, note.remote_tag) is None
