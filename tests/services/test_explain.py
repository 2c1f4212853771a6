"""What is told of a call, word for word: these texts are read by people who have to act on them."""

from collections.abc import Callable
from dataclasses import fields

import pytest

from offhook.domain.calls import commands, events
from offhook.domain.calls.endings import ENDINGS
from offhook.services.explain import Explanation, explain
from offhook.services.ladder import ladder, without_secrets
from offhook.services.ports.records import Trace
from offhook.services.steps import STEP_WORDS, step_words
from tests.services import told_calls

HEADLINES = {
    told_calls.talked: "101 called 102 and reached Ben's phone for 0:32: they talked, and the called side hung up.",
    told_calls.busy: "101 called 102: every telephone of the called person was busy.",
    told_calls.said_goodbye: (
        "+12065550199 called +12065550100 and reached an attendant for 0:12: "
        "the caller pressed no key that the attendant knows, and the attendant said goodbye."
    ),
    told_calls.unreadable: "101 called abc: what was dialled is no extension, no emergency number and can be no telephone number.",
    told_calls.media_engine_refused: "101 called 102: the media engine refused what it was asked.",
    told_calls.held_now: "101 called 102 and reached Ben's phone; the call goes on (held).",
}


@pytest.mark.parametrize("story", HEADLINES, ids=lambda story: story.__name__)
def test_the_headline_says_in_one_sentence_what_became_of_the_call(story: Callable[[], Trace]) -> None:
    assert explain(story()).headline == HEADLINES[story]


def test_a_call_of_two_telephones_is_told_step_by_step() -> None:
    told = explain(told_calls.talked())
    assert "\n".join(f"{step.milliseconds:>6} {step.text}" for step in told.steps) == (
        "     0 Anna's phone called 102\n"
        "     1 It was decided where the call goes\n"
        "     1 Looked for the telephones of ben@lumen.test\n"
        "     2 Registered: Ben's phone, Ben's softphone\n"
        "     4 Called Ben's phone\n"
        "     4 Called Ben's softphone\n"
        "    50 Ben's phone rings\n"
        "    50 Told Anna's phone that it rings\n"
        "    60 Ben's softphone rings\n"
        "  2100 Ben's phone answered\n"
        "  2100 Ben's softphone was let go (leg.answered_elsewhere)\n"
        "  2110 Answered Anna's phone\n"
        "  2130 Anna's phone acknowledged the answer\n"
        " 34400 Ben's phone hung up\n"
        " 34400 Anna's phone was let go (completed.by_callee)"
    )
    assert told.recognised == "Anna Lind (anna@lumen.test), by password, from udp:127.0.0.1:5071"
    assert [(decision.outcome, decision.code) for decision in told.decisions] == [
        ("lost", "emergency.no_match"),
        ("noted", "caller.recognised"),
        ("chosen", "number.extension_matched"),
    ]
    assert told.revision == 7
    assert told.findings == (told_calls.ONE_WAY,)


LADDER = """\
           caller                                   offhook                                      leg 1     leg 2
     0 ms  |-- INVITE sip:102@lumen.test +SDP -------->|                                           |         |
     0 ms  |<-- 100 Trying (INVITE) -------------------|                                           |         |
     4 ms  |                                           |-- INVITE sip:ben@127.0.0.1:5082 +SDP ---->|         |
     4 ms  |                                           |-- INVITE sip:ben@127.0.0.1:5083 +SDP -------------->|
    50 ms  |                                           |<-- 180 Ringing (INVITE) ------------------|         |
    50 ms  |<-- 180 Ringing (INVITE) ------------------|                                           |         |
   504 ms  |                                           |-- (again) INVITE sip:ben@127.0.0.1:508… ----------->|
  2100 ms  |                                           |<-- 200 OK (INVITE) +SDP ------------------|         |
  2100 ms  |                                           |-- CANCEL sip:ben@127.0.0.1:5083 ------------------->|
  2110 ms  |<-- 200 OK (INVITE) +SDP ------------------|                                           |         |
  2130 ms  |-- ACK sip:127.0.0.1:5060 ---------------->|                                           |         |
 34400 ms  |                                           |<-- BYE sip:127.0.0.1:5060 ----------------|         |"""


def test_the_ladder_shows_every_message_who_sent_it_and_which_ones_came_again() -> None:
    assert "\n".join(explain(told_calls.talked()).ladder) == LADDER


def test_there_is_no_ladder_without_messages_and_a_message_of_an_unknown_leg_is_not_lost() -> None:
    assert ladder([], ["c.0"]) == []
    (_, row) = ladder([told_calls.message(0, 5, "in", "OPTIONS sip:x SIP/2.0", "1 OPTIONS")], ["c.0"])
    assert row.endswith("OPTIONS sip:x")


