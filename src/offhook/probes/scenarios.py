"""Real calls through a running system, each checking with its ears. They are the self-test, and the end-to-end tests play them too."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from offhook.phones.calls import PhoneCall
from offhook.phones.sources import Tone
from offhook.probes.stage import NotAsExpected, Stage

LOW, HIGH = 440.0, 1000.0
"""Tones (Hz) that no announcement holds for long: one for each side, so that nobody takes its own echo for the other."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that must work. `needs_carrier`: only where there is a sandbox carrier."""

    words: str
    play: Callable[[Stage], Awaitable[str]]
    needs_carrier: bool = False


async def talk(one: PhoneCall, two: PhoneCall, patience: float) -> None:
    """Let both send a tone, and wait until each hears the other's."""
    one.says(Tone(LOW))
    two.says(Tone(HIGH))
    await one.hears.tone(HIGH, patience=patience)
    await two.hears.tone(LOW, patience=patience)


async def registers(stage: Stage) -> str:
    """Telephones register, over UDP and TCP."""
    async with stage.phone(0) as one, stage.phone(1, "tcp") as two:
        await one.register(patience=stage.patience_seconds)
        await two.register(patience=stage.patience_seconds)
    return "one telephone over UDP, one over TCP"


async def phone_to_phone(stage: Stage) -> str:
    """A call from one telephone to the other."""
    async with stage.phones() as (one, two):
        call = await one.dials(stage.users[1].extension)
        # The caller first: a refusal is his to see, with its status, while the other would only wait in vain.
        await call.ringing(stage.patience_seconds)
        other = await two.rings(stage.patience_seconds)
        await other.answers()
        await call.answered(stage.patience_seconds)
        await talk(call, other, stage.patience_seconds)
        await call.hangs_up()
        await other.ended(stage.patience_seconds)
    return "rang, answered, a tone heard both ways, hung up"


async def hold_and_resume(stage: Stage) -> str:
    """One holds, the other hears music, and then the first again."""
    async with stage.phones() as (one, two):
        call = await one.dials(stage.users[1].extension)
        other = await two.rings(stage.patience_seconds)
        await other.answers()
        await call.answered(stage.patience_seconds)
        await talk(call, other, stage.patience_seconds)
        await other.holds()
        await call.hears.until(lambda: not call.hears.heard_tone(HIGH) and call.hears.level() > -50, "music", stage.patience_seconds)
        await other.hears.quiet(patience=stage.patience_seconds)
        await other.resumes()
        await talk(call, other, stage.patience_seconds)
        await call.hangs_up()
    return "music while on hold, silence for the holder, then the tones again"


async def attendant_by_digit(stage: Stage) -> str:
    """The attendant speaks, a key is pressed, the person is connected."""
    async with stage.phones() as (one, two):
        call = await one.dials(stage.attendant_extension)
        await call.answered(stage.patience_seconds)
        await call.hears.speech(patience=stage.patience_seconds)
        await call.presses(stage.attendant_key)
        other = await two.rings(stage.patience_seconds)
        await other.answers()
        await talk(call, other, stage.patience_seconds)
        await other.hangs_up()
        await call.ended(stage.patience_seconds)
    return f"spoke, took key {stage.attendant_key}, a tone heard both ways"


async def out_through_the_carrier(stage: Stage) -> str:
    """A call to the public network is answered with an announcement, and then an echo."""
    async with stage.phones() as (one, _):
        call = await one.dials(stage.outside_number)
        await call.answered(stage.patience_seconds)
        await _announced_and_echoed(call, stage)
        await call.hangs_up()
    return f"{stage.outside_number} answered, announced itself, and was an echo"


async def emergency(stage: Stage) -> str:
    """An emergency call is not challenged and reaches the sandbox's emergency desk."""
    async with stage.phones() as (one, _):
        call = await one.dials(stage.emergency_number)
        await call.answered(stage.patience_seconds)
        if " 407 " in one.story() or " 401 " in one.story().rpartition("INVITE sip:")[2]:
            raise NotAsExpected("the emergency call was asked for a password")
        await _announced_and_echoed(call, stage)
        await call.hangs_up()
    return f"{stage.emergency_number} answered without a challenge, and was an echo after the announcement"


async def _announced_and_echoed(call: PhoneCall, stage: Stage) -> None:
    await call.hears.speech(patience=stage.patience_seconds)
    call.says(Tone(HIGH))
    await call.hears.tone(HIGH, patience=stage.patience_seconds + 20)


async def in_through_the_carrier(stage: Stage) -> str:
    """A call from the public network reaches the attendant, and by a key the person."""
    assert stage.call_in is not None
    async with stage.phones() as (_, two):
        coming = asyncio.ensure_future(stage.call_in("+12065550199", stage.attendant_number, stage.attendant_key, 12.0))
        try:
            other = await two.rings(stage.patience_seconds + 15)
            await other.answers()
            await other.hangs_up()
        finally:
            report = await coming
    loudest = max(report.get("energy") or [-99.0])
    if loudest < -50:
        raise NotAsExpected(f"the caller from outside heard nothing of the attendant ({loudest:.0f} dBFS at most)")
    return f"answered, heard at {loudest:.0f} dBFS, key {stage.attendant_key} connected"


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "register": Scenario("Telephones register", registers),
        "phone-to-phone": Scenario("Telephone to telephone", phone_to_phone),
        "hold": Scenario("Hold and resume", hold_and_resume),
        "attendant": Scenario("Attendant by key", attendant_by_digit),
        "carrier-out": Scenario("Out through the carrier", out_through_the_carrier, needs_carrier=True),
        "carrier-in": Scenario("In through the carrier", in_through_the_carrier, needs_carrier=True),
        "emergency": Scenario("Emergency call", emergency, needs_carrier=True),
    }
)
"""Every scenario by its short name, in the order of the self-test."""
