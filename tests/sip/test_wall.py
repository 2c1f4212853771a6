"""What gets through the wall, and what is answered to what does not."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from sipmessage import Request, Response

from offhook.sip.addresses import Address
from offhook.sip.dialogs import contact_uri
from offhook.sip.reading import tag_in
from offhook.sip.wall import (
    Envelope,
    Malformed,
    _is_party,
    _opened,
    _party_tag,
    _read_as,
    _Refused,
    _tidy,
    open_envelope,
    read,
)
from tests.sip.raw import PEER, header, invite, message, request

TCP = PEER._replace(transport="tcp")
GOOD = request("OPTIONS")


def refused(data: bytes) -> Malformed:
    found = read(data, PEER)
    assert isinstance(found, Malformed)
    return found


def test_a_good_request_and_a_good_response() -> None:
    found = read(invite(), PEER)
    assert isinstance(found, Request)
    assert (found.method, found.uri.user, found.cseq.sequence) == ("INVITE", "anna", 1)
    answer = read(GOOD.replace(b"OPTIONS sip:anna@127.0.0.1:7001 SIP/2.0", b"SIP/2.0 200 All right then"), PEER)
    assert isinstance(answer, Response)
    assert (answer.code, answer.phrase) == (200, "All right then")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"SIP/2.0\r\n", b"SIP/3.0\r\n", 505),
        (b"OPTIONS sip:anna@127.0.0.1:7001", b"OPTIONS http://lumen.test/", 416),
        (b"OPTIONS sip:anna@127.0.0.1:7001", b"OPTIONS nothing", 400),
        (b"OPTIONS sip:anna@127.0.0.1:7001", b"OPTIONS sip:a b@c", 400),
        (b"OPTIONS sip:anna@127.0.0.1:7001", b"OPTIONS sip:a@127.0.0.1;self=1", 400),
        (b"OPTIONS sip:anna@127.0.0.1:7001", b"OPTIONS tel:+" + b"1" * 15_000, 414),
        (b"OPTIONS sip:anna@127.0.0.1:7001", b"OPTIONS sip:" + b"1" * 2_000 + b"@b", 414),
        (b"OPTIONS sip:anna", b"OPT\xe9IONS sip:anna", 400),
        (b"Call-ID: raw\r\n", b"", 400),
        (b"CSeq: 1 OPTIONS\r\n", b"", 400),
        (b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE", 400),
        (b"CSeq: 1 OPTIONS", b"CSeq: one OPTIONS", 400),
        (b"CSeq: 1 OPTIONS", b"CSeq: 2147483648 OPTIONS", 400),
        (b"CSeq: 1 OPTIONS", b"CSeq: 1", 400),
        (b"CSeq: 1 OPTIONS", b"CSeq: 1 OPTIONS\r\nCSeq: 1 OPTIONS", 400),
        (b"Call-ID: raw", b"Call-ID: raw\r\ni: other", 400),
        (b"Content-Length: 0", b"Content-Length: 5", 400),
        (b"Content-Length: 0", b"Content-Length: -1", 400),
        (b"Content-Length: 0", "Content-Length: ²".encode(), 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nno header line", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\nX-Smuggled: 1", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\rX-Smuggled: 1", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nSubject: \x1b[2J", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nContent-Type: a/b\r\nc: c/d", 400),
        (b"From: <sip:peer@192.0.2.9>;tag=theirs", b"From: nobody", 400),
        (b"From: <sip:peer@192.0.2.9>;tag=theirs", b'From: "Mr. <sip:peer@192.0.2.9>;tag=theirs', 400),
        (b"From: <sip:peer@192.0.2.9>;tag=theirs", b"From: <sip:peer@192.0.2.9;tag=theirs", 400),
        (b"From: <sip:peer@192.0.2.9>;tag=theirs", b"From: <sip:peer@192.0.2.9>;tag=one, <sip:b@c>;tag=two", 400),
        (b"\r\n\r\n", b"\r\n", 400),
        (b"Max-Forwards: 70", b"X-Long: " + b"a" * 20_000, 513),
        (b"\r\n\r\n", b"\r\n\r\n" + b"a" * 70_000, 513),
    ],
)
def test_what_is_wrong_is_answered_with_its_status(old: bytes, new: bytes, status: int) -> None:
    assert old in GOOD
    found = refused(GOOD.replace(old, new, 1))
    assert found.status == status
    assert found.answer is not None
    assert found.answer.startswith(b"SIP/2.0 %d " % status)
    assert header(found.answer, "Via") == ["SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;received=192.0.2.9;rport=5070"]


def test_the_answer_has_every_header_it_needs_and_no_control_characters() -> None:
    found = refused(GOOD.replace(b"From: <sip", b'From: "\x1b[2J\nX" <sip'))
    assert header(found.answer or b"", "From") == ['"[2JX" <sip:peer@192.0.2.9>;tag=theirs']


def test_the_answer_to_a_repeated_fault_is_the_same_letter_by_letter() -> None:
    bad = GOOD.replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE")
    assert refused(bad).answer == refused(bad).answer
    assert b";tag=" in (refused(bad).answer or b"")


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace(b"OPTIONS", b"ACK").replace(b"Call-ID: raw\r\n", b""),
        GOOD.replace(b"OPTIONS sip:anna@127.0.0.1:7001 SIP/2.0", b"SIP/2.0 99 No"),
        GOOD.replace(b"OPTIONS sip:anna@127.0.0.1:7001 SIP/2.0", b"SIP/2.0 700 No"),
        GOOD.replace(b"OPTIONS sip:anna@127.0.0.1:7001 SIP/2.0", b"SIP/2.0 200"),
        GOOD.replace(b"OPTIONS sip:anna@127.0.0.1:7001 SIP/2.0", b"SIP/2.0 200 OK").replace(b"Content-Length: 0", b"Content-Length: 9"),
        GOOD.replace(b"Via: ", b"Weg: "),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET / HTTP/1.1\r\nHost: lumen.test\r\n\r\n",
        b"x",
    ],
)
def test_acks_responses_and_noise_are_dropped_without_a_word(data: bytes) -> None:
    assert refused(data).answer is None


def test_keep_alives_get_their_pong_on_a_connection_only() -> None:
    assert read(b"\r\n\r\n", TCP) == Malformed(0, "keep-alive", b"\r\n")
    assert read(b"\r\n\r\n", PEER) == Malformed(0, "keep-alive", None)
    assert read(b"\r\n", TCP).answer is None  # type: ignore[union-attr]


def test_folded_lines_compact_names_blanks_and_latin_1_are_understood() -> None:
    data = (
        GOOD.replace(b"Call-ID: raw", b"i  :\r\n raw")
        .replace(b"From: <sip", b'f: "J\xf6rg"\r\n\t<sip')
        .replace(b"Via:", b"v:")
        .replace(b"Max-Forwards: 70\r\n", b"")
    )
    found = open_envelope(b"\r\n" + data, PEER)
    assert not isinstance(found, Malformed), found
    assert (found.call_id, found.from_tag, found.branch) == ("raw", "theirs", "z9hG4bK1")
    assert found.message.headers["From"] == '"Jörg" <sip:peer@192.0.2.9>;tag=theirs'


def test_a_longer_body_is_cut_and_a_missing_length_means_all() -> None:
    longer = message("OPTIONS sip:a@b SIP/2.0", *GOOD.decode().split("\r\n")[1:7], body="abc") + b"def"
    found = read(longer, PEER)
    assert isinstance(found, Request) and found.body == b"abc"
    whole = read(longer.replace(b"Content-Length: 3\r\n", b""), PEER)
    assert isinstance(whole, Request) and whole.body == b"abcdef"


def test_quotes_and_brackets_within_a_quoted_name_are_part_of_it() -> None:
    data = GOOD.replace(b"From: <sip", b'From: "A \\"b\\" <sip:x@y>;tag=no, \\\\" <sip')
    found = open_envelope(data, PEER)
    assert not isinstance(found, Malformed), found
    assert found.from_tag == "theirs"


def test_a_feature_code_is_understood_as_it_is_dialled() -> None:
    found = read(GOOD.replace(b"sip:anna@", b"sip:*21#@"), PEER)
    assert isinstance(found, Request) and found.uri.user == "*21#"


def test_an_ipv6_peer_gets_its_answer() -> None:
    source = Address("::1", 5070)
    data = GOOD.replace(b"192.0.2.9:5070;rport", b"[::1]:5070;rport").replace(b"CSeq: 1", b"CSeq: x")
    answer = read(data, source)
    assert isinstance(answer, Malformed) and answer.answer is not None
    assert header(answer.answer, "Via") == ["SIP/2.0/UDP [::1]:5070;branch=z9hG4bK1;received=::1;rport=5070"]


piece = some.sampled_from(
    [
        '"',
        "\\",
        "<",
        ">",
        ":",
        ";",
        ";tag=",
        "tag",
        "=",
        "a",
        " ",
        "\t",
        ",",
        "sip:a@b",
        "<sip:a@b>",
        ";tag=x",
        "\x85",
        "\xa0",
        "é",
        '"Anna" ',
    ]
)


@settings(max_examples=500, deadline=None)
@example("<sip:a@b>;tag= a")
@given(some.lists(piece, max_size=9).map("".join))
def test_a_party_of_the_usual_form_is_taken_as_any_other_would_be(value: str) -> None:
    try:
        found: str | None = _party_tag(value)
    except _Refused:
        found = None
    assert found == (tag_in(value) if _is_party(value) else None)


LINES = GOOD.partition(b"\r\n\r\n")[0].split(b"\r\n")
odd = some.sampled_from(
    [
        b" folded",
        b"\tfolded",
        b"Subject : x",
        b"To\t: <sip:b@c>",
        b"Subject: \xe9",
        "Subject: é".encode(),
        b"Subject: a\rb",
        b"a\nVia: x",
        b"Subject: \x1b[2J",
        b"Subject: a\tb",
        b"Subject: \x7f",
        b": x",
        b"nothing",
        b"",
        b"X y: z",
        b" ",
        b"v: SIP/2.0/UDP x",
        b"Subject: \r",
    ]
)


@settings(max_examples=400, deadline=None)
@example([(0, b" SIP/2.0")])
@given(some.lists(some.tuples(some.integers(0, len(LINES)), odd), max_size=3))
def test_what_is_read_without_tidying_is_what_tidying_would_make_of_it(insertions: list[tuple[int, bytes]]) -> None:
    lines = list(LINES)
    for at, line in insertions:
        lines.insert(at, line)
    head = b"\r\n".join(lines)

    def told(opened: Callable[[], Envelope]) -> object:
        try:
            found = opened()
        except _Refused as refused:
            return refused.args
        message = found.message
        first = (message.method, message.uri) if isinstance(message, Request) else (message.code, message.phrase)
        return first, str(message.headers), found.method, found.call_id, found.from_tag, found.to_tag, found.branch, found.sent_by

    tidied = told(lambda: _read_as(_tidy(head).split("\r\n"), b"", head, PEER))
    assert told(lambda: _opened(head, b"", head, PEER)) == tidied


@pytest.mark.parametrize("via", [",", " , ,", ",\t,"])
def test_a_via_of_commas_alone_is_refused_not_a_mistake_of_ours(via: str) -> None:
    refused = open_envelope(invite().replace(b"SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bK1", via.encode()), PEER)
    assert isinstance(refused, Malformed) and refused.status == 400


@pytest.mark.parametrize("contact", [",", " , ,", ",\t,", "\t"])
def test_a_contact_of_commas_alone_leads_nowhere(contact: str) -> None:
    assert contact_uri(contact) is None
