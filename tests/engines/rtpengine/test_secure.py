"""Secure and IPv6 telephones through a real rtpengine: whom they can speak with, and what is refused."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.phones.media import MediaPort
from offhook.phones.negotiation import Negotiation
from offhook.phones.sources import Tone
from offhook.phones.srtp import Secrecy
from offhook.services.ports.media import MediaRefused
from offhook.sip.sdp import Direction
from tests.engines.rtpengine.calls import new_call
from tests.engines.rtpengine.conftest import Daemon, eventually
from tests.engines.rtpengine.test_media_contract import sdp

pytestmark = pytest.mark.engines
LOW, HIGH = 440.0, 1000.0
PLAIN, SECURE = MediaShape.PLAIN, MediaShape(secure=True)
CODECS = ("PCMU", "PCMA", "telephone-event")
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
OFFERED = ["AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that speaks IPv6 too, where the machine does."""
    engine = Daemon(tmp_path_factory.mktemp("rtpengine") / "log", "::1" if Path("/proc/net/if_inet6").exists() else None)
    engine.start()
    yield engine
    engine.kill()


class Pair:
    """Two telephones, and the call between them."""

    def __init__(self, engine: RtpEngine, caller: Negotiation, called: Negotiation) -> None:
        self.engine, self.caller, self.called = engine, caller, called
        self.call: CallId = new_call()
        self.a: LegId = leg_id(self.call, 0)
        self.b: LegId = leg_id(self.call, 1)
        self.sdp: list[str] = []

    async def speaks(self, caller: MediaShape, called: MediaShape) -> None:
        """Offer and answer, either way round through the engine."""
        offer = self.caller.offer()
        offered = await self.engine.offer(self.call, self.a, self.b, offer, called, ("PCMU", "PCMA", "telephone-event"))
        answer = self.called.answer(offered)
        answered = await self.engine.answer(self.call, self.a, self.b, answer, caller)
        self.caller.answered(answered)
        self.sdp = [offer, offered, answer, answered]

    async def hear_each_other(self) -> None:
        self.caller.media.source, self.called.media.source = Tone(LOW), Tone(HIGH)
        await self.caller.media.ear.tone(HIGH)
        await self.called.media.ear.tone(LOW)


Pairing = Callable[..., Any]


@pytest.fixture
async def pairing(engine: RtpEngine) -> AsyncIterator[Pairing]:
    """Makes pairs: secrecy and address of each side."""
    made: list[Pair] = []

    async def make(caller: Secrecy | None, called: Secrecy | None, caller_host: str = "127.0.0.1", called_host: str = "127.0.0.1") -> Pair:
        ends = [
            Negotiation(await MediaPort.open(host, report_every=0.5), CODECS, secrecy)
            for host, secrecy in ((caller_host, caller), (called_host, called))
        ]
        made.append(Pair(engine, *ends))
        return made[-1]

    yield make
    for pair in made:
        pair.caller.media.close()
        pair.called.media.close()
        await engine.close(pair.call)


def ciphers(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines() if line.startswith("a=crypto:")]


@pytest.mark.parametrize(
    ("caller", "called"),
    [(Secrecy.REQUIRED, None), (None, Secrecy.REQUIRED), (Secrecy.REQUIRED, Secrecy.REQUIRED)],
    ids=["secure calls plain", "plain calls secure", "both secure"],
)
async def test_whoever_is_secure_speaks_with_everybody(pairing: Pairing, caller: Secrecy | None, called: Secrecy | None) -> None:
    pair: Pair = await pairing(caller, called)
    shapes = [MediaShape(secure=each is not None) for each in (caller, called)]
    await pair.speaks(*shapes)
    await pair.hear_each_other()
    await pair.caller.media.presses("5")
    await pair.called.media.ear.pressed("5")
    for end, shape, seen in ((pair.caller, shapes[0], pair.sdp[3]), (pair.called, shapes[1], pair.sdp[1])):
        assert (end.media.sealing is not None) is shape.secure
        assert end.media.unauthentic == 0
        assert ("RTP/SAVP" in seen, bool(ciphers(seen))) == (shape.secure, shape.secure)
        assert "fingerprint" not in seen and not any("NULL" in each or "F8" in each or each.endswith("_32") for each in ciphers(seen))
    if called and not caller:
        assert ciphers(pair.sdp[1]) == OFFERED
    await eventually(lambda: pair.caller.media.figures.their_lost is not None, "reports pass, sealed or not")


async def test_a_secure_call_is_held_and_resumed(pairing: Pairing) -> None:
    pair: Pair = await pairing(Secrecy.REQUIRED, None)
    await pair.speaks(SECURE, PLAIN)
    await pair.hear_each_other()
    for flow in (Direction.SENDONLY, Direction.SENDRECV):
        pair.caller.flow = flow
        await pair.speaks(SECURE, PLAIN)
    pair.caller.media.source, pair.called.media.source = Tone(620.0), Tone(1500.0)
    await pair.caller.media.ear.tone(1500.0)
    await pair.called.media.ear.tone(620.0)
    assert pair.caller.media.unauthentic == 0


async def test_a_secure_caller_hears_the_system(engine: RtpEngine, pairing: Pairing, sound: Callable[[int], Path]) -> None:
    pair: Pair = await pairing(Secrecy.REQUIRED, None)
    answered = await engine.answer_alone(pair.call, pair.a, pair.caller.offer(), SECURE, "PCMU")
    pair.caller.answered(answered)
    await engine.play(pair.call, pair.a, sound(600), repeat=20)
    await pair.caller.media.ear.tone(600)
    await pair.speaks(SECURE, PLAIN)  # and then somebody
    await engine.leave_alone(pair.call, pair.a)
    await engine.stop(pair.call, pair.a)
    await pair.hear_each_other()