def test_a_telephone_that_sends_no_sound_is_told_with_what_to_check() -> None:
    assert explain(told_calls.talked()).media == (
        "Anna's phone sent 1614 packets of audio in PCMU from 127.0.0.1:4000.",
        "Quality of the sound from Anna's phone: excellent (MOS 4.4 of 4.5); 0.0 % of its packets lost; jitter 2 ms; round trip 1 ms.",
        "Ben's phone sent no audio: its SDP said 10.0.0.5:4000, packets never came. "
        "Check its microphone, whether it was on hold, and whether its network lets UDP out to this server.",
    )


def test_nobody_is_blamed_for_silence_before_the_answer() -> None:
    assert explain(told_calls.busy()).media == ()


def test_sound_behind_an_address_translator_and_of_bad_quality_says_so() -> None:
    assert explain(told_calls.said_goodbye()).media == (
        "+12065550199 through sandbox sent 600 packets of audio in PCMU from 203.0.113.7:61000; its SDP said 10.9.8.7:4000, "
        "so an address translator (NAT) stands between, and that was dealt with.",
        "Quality of the sound from +12065550199 through sandbox: bad: nearly all would complain (MOS 2.9 of 4.5); "
        "4.5 % of its packets lost, which people hear.",
    )


def test_quality_nobody_reported_is_not_measured_rather_than_zero() -> None:
    told = explain(told_calls.held_now())
    assert told.media == (
        "Anna's phone sent 300 packets of audio in PCMU from 127.0.0.1:4000.",
        "Anna's phone stopped sending audio: its last packet came 8 s ago. "
        "Check for hold, mute with silence suppression, or a lost network.",
        "Quality of the sound from Anna's phone not measured: no telephone sent RTCP reports about it.",
    )
    assert [step.text for step in told.steps][-2:] == ["Anna's phone put the other side on hold", "Ben's phone hears music"]
    assert told.ending is None


def test_a_conversation_whose_figures_the_engine_lost_says_so() -> None:
    assert explain(told_calls.talked() | {"media": []}).media == ("The media engine gave no figures for this call.",)


def test_an_attendant_is_told_with_what_it_said_and_what_was_pressed() -> None:
    assert [step.text for step in explain(told_calls.said_goodbye()).steps[4:8]] == [
        "+12065550199 through sandbox hears: “Welcome to Lumen Works.”",
        "+12065550199 through sandbox pressed 7 (sent in the sound)",
        "+12065550199 through sandbox hears: “There is nothing behind this key.”",
        "The announcement ended",
    ]


def test_a_command_that_failed_says_which_and_why() -> None:
    assert explain(told_calls.media_engine_refused()).steps[-1].text == "Could not do it: offer media for Ben's phone: Unknown codec"


@pytest.mark.parametrize("code", ENDINGS)
def test_every_ending_is_explained_from_its_row(code: str) -> None:
    told = explain(told_calls.told(code, ["Anna's phone"]))
    assert told.ending is not None
    assert (told.ending.explanation, told.ending.remedy) == (ENDINGS[code].explanation, ENDINGS[code].remedy)
    assert told.headline.lower().endswith(ENDINGS[code].explanation.lower())


def test_every_event_and_command_the_switch_has_is_told_in_words() -> None:
    kinds = {
        kind.__name__
        for module, base in ((events, events.Event), (commands, commands.Command))
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, base)
    }
    assert kinds - set(STEP_WORDS) == {"Event", "LegEvent", "Command", "LegCommand"}


def test_a_kind_of_step_nobody_has_words_for_is_told_by_its_name() -> None:
    assert step_words("QueueJoined", "Anna's phone", {}) == "Queue joined (Anna's phone)"


def test_every_row_of_words_copes_with_a_step_that_has_no_detail() -> None:
    for name in STEP_WORDS:
        assert "{" not in step_words(name, "Anna's phone", {})


SECRETS = (
    'Authorization: Digest username="anna",\r\n response="f00d"\r\n',
    'proxy-authorization :Digest response="f00d"\r\n',
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:f00d\r\n",
    "a=ice-pwd:f00d\r\n",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_of_a_message_is_shown(secret: str) -> None:
    trace = told_calls.talked()
    trace["messages"][0]["text"] = f"INVITE sip:102@lumen.test SIP/2.0\r\nCSeq: 1 INVITE\r\n{secret}Content-Length: 0\r\n\r\n"
    shown = explain(trace)
    assert "f00d" not in str(shown)
    assert "(not shown)" in shown.messages[0].text
    assert "Content-Length: 0" in shown.messages[0].text


def test_a_message_without_secrets_stays_as_it_is() -> None:
    text = told_calls.message(0, 0, "in", "INVITE sip:102@lumen.test SIP/2.0", sdp=True)["text"]
    assert without_secrets(text) == text


def test_a_call_nobody_knows_anything_of_is_still_explained() -> None:
    bare = told_calls.told("caller.unknown", [], caller="", dialled="", reasons=[], revision=None)
    told = explain(bare)
    assert told.headline.startswith("Somebody called nothing that can be read: ")
    assert told.recognised.startswith("Nobody")
    assert {field.name for field in fields(Explanation)} >= {"ladder", "media", "ending"}
