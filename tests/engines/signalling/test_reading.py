"""What is read from SIP messages: whatever is in them, it is read or left out, and never an exception."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from sipmessage import URI, Request

from offhook.domain.media import Direction
from offhook.domain.routing import Source
from offhook.engines.signalling.reading import _read, caller_of, description_of, dialled_in, digit_of
from tests.engines.signalling.far_end import OFFER

text = some.text(some.characters(blacklist_characters="\r\n"), max_size=60)
near = some.sampled_from(
    ["<sip:", "tel:+1", "@", ";", '"', "\\", "%", "%0d%0a", "]", "[::1]", "anna", ">", ",", " ", ":", "=", "id", "phone", "carrier"]
)
value = some.one_of(text, some.lists(near, max_size=12).map("".join))
sdp_line = some.one_of(
    text,
    some.sampled_from(
        ["v=0", "m=audio 4000 RTP/AVP 0 8", "c=IN IP4 x", "a=rtpmap:96", "a=rtpmap:0 PCMU/8000", "a=sendonly", "m=audio 0 x"]
    ),
)


def invite(uri: str = "sip:102@lumen.test", body: bytes = b"", **headers: str) -> Request:
    request = Request("INVITE", URI.parse(uri))
    for name, content in headers.items():
        request.headers.add(name.replace("_", "-"), content)
    request.body = body
    return request


@settings(max_examples=150, deadline=None)
@given(value, value, value, value)
def test_any_headers_make_some_caller(asserted: str, claimed: str, source: str, privacy: str) -> None:
    caller = caller_of(invite(P_Asserted_Identity=asserted, From=claimed, X_Offhook_Source=source, Privacy=privacy))
    assert caller.source in Source
    assert caller.name.isprintable() and len(caller.name) <= 64


@settings(max_examples=150, deadline=None)
@given(some.one_of(value, some.lists(sdp_line, max_size=8).map("\r\n".join).map(lambda lines: "v=0\r\n" + lines)))
def test_any_description_describes_something(said: str) -> None:
    description = description_of(said)
    assert description_of(description.text) == description, "what was written anew is read as the same"
    assert "telephone-event" not in description.codecs


GOOD = "o=- 1 1 IN IP4 127.0.0.1"
port = some.sampled_from(["4000", "9", "65535"]) | some.sampled_from(
    ["65536", "0", "04000", "4000/2", "²", "-1", "", "999999", "4000 9", " 4000"]
)
near_line = some.sampled_from(
    [
        "a=sendonly", "a=rtcp:4001", "m=video 5000 RTP/AVP 31", "m=AUDIO 7 RTP/AVP 0", "c=IN IP6 ::9", "c=IN IP4 0.0.0.0", "no line", "",
        "o=- 9 9 IN IP4 127.0.0.9", "a=x\rm=audio 7 RTP/AVP 0", "a=rtpmap:9 G722/8000", "b=AS:64", "\n", "a=x:m=audio 9 RTP/AVP",
    ]
)  # fmt: skip
origin = some.just(GOOD) | some.sampled_from(["o=x", "s=-", "o=- 2 2 IN IP4 a\x85b", "o=- ٣ 1 IN IP4 x", ""])


@settings(max_examples=400, deadline=None)
@example(GOOD, "4000", ["m=AUDIO 7 RTP/AVP 0"], [], "\r\n")
@given(origin, port, some.lists(near_line, max_size=3), some.lists(near_line, max_size=4), some.sampled_from(["\r\n", "\r\n", "\n"]))
def test_a_form_read_before_tells_what_reading_it_all_would_tell(
    first: str, number: str, above: list[str], below: list[str], end: str
) -> None:
    audio = [f"m=audio {number} RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000"]
    said = end.join(["v=0", first, "s=-", "c=IN IP4 127.0.0.1", "t=0 0", *above, *audio, *below, ""])
    assert description_of(said) == _read(said)


@settings(max_examples=150, deadline=None)
@given(value, some.binary(max_size=300))
def test_any_info_is_a_key_or_none(kind: str, body: bytes) -> None:
    for content_type in (kind, "application/dtmf", "application/dtmf-relay;x=y"):
        digit = digit_of(invite(body=body, Content_Type=content_type))
        assert digit is None or digit in "0123456789*#ABCD"


def test_a_telephone_is_only_who_the_edge_vouches_for() -> None:
    caller = caller_of(invite(From="<sip:boss@lumen.test>;tag=1", X_Offhook_Source="phone"))
    assert (caller.source, caller.username, caller.domain) == (Source.PHONE, "", "")


def test_an_unknown_source_is_a_telephone_nobody_vouches_for() -> None:
    caller = caller_of(invite(From="<sip:boss@lumen.test>;tag=1", X_Offhook_Source="trusted friend"))
    assert (caller.source, caller.username) == (Source.PHONE, "")


@pytest.mark.parametrize(
    ("uri", "dialled"),
    [
        ("sip:102@lumen.test", "102"),
        ("sip:lumen.test", ""),
        ("sip:%31%30%32@lumen.test", "102"),
        ("sip:+12065550100;phone-context=x@lumen.test;user=phone", "+12065550100"),
        ("sip:*55%23@lumen.test", "*55#"),
        ("sip:" + "9" * 4000 + "@lumen.test", "9" * 4000),
    ],
)
def test_what_was_dialled(uri: str, dialled: str) -> None:
    assert dialled_in(invite(uri)) == dialled


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal= 5 \r\nDuration=160", "5"),
        ("Application/DTMF-Relay; x=1", b"Duration=160\nsignal=10", "*"),
        ("application/dtmf", b"11\r\n", "#"),
        ("application/dtmf", b"a", "A"),
        ("application/dtmf", b"12", None),
        ("application/dtmf-relay", b"Duration=160", None),
        ("text/plain", b"5", None),
    ],
)
def test_keys_of_both_kinds(kind: str, body: bytes, digit: str | None) -> None:
    assert digit_of(invite(body=body, Content_Type=kind)) == digit


def test_codecs_have_one_spelling_and_a_closed_port_speaks_nothing() -> None:
    offer = OFFER.replace("0 8 101", "96 0 101") + "a=rtpmap:96 OPUS/48000/2\r\na=sendonly\r\n"
    assert description_of(offer).codecs == ("opus", "PCMU")
    assert description_of(offer).direction is Direction.SENDS
    assert description_of(OFFER.replace("audio 4000", "audio 0")).codecs == ()
    assert description_of(None).codecs == ()
