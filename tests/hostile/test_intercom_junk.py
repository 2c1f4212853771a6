"""The desks of our own processes, as defence in depth: whatever is asked, one line of JSON comes back, and the desk goes on."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offhook import intercom


async def double(number: int) -> Any:
    return number * 2


ANSWERS: dict[str, intercom.Answer] = {"double": double}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.sampled_from(["ask", "number", "self"]), inner, max_size=4)
    ),
    max_leaves=12,
)
LINES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.builds(lambda value: json.dumps({"ask": "double", "number": value}).encode(), JSON)
    | st.sampled_from(
        [b"[" * 100_000, b'{"ask":' * 50_000, b"9" * 10_000, b'{"ask": "double", "number": 1e999}', b'{"ask": "double", "ask": 1}']
    )
)


@settings(deadline=None, max_examples=200)
@given(LINES)
def test_every_question_gets_one_line(line: bytes) -> None:
    answer = asyncio.run(intercom._answered(ANSWERS, *intercom._asked(line)))
    assert b"\n" not in answer
    said = json.loads(answer)
    assert said.keys() in ({"answer"}, {"refusal"})
    assert isinstance(said.get("refusal", ""), str)


async def test_thousands_of_spoilt_questions_and_hung_up_connections_leave_the_desk_answering(tmp_path: Path) -> None:
    random, path = Random(7), tmp_path / "desk"
    server = await intercom.answer_at(path, ANSWERS)
    try:
        for number in range(60):
            reader, writer = await asyncio.open_unix_connection(path)
            for _ in range(50):
                line = bytearray(b'{"ask": "double", "number": 21}')
                for _ in range(random.randrange(4)):
                    line[random.randrange(len(line))] = random.randrange(256)
                writer.write(bytes(line) + b"\n")
            if number % 3:
                writer.transport.abort()
                continue
            writer.write_eof()
            async with asyncio.timeout(20):
                answers = (await reader.read()).splitlines()
            assert len(answers) >= 50 and all(json.loads(each) for each in answers)
            writer.close()
        assert await intercom.ask(path, "double", number=21) == 42
    finally:
        server.close()
