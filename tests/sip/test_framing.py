"""Messages out of a stream, however it is cut."""

import pytest

from offhook.sip.framing import Framer, StreamBroken
from tests.sip.raw import invite, request

STREAM = invite() + b"\r\n" + request("OPTIONS") + b"\r\n\r\n" + request("BYE")
MESSAGES = [invite(), request("OPTIONS"), b"\r\n\r\n", request("BYE")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
def test_the_same_messages_come_out_of_pieces_of_any_size(size: int) -> None:
    framer = Framer()
    found = [message for at in range(0, len(STREAM), size) for message in framer.feed(STREAM[at : at + size])]
    assert found == MESSAGES


def test_a_compact_content_length_counts() -> None:
    data = invite().replace(b"Content-Length:", b"l :")
    assert Framer().feed(data + b"x") == [data]


@pytest.mark.parametrize(
    "data",
    [
        b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nContent-Length: many\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 999999\r\n\r\n",
        b"a" * 16_384,
    ],
)
def test_a_stream_that_cannot_be_followed_is_broken(data: bytes) -> None:
    with pytest.raises(StreamBroken):
        Framer().feed(data)
