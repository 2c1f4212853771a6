"""The codec: what goes out comes back, and no bytes whatever bring anything but a typed error."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offhook.engines.rtpengine.wire import MAX_BYTES, MAX_DEPTH, Message, Stream, Value, WireShort, WireWrong, decode, encode, read, write

texts = st.text(max_size=30)
values: st.SearchStrategy[Value] = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
messages = st.builds(Message, st.from_regex(r"[!-~]{1,40}", fullmatch=True), st.dictionaries(texts, values, max_size=4))
bencodish = st.text("deli:0123456789-a ", max_size=60).map(str.encode) | st.binary(max_size=60)


def test_known_bytes() -> None:
    assert encode({"command": "ping", "list": [1, -2, ""]}) == b"d7:command4:ping4:listli1ei-2e0:ee"
    assert read(b"5_1 d6:result4:ponge") == Message("5_1", {"result": "pong"})


@given(values)
def test_values_survive(value: Value) -> None:
    data = encode(value)
    assert decode(data) == (value, len(data))


@given(messages)
def test_messages_survive(message: Message) -> None:
    assert read(write(message)) == message


@given(st.binary(max_size=40))
def test_bytes_that_are_not_utf8_survive(data: bytes) -> None:
    coded = b"%d:%s" % (len(data), data)
    assert encode(decode(coded)[0]) == coded


@given(bencodish)
@example(b"x i-")
@example(b"x i" + b"9" * 5000)
@example(b"x 99999999:")
@example(b"x di1e1:ae")
@example(b"x d1:ae")
@example(b"\xff d1:a1:be")
def test_garbage_is_a_typed_error(data: bytes) -> None:
    for reading in (lambda: read(data), lambda: decode(data), lambda: Stream().feed(data)):
        with contextlib.suppress(WireWrong):
            reading()


@given(values)
def test_a_value_cut_short_says_so(value: Value) -> None:
    data = encode(value)
    for end in range(len(data)):
        with pytest.raises(WireShort):
            decode(data[:end])


def test_depth_and_size_are_bounded() -> None:
    decode(b"l" * MAX_DEPTH + b"e" * MAX_DEPTH)
    with pytest.raises(WireWrong, match="deeper"):
        decode(b"l" * 100_000 + b"e" * 100_000)
    with pytest.raises(WireWrong, match="more than"):
        decode(b"%d:" % (MAX_BYTES + 1))
    stream = Stream()
    stream.feed(b"x l")
    with pytest.raises(WireWrong, match="more than"):
        for _ in range(MAX_BYTES // 1000):
            stream.feed(b"100000:" + b"a" * 100_000)


@given(st.lists(messages, max_size=4), st.data())
def test_a_stream_gives_every_message_however_it_is_sliced(sent: list[Message], data: st.DataObject) -> None:
    whole = b"".join(map(write, sent))
    stream, got, at = Stream(), list[Message](), 0
    while at < len(whole):
        end = data.draw(st.integers(at + 1, len(whole)))
        got += stream.feed(whole[at:end])
        at = end
    assert got == sent
