"""SIPp from Debian: no softphone but scenarios; what comes to its sound port it sends back."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from offhook.phones.calls import PhoneCall
from offhook.phones.sources import Tone
from tests.calls.stories import HIGH, LOW, PATIENCE_SECONDS
from tests.interop import scenarios
from tests.interop.cells import SESSION_SECONDS, Scene
from tests.interop.scenarios import HOLD, KEYS, OFFER, RESUME, Call, keep, registration, scenario
from tests.interop.softphone import Client, Line, Missing, Wish, free_pair

_PROGRAM = "/usr/bin/sipp"
_ECHO = "has neither microphone nor speaker: what it hears it sends back, and that is listened for"
_NO_TLS = "Debian builds it without TLS and SRTP"


class Sipp(Client):
    """SIPp as ben's telephone: each play runs a scenario of its own on the port that is registered."""

    name: ClassVar[str] = "SIPp"
    lacks: ClassVar[Mapping[str, str]] = {
        "TLS": _NO_TLS,
        "SRTP over TLS": _NO_TLS,
        "SRTP over UDP": _NO_TLS,
    }
    remarks: ClassVar[Mapping[str, str]] = {
        "register": "is not rung here",
        **dict.fromkeys(("call", "be called", "hold and resume"), _ECHO),
        "blind transfer": "it called",
        "attended transfer": "the second call is a second SIPp's: a scenario is one dialog",
        "DTMF by RFC 4733": "sends keys, hears none",
        "TCP": "calls only, without registering: a scenario's connection ends with it",
        "session timer": "refreshes at once, by UPDATE",
        "PRACK": "calls only",
    }

    def __init__(self, folder: Path, line: Line, wish: Wish) -> None:
        super().__init__(folder, line, wish)
        self._port = free_pair()

    @classmethod
    def version(cls) -> str:
        if shutil.which(_PROGRAM) is None:
            raise Missing("SIPp is not installed: apt-get install --no-install-recommends sip-tester")
        printed = subprocess.run([_PROGRAM, "-v"], capture_output=True, text=True, timeout=10, check=False).stdout
        found = re.search(r"SIPp v([\d.]*\d)", printed)
        return f"SIPp {found[1]}" if found else "SIPp of unknown version"

    async def start(self) -> None:
        if self.line.edge.transport == "udp":  # over TCP the registration would go with its connection
            await self.plays_scenario(registration(self.line.domain))

    async def registered(self) -> None:
        if self.line.edge.transport == "udp":
            await self.finished()

    async def stop(self) -> None:
        await super().stop()
        if self.line.edge.transport == "udp":
            await self.plays_scenario(registration(self.line.domain, 0))
            await self.finished()
            await super().stop()

    async def plays_scenario(self, steps: list[str]) -> None:
        """Start a scenario, which is played once."""
        (self.folder / "scenario.xml").write_text(scenario(steps))
        line, media = self.line, free_pair()
        transport = {"udp": "u1", "tcp": "t1"}[line.edge.transport]
        options = ["-m", "1", "-l", "1", "-i", "127.0.0.1", "-p", str(self._port), "-mi", "127.0.0.1", "-mp", str(media), "-rtp_echo"]
        options += ["-au", line.username, "-ap", line.password, "-t", transport, "-timeout", "100s", "-nostdin", "-trace_msg", "-trace_err"]
        await self.run(_PROGRAM, "-sf", "scenario.xml", *options, f"{line.edge.host}:{line.edge.port}")

    def dialog(self) -> str:
        """The dialog of the call that is up, as Replaces names it (RFC 3891)."""
        (log,) = self.folder.glob("*_messages.log")
        answer = log.read_text().partition("SIP/2.0 200 ")[2]
        call_id, ours, theirs = (re.search(pattern, answer) for pattern in (r"Call-ID: (\S+)", r"From:.*;tag=(\S+)", r"To:.*;tag=(\S+)"))
        assert call_id and ours and theirs, answer
        return f"{call_id[1]};to-tag={theirs[1]};from-tag={ours[1]}"

    async def finished(self) -> None:
        """Wait for the end of the scenario, which must have gone as written."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self._process.wait()
        self._process = None
        assert code == 0, f"SIPp ended with {code}: " + "".join(file.read_text()[-1500:] for file in self.folder.glob("*errors.log"))


async def _answered(scene: Scene[Sipp], call: Call) -> PhoneCall:
    await scene.client.plays_scenario(call.steps)
    return await (await scene.anna.rings(PATIENCE_SECONDS)).answers(PATIENCE_SECONDS)


async def echoed(call: PhoneCall, ours: float) -> None:
    """What is said comes back."""
    call.says(Tone(ours))
    await call.hears.tone(ours, patience=PATIENCE_SECONDS)


def _call(scene: Scene[Sipp]) -> Call:
    return Call(scene.client.line.domain, "101")


def _whole(*, headers: tuple[str, ...] = (), body: str = OFFER, answer: str = "") -> Callable[[Scene[Sipp]], Awaitable[None]]:
    async def play(scene: Scene[Sipp]) -> None:
        steps = _call(scene).invites(*headers, body=body).answered(body=answer).is_hung_up()
        call = await _answered(scene, steps)
        await echoed(call, HIGH)
        await call.hangs_up()
        await scene.client.finished()

    return play


async def registers(scene: Scene[Sipp]) -> None:
    assert not list(scene.client.folder.glob("*errors.log"))


async def is_called(scene: Scene[Sipp]) -> None:
    await scene.client.plays_scenario(scenarios.taken())
    call = await (await scene.anna.dials("102")).answered(PATIENCE_SECONDS)
    await echoed(call, HIGH)
    await call.hangs_up()
    await scene.client.finished()


async def holds_and_resumes(scene: Scene[Sipp]) -> None:
    steps = _call(scene).invites().answered().waits(1500).asks("INVITE", body=HOLD).waits(4000).asks("INVITE", body=RESUME).is_hung_up()
    call = await _answered(scene, steps)
    await echoed(call, LOW)
    await call.hears.until(lambda: not call.hears.heard_tone(LOW, 1.0) and call.hears.level(1.0) > -60, "music on hold", PATIENCE_SECONDS)
    await echoed(call, HIGH)
    await call.hangs_up()
    await scene.client.finished()


async def transfers(scene: Scene[Sipp]) -> None:
    refer = f"Refer-To: <sip:103@{scene.client.line.domain}>"
    steps = _call(scene).invites().answered().waits(1500).asks("REFER", refer, status=202).hears_of_transfer()
    call = await _answered(scene, steps)
    await echoed(call, LOW)
    other = await (await scene.chloe.rings(PATIENCE_SECONDS)).answers(PATIENCE_SECONDS)
    other.says(Tone(HIGH))
    await call.hears.tone(HIGH, patience=PATIENCE_SECONDS)
    await other.hears.tone(LOW, patience=PATIENCE_SECONDS)
    await scene.client.finished()
    await call.hangs_up()


async def consults_and_joins(scene: Scene[Sipp]) -> None:
    """A scenario is one dialog, so the second call is that of a second SIPp."""
    first, domain = scene.client, scene.client.line.domain
    second = Sipp(first.folder / "second", first.line, first.wish)
    try:
        await second.plays_scenario(Call(domain, "103").invites().answered().is_hung_up().steps)
        other = await (await scene.chloe.rings(PATIENCE_SECONDS)).answers(PATIENCE_SECONDS)
        await echoed(other, HIGH)
        refer = f"Refer-To: <sip:103@{domain}?Replaces={quote(second.dialog(), safe='')}>"
        call = await _answered(scene, _call(scene).invites().answered().waits(1500).asks("REFER", refer, status=202).hears_of_transfer())
        await echoed(call, LOW)
        await call.hears.tone(HIGH, patience=PATIENCE_SECONDS)
        await other.hears.tone(LOW, patience=PATIENCE_SECONDS)
        await first.finished()
        await second.finished()
        await call.hangs_up()
    finally:
        await Client.stop(second)


async def presses_keys(scene: Scene[Sipp]) -> None:
    call = await _answered(scene, _call(scene).invites(body=KEYS).answered().waits(1000).presses("159#").is_hung_up())
    await call.hears.until(lambda: call.hears.digits == "159#", "the keys 159#", PATIENCE_SECONDS)
    await call.hangs_up()
    await scene.client.finished()


async def presses_keys_by_info(scene: Scene[Sipp]) -> None:
    steps = _call(scene).invites().answered().waits(1500)
    for key in "159#":
        steps.waits(300).asks("INFO", body=f"Signal={key}\nDuration=160\n", kind="application/dtmf-relay")
    call = await _answered(scene, steps.is_hung_up())
    await echoed(call, LOW)
    await call.hears.until(lambda: call.hears.digits + call.digits_by_info == "159#", "the keys 159#", PATIENCE_SECONDS)
    await call.hangs_up()
    await scene.client.finished()


async def refreshes(scene: Scene[Sipp]) -> None:
    timer = f"Session-Expires: {SESSION_SECONDS};refresher=uac"
    kept = keep("Session-Expires", "expires")
    steps = _call(scene).invites("Supported: timer", timer, f"Min-SE: {SESSION_SECONDS}").answered(kept).waits(1500)
    steps.asks("UPDATE", "Supported: timer", timer, kept=keep("Session-Expires", "renewed")).is_hung_up()
    call = await _answered(scene, steps)
    await echoed(call, LOW)
    await echoed(call, HIGH)
    await asyncio.sleep(2.5)  # the UPDATE comes after one and a half
    await call.hangs_up()
    await scene.client.finished()


async def acknowledges_ringing(scene: Scene[Sipp]) -> None:
    steps = _call(scene).invites("Require: 100rel").acknowledges().answered(ringing=False).is_hung_up()
    await scene.client.plays_scenario(steps.steps)
    ringing = await scene.anna.rings(PATIENCE_SECONDS)
    await asyncio.sleep(0.5)  # so that the 180 is acknowledged before the 200 comes
    call = await ringing.answers(PATIENCE_SECONDS)
    await echoed(call, HIGH)
    await call.hangs_up()
    await scene.client.finished()


Sipp.plays = {
    "register": registers,
    "call": _whole(),
    "be called": is_called,
    "hold and resume": holds_and_resumes,
    "blind transfer": transfers,
    "attended transfer": consults_and_joins,
    "DTMF by RFC 4733": presses_keys,
    "DTMF by INFO": presses_keys_by_info,
    "TCP": _whole(),
    "late offer": _whole(body="", answer=OFFER),
    "session timer": refreshes,
    "PRACK": acknowledges_ringing,
}