@pytest.mark.parametrize(("caller", "called"), [("::1", "127.0.0.1"), ("127.0.0.1", "::1"), ("::1", "::1")])
@pytest.mark.parametrize("secrecy", [None, Secrecy.REQUIRED])
async def test_both_families_speak_with_each_other(
    daemon: Daemon, pairing: Pairing, caller: str, called: str, secrecy: Secrecy | None
) -> None:
    if daemon.settings.address6 is None:
        pytest.skip("this machine has no IPv6")
    pair: Pair = await pairing(secrecy, None, caller, called)
    await pair.speaks(MediaShape(secrecy is not None, ":" in caller), MediaShape(ipv6=":" in called))
    await pair.hear_each_other()
    for end, seen in ((caller, pair.sdp[3]), (called, pair.sdp[1])):
        assert ("c=IN IP6 ::1" in seen) is (":" in end)


WEAK = {
    "no key": "",
    "no cipher": f"a=crypto:1 NULL_HMAC_SHA1_80 inline:{KEY}",
    "F8": f"a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}",
    "short tag": f"a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}",
    "short key": "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg",
    "no base64": f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-3]}",
    "not encrypted": f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP",
    "not authenticated": f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1 UNAUTHENTICATED_SRTP",
}


def secure(line: str) -> str:
    return sdp(6000, "PCMU").replace("RTP/AVP", "RTP/SAVP") + (line + "\r\n" if line else "")


@pytest.mark.parametrize("line", WEAK.values(), ids=WEAK)
async def test_weak_keys_are_refused_in_offers_and_answers(engine: RtpEngine, line: str) -> None:
    call = new_call()
    a, b = leg_id(call, 0), leg_id(call, 1)
    with pytest.raises(MediaRefused, match="no cipher that is good enough"):
        await engine.offer(call, a, b, secure(line), PLAIN)
    await engine.offer(call, a, b, sdp(6000, "PCMU"), SECURE)
    with pytest.raises(MediaRefused, match="no cipher that is good enough"):
        await engine.answer(call, a, b, secure(line), PLAIN)
    await engine.close(call)


async def test_a_strong_key_is_taken_from_among_weak_ones(engine: RtpEngine) -> None:
    call = new_call()
    a, b = leg_id(call, 0), leg_id(call, 1)
    lines = f"a=crypto:1 NULL_HMAC_SHA1_80 inline:{KEY}\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"
    await engine.offer(call, a, b, secure(lines), PLAIN)
    answered = await engine.answer(call, a, b, sdp(6002, "PCMU"), SECURE)
    assert [line.split()[0] for line in answered.splitlines() if "crypto" in line] == ["a=crypto:2"]
    await engine.close(call)


async def test_an_answer_is_as_secure_as_its_offer(engine: RtpEngine) -> None:
    strong = secure(f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")
    for shape, answer in ((SECURE, sdp(6002, "PCMU")), (PLAIN, strong)):
        call = new_call()
        a, b = leg_id(call, 0), leg_id(call, 1)
        await engine.offer(call, a, b, sdp(6000, "PCMU"), shape)
        with pytest.raises(MediaRefused, match="nobody asked"):
            await engine.answer(call, a, b, answer, PLAIN)
        await engine.close(call)


async def test_browsers_are_refused_in_words_and_keys_on_plain_sound_are_left_out(engine: RtpEngine) -> None:
    call = new_call()
    a, b = leg_id(call, 0), leg_id(call, 1)
    with pytest.raises(MediaRefused, match="UDP/TLS/RTP/SAVPF"):
        await engine.offer(call, a, b, sdp(6000, "PCMU").replace("RTP/AVP", "UDP/TLS/RTP/SAVPF"), PLAIN)
    offered = await engine.offer(call, a, b, sdp(6000, "PCMU") + f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n", PLAIN)
    answered = await engine.answer(call, a, b, sdp(6002, "PCMU"), PLAIN)
    assert ciphers(offered) == ciphers(answered) == []
    await engine.close(call)


async def test_the_answer_to_savpf_is_savpf(engine: RtpEngine) -> None:
    call = new_call()
    a, b = leg_id(call, 0), leg_id(call, 1)
    offer = secure(f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}").replace("RTP/SAVP", "RTP/SAVPF")
    offered = await engine.offer(call, a, b, offer, PLAIN)
    assert " RTP/AVP " in offered
    assert " RTP/SAVPF " in await engine.answer(call, a, b, sdp(6002, "PCMU"), SECURE)
    await engine.close(call)


@pytest.mark.parametrize("secrecy", [None, Secrecy.REQUIRED])
async def test_a_digit_is_pressed_for_a_leg(engine: RtpEngine, pairing: Pairing, secrecy: Secrecy | None) -> None:
    pair: Pair = await pairing(None, secrecy)
    await pair.speaks(PLAIN, MediaShape(secure=secrecy is not None))
    await pair.hear_each_other()
    for digit in random.sample("0123456789*#", 3):
        await engine.press(pair.call, pair.a, digit, 120)
        await pair.called.media.ear.pressed(digit)
    await pair.hear_each_other()
    with pytest.raises(MediaRefused, match="Nobody hears"):
        await engine.press(new_call(), pair.a, "1", 100)
