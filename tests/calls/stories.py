"""What the stories of this folder share: telephones in a call, and what the system tells of it afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from offhook.domain.calls.endings import ENDINGS
from offhook.phones.calls import PhoneCall
from offhook.phones.phone import Phone
from offhook.phones.sources import Tone
from offhook.services.tokens import provider_token
from offhook.store.transaction import Database
from tests.calls.system import System

PATIENCE_SECONDS = 20.0
LOW, HIGH = 440.0, 1000.0

_Found = TypeVar("_Found")


async def eventually(asked: Callable[[], _Found | None], what: str, seconds: float = PATIENCE_SECONDS) -> _Found:
    """What `asked` gives once it gives something; the telephones go on meanwhile. Raises AssertionError with `what`."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await asyncio.to_thread(asked)):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not in {seconds:g} s: {what}") from None
    return found


@asynccontextmanager
async def registered(*phones: Phone) -> AsyncIterator[tuple[Phone, ...]]:
    """Telephones that are on and registered."""
    async with AsyncExitStack() as stack:
        for phone in phones:
            await stack.enter_async_context(phone)
            await phone.register(patience=PATIENCE_SECONDS)
        yield phones


async def connected(caller: Phone, called: Phone, number: str) -> tuple[PhoneCall, PhoneCall]:
    """Both ends of a call that was answered."""
    call = await caller.dials(number)
    other = await called.rings(PATIENCE_SECONDS)
    await other.answers()
    return await call.answered(PATIENCE_SECONDS), other


async def hear_each_other(one: PhoneCall, two: PhoneCall) -> None:
    """A tone from each arrives at the other."""
    one.says(Tone(LOW))
    two.says(Tone(HIGH))
    await one.hears.tone(HIGH, patience=PATIENCE_SECONDS)
    await two.hears.tone(LOW, patience=PATIENCE_SECONDS)


def check_descriptions(call: PhoneCall, *answers: dict[str, Any]) -> int:
    """All that a telephone was told of sound in this call is under one origin, whose version says what changed (RFC 3264 section 8).

    `answers` are what `told` gave of the calls it was in, in their order. The version it came to.
    """
    messages = [message["text"] for answer in answers for message in answer["explanation"]["messages"] if message["direction"] == "out"]
    described = [text.partition("\r\no=")[2] for text in messages if f"Call-ID: {call.call_id}\r\n" in text and "\r\no=" in text]
    origins = [text.partition("\r\n")[0].split() for text in described]
    changes = [text.partition("\r\n")[2] for text in described]
    versions = [int(origin.pop(2)) for origin in origins]
    assert versions[0] == 1 and all(origin == origins[0] for origin in origins), origins
    for place in range(1, len(versions)):
        assert versions[place] - versions[place - 1] == (changes[place] != changes[place - 1]), described
    return versions[-1]


def token_of_the_provider(system: System) -> str:
    """A token that sees every organization's calls, and nobody's."""
    store = Database.at(system.plan.database_url)
    try:
        return provider_token(store, (system.folder / "secret.key").read_bytes())
    finally:
        store.close()


def listed(system: System, token: str, *options: str) -> list[dict[str, Any]]:
    """What `offhook calls --json` lists for whoever has the token."""
    printed = system.offhook("--token", token, "calls", "--json", "--limit", "100", *options)
    assert printed.returncode == 0, printed.stderr
    return list(json.loads(printed.stdout)["calls"])


def found(system: System, sip_call_id: str, domain: str = "lumen.test", *, live: bool = False) -> dict[str, Any] | None:
    """The record and explanation of the call that has this SIP Call-ID in one of its messages; None while there is none."""
    state = "live" if live else "over"
    for call in system.api("GET", f"/calls?limit=40&state={state}", domain).json()["calls"]:
        told = system.api("GET", f"/calls/{call['call']}", domain).json()
        if f"Call-ID: {sip_call_id}\r\n" in "".join(message["text"] for message in told["explanation"]["messages"]):
            return dict(told)
    return None


async def told(system: System, call: PhoneCall, code: str, *, domain: str = "lumen.test") -> dict[str, Any]:
    """The record and explanation of a call that must have ended so."""
    answer = await eventually(lambda: found(system, call.call_id, domain), f"a record of {call.story()}")
    record, explanation = answer["record"], answer["explanation"]
    assert (record["state"], explanation["state"]) == (code, code), call.story()
    return answer


async def told_and_printed(system: System, call: PhoneCall, code: str) -> dict[str, Any]:
    """The same, checked on the command line too."""
    answer = await told(system, call, code)
    await check_printed(system, answer["record"]["call"], code, system.sandbox["api"]["token"])
    return answer


async def check_printed(system: System, call: str, code: str, token: str) -> str:
    """What `offhook explain` prints of a call that is over; `offhook calls` must list it once."""
    ending = ENDINGS[code]
    calls, explained = await asyncio.gather(
        asyncio.to_thread(listed, system, token, "--ending", code),
        asyncio.to_thread(system.offhook, "--token", token, "explain", call),
    )
    assert [each["call"] for each in calls].count(call) == 1
    assert explained.returncode == 0, explained.stderr
    text = explained.stdout
    assert f"Ending: {code}" in text and ending.explanation in text and ending.remedy in text, text
    decisions, happened = text.index("Decisions, in order"), text.index("What happened")
    assert "→" in text[decisions:happened], text
    assert "-- INVITE sip:" in text, text
    return str(text)
