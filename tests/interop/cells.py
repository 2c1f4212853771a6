"""The rows of the interop table: what a softphone and our two telephones do together, and what must be heard and seen of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from offhook.phones.calls import PhoneCall
from offhook.phones.phone import Phone
from offhook.phones.sources import Tone
from tests.calls.stories import HIGH, LOW, PATIENCE_SECONDS, eventually, found
from tests.calls.system import System
from tests.interop.softphone import TONE, Client, Line, Softphone, Wish

SESSION_SECONDS = 90  # the least that RFC 4028 lets anybody ask for
_TOLD_PACKETS = 75
_MARKS = {"udp": 1, "tcp": 2, "tls": 3}  # Kamailio's numbers of transports in its alias parameter


C = TypeVar("C", bound=Client)


@dataclass(slots=True)
class Scene(Generic[C]):
    """One cell being played: anna (101) and chloe (103) are our telephones, ben (102) is the client under test."""

    system: System
    anna: Phone
    chloe: Phone
    client: C

    async def messages(self, call: PhoneCall) -> list[str]:
        """Every SIP message of a call that is over, as `offhook explain` shows them, first first."""
        told = await eventually(lambda: found(self.system, call.call_id), "the record")
        return [str(message["text"]) for message in told["explanation"]["messages"]]


PLAIN = Wish()
Play = Callable[[Scene[Softphone]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to be tried with a client."""

    name: str
    what: str  # for the page
    play: Play
    transport: str = "udp"
    wish: Wish = PLAIN


async def talk(call: PhoneCall, ours: float) -> None:
    """The client's tone is heard, and it is told ours for a second and a half."""
    call.says(Tone(ours))
    await call.hears.tone(TONE, patience=PATIENCE_SECONDS)
    told = call.figures.packets_sent
    await call.hears.until(lambda: call.figures.packets_sent > told + _TOLD_PACKETS, "that much of our own talk", PATIENCE_SECONDS)


async def out(scene: Scene[Softphone]) -> PhoneCall:
    """The client calls anna, who answers."""
    await scene.client.dials("101")
    call = await scene.anna.rings(PATIENCE_SECONDS)
    return await call.answers(PATIENCE_SECONDS)


async def into(scene: Scene[Softphone]) -> PhoneCall:
    """Anna calls the client, which answers."""
    call = await scene.anna.dials("102")
    await scene.client.answers()
    return await call.answered(PATIENCE_SECONDS)


async def heard(client: Client, *frequencies: float) -> None:
    """The client recorded these tones. It may have been stopped or not."""
    await eventually(lambda: client.heard(frequencies) == set(frequencies), f"{client.name} hearing {frequencies}")


async def registers(scene: Scene[Softphone]) -> None:
    """Nothing more than being registered, and reachable."""
    call = await scene.anna.dials("102")
    await call.ringing(PATIENCE_SECONDS)
    await call.hangs_up()


async def calls(scene: Scene[Softphone]) -> None:
    call = await out(scene)
    await talk(call, HIGH)
    await scene.client.hangs_up()
    await call.ended(PATIENCE_SECONDS)
    await heard(scene.client, HIGH)


async def is_called(scene: Scene[Softphone]) -> None:
    call = await into(scene)
    await talk(call, HIGH)
    await call.hangs_up()
    await heard(scene.client, HIGH)


async def holds_and_resumes(scene: Scene[Softphone]) -> None:
    call = await out(scene)
    await talk(call, LOW)
    await scene.client.holds()
    await call.hears.until(lambda: not call.hears.heard_tone(TONE, 1.0) and call.hears.level(1.0) > -60, "music on hold", PATIENCE_SECONDS)
    await scene.client.resumes()
    await talk(call, HIGH)
    await scene.client.hears_after_hold(HIGH)
    await scene.client.hangs_up()
    await call.ended(PATIENCE_SECONDS)
    await heard(scene.client, LOW)


async def _joined(scene: Scene[Softphone], anna: PhoneCall, chloe: PhoneCall) -> None:
    anna.says(Tone(LOW))
    chloe.says(Tone(HIGH))
    await anna.hears.tone(HIGH, patience=PATIENCE_SECONDS)
    await chloe.hears.tone(LOW, patience=PATIENCE_SECONDS)
    assert not anna.hears.heard_tone(TONE, 0.2) and not chloe.hears.heard_tone(TONE, 0.2)
    await anna.hangs_up()
    await chloe.ended(PATIENCE_SECONDS)


async def transfers(scene: Scene[Softphone]) -> None:
    """Anna called; she is sent to chloe."""
    call = await into(scene)
    await talk(call, LOW)
    await scene.client.transfers("103")
    other = await scene.chloe.rings(PATIENCE_SECONDS)
    await other.answers(PATIENCE_SECONDS)
    await _joined(scene, call, other)


async def consults_and_joins(scene: Scene[Softphone]) -> None:
    """The client called anna, holds her, calls chloe, and joins the two."""
    call = await out(scene)
    await talk(call, LOW)
    await scene.client.consults("103")
    other = await (await scene.chloe.rings(PATIENCE_SECONDS)).answers(PATIENCE_SECONDS)
    await talk(other, HIGH)
    await scene.client.joins()
    await _joined(scene, call, other)


async def presses_keys(scene: Scene[Softphone]) -> None:
    call = await out(scene)
    await talk(call, LOW)
    await scene.client.presses("159#")
    await call.hears.until(lambda: call.hears.digits + call.digits_by_info == "159#", "the keys 159#", PATIENCE_SECONDS)
    await call.presses("20*")
    await eventually(lambda: scene.client.digits() == "20*", "the keys 20* at the client")
    await call.hangs_up()


async def presses_keys_by_info(scene: Scene[Softphone]) -> None:
    call = await out(scene)
    await talk(call, LOW)
    await scene.client.presses("159#")
    await call.hears.until(lambda: call.hears.digits + call.digits_by_info == "159#", "the keys 159#", PATIENCE_SECONDS)
    await call.hangs_up()
    infos = [text for text in await scene.messages(call) if text.startswith("INFO ")]
    assert len(infos) >= 4, infos


async def both_ways(scene: Scene[Softphone]) -> PhoneCall:
    """A call in each direction with sound; the first of them."""
    call = await out(scene)
    await talk(call, LOW)
    await scene.client.hangs_up()
    await call.ended(PATIENCE_SECONDS)
    second = await into(scene)
    await talk(second, HIGH)
    await second.hangs_up()
    await heard(scene.client, LOW, HIGH)
    return call


async def over(scene: Scene[Softphone]) -> None:
    """Both ways, and the client's own Contact names the transport, or the edge's mark on it does."""
    call = await both_ways(scene)
    transport = scene.client.line.edge.transport
    marks = (f"transport={transport}", f"~{_MARKS[transport]}>", f"~{_MARKS[transport]};")
    contacts = [line for text in await scene.messages(call) for line in text.lower().splitlines() if line.startswith("contact:")]
    assert any(mark in line for line in contacts for mark in marks), contacts


async def _is_secured(scene: Scene[Softphone], call: PhoneCall) -> None:
    """The client offered SDES only and was answered so."""
    secure = [text for text in await scene.messages(call) if "RTP/SAVP" in text and "a=crypto:" in text]
    assert any(text.startswith("INVITE") for text in secure) and any(text.startswith("SIP/2.0 200") for text in secure), len(secure)


async def speaks_srtp(scene: Scene[Softphone]) -> None:
    await _is_secured(scene, await both_ways(scene))


async def offers_srtp(scene: Scene[Softphone]) -> None:
    await calls(scene)
    (call,) = scene.anna.calls
    await _is_secured(scene, call)


async def offers_late(scene: Scene[Softphone]) -> None:
    call = await out(scene)
    await talk(call, HIGH)
    await scene.client.hangs_up()
    await call.ended(PATIENCE_SECONDS)
    await heard(scene.client, HIGH)
    first = (await scene.messages(call))[0]
    assert first.startswith("INVITE") and "m=audio" not in first, first


async def refreshes(scene: Scene[Softphone]) -> None:
    """The session timer is agreed, and the call outlives half of it by a refresh."""
    call = await out(scene)
    await talk(call, LOW)
    due = scene.anna.now() + SESSION_SECONDS / 2 + 8
    await call.hears.until(lambda: scene.anna.now() > due or call.ending is not None, "the refresh", SESSION_SECONDS)
    assert call.ending is None, call.story()
    await talk(call, HIGH)
    await scene.client.hangs_up()
    await call.ended(PATIENCE_SECONDS)
    await heard(scene.client, LOW, HIGH)
    messages = await scene.messages(call)
    refreshed = [text for text in messages if text.startswith(("UPDATE ", "INVITE ")) and "Session-Expires" in text]
    assert any(text.startswith("SIP/2.0 200") and "Session-Expires" in text for text in messages), "200 without Session-Expires"
    assert len({_cseq(text) for text in refreshed}) >= 2, [text.splitlines()[0] for text in messages]


async def acknowledges_ringing(scene: Scene[Softphone]) -> None:
    """Both ways: the caller of one call at least acknowledged that it rings."""
    await both_ways(scene)
    told = [text.splitlines()[0] for call in scene.anna.calls for text in await scene.messages(call)]
    assert any(line.startswith("PRACK ") for line in told), told


def _cseq(text: str) -> str:
    return next(line for line in text.splitlines() if line.lower().startswith("cseq:"))


CELLS: Mapping[str, Cell] = {
    cell.name: cell
    for cell in (
        Cell("register", "registers with digest over UDP, and rings when it is called.", registers),
        Cell("call", "calls a telephone that answers; sound both ways; hangs up.", calls),
        Cell("be called", "is called and answers; sound both ways; the other hangs up.", is_called),
        Cell(
            "hold and resume",
            "holds by re-INVITE: the other hears music and not the client; takes it back: sound both ways.",
            holds_and_resumes,
        ),
        Cell("blind transfer", "is called, sends the caller to a third by REFER: these two hear each other, the client is out.", transfers),
        Cell(
            "attended transfer",
            "calls one, holds, calls a second, joins them by REFER with Replaces: they hear each other.",
            consults_and_joins,
        ),
        Cell("DTMF by RFC 4733", "keys go both ways as telephone events.", presses_keys),
        Cell("DTMF by INFO", "keys of the client by INFO arrive as telephone events.", presses_keys_by_info, wish=Wish(keys_by_info=True)),
        Cell("TCP", "registers, calls and is called over TCP.", over, transport="tcp"),
        Cell("TLS", "the same over TLS; the client is told to trust the system's own authority, and no other.", over, transport="tls"),
        Cell("SRTP over TLS", "demands SRTP with keys in the SDP; both ways.", speaks_srtp, transport="tls", wish=Wish(srtp=True)),
        Cell("SRTP over UDP", "demands SRTP in a call that it makes.", offers_srtp, wish=Wish(srtp=True)),
        Cell("late offer", "calls without an offer, and answers in the ACK.", offers_late, wish=Wish(late_offer=True)),
        Cell(
            "session timer",
            "agrees on a timer (RFC 4028); the call outlives it by a refresh.",
            refreshes,
            wish=Wish(session_seconds=SESSION_SECONDS),
        ),
        Cell("PRACK", "ringing is acknowledged (RFC 3262) in one direction at least.", acknowledges_ringing, wish=Wish(reliable=True)),
    )
}


def line_of(system: System, transport: str) -> Line:
    """Ben's account, over a transport; with TLS the client is told which authority to trust."""
    user = next(each for each in system.sandbox["sip"]["users"] if each["username"] == "ben")
    plan, edge = system.plan, system.edge._replace(transport=transport)
    line = Line("ben", user["password"], str(system.sandbox["sip"]["domain"]), edge)
    if transport != "tls":
        return line
    return replace(line, edge=edge._replace(port=plan.sips_port), authority=plan.tls_folder / "authority.pem")
