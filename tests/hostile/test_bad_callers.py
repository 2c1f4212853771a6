"""Telephones that call and behave badly: what becomes of the called one, how the call is recorded, and that nothing is left of it."""

import asyncio

import pytest

from offhook.phones.audio import encode
from offhook.phones.calls import CallState, Who
from offhook.phones.rtp import RtpPacket
from offhook.phones.tones import tone
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import HIGH, PATIENCE_SECONDS, eventually, found, hear_each_other, registered
from tests.calls.system import System
from tests.hostile.bad_phone import KIND, BadPhone, bad_phone, is_answer, sdp, value
from tests.hostile.peers import TRUSTED, plain, within
from tests.hostile.standing import undisturbed

pytestmark = pytest.mark.engines
HOST = f"{TRUSTED}.220"


async def recorded(system: System, peer: BadPhone, name: str, code: str) -> None:
    """The call has one record, with this ending."""
    told = await eventually(lambda: found(system, f"{name}-{peer.address[0]}"), f"the record of {name}", 60)
    assert told["record"]["state"] == code
    calls = system.api("GET", "/calls?limit=100&state=over").json()["calls"]
    assert [each["call"] for each in calls].count(told["record"]["call"]) == 1


async def test_it_repeats_its_invite_for_ever(system: System) -> None:
    """One telephone rings once."""
    async with bad_phone(system, HOST, "anna", registered=False) as anna, registered(system.phone("ben")) as (ben,):
        invite = anna.signed(plain("INVITE", "sip:102@lumen.test", anna, "repeats", KIND, body=sdp()))
        for _ in range(200):
            anna.send(invite)
            await asyncio.sleep(0.005)
        other = await ben.rings(PATIENCE_SECONDS)
        await other.answers()
        answer = await anna.answered("repeats")
        for _ in range(20):
            anna.send(invite)
        anna.further("ACK", "repeats", answer, 1)
        await asyncio.sleep(0.5)
        assert len(ben.calls) == 1 and other.state is CallState.UP
        for _ in range(20):
            anna.further("BYE", "repeats", answer, 2)
        assert (await other.ended()).who is Who.THEM
        await recorded(system, anna, "repeats", "completed.by_caller")
        await assert_nothing_is_left(system)


@pytest.mark.long
async def test_it_never_acknowledges(system: System) -> None:
    async with bad_phone(system, HOST, "anna", registered=False) as anna, registered(system.phone("ben")) as (ben,):
        name = await anna.dials("102")
        other = await ben.rings(PATIENCE_SECONDS)
        answering = asyncio.create_task(other.answers(60))
        await anna.answered(name)
        assert (await other.ended(60)).who is Who.THEM
        answering.cancel()
        anna.says(await anna.asked("BYE"), "200 OK")
        await recorded(system, anna, name, "caller.lost")
        await assert_nothing_is_left(system, 100)


async def test_it_cancels_what_was_answered_and_the_call_stands(system: System) -> None:
    async with bad_phone(system, HOST, "anna", registered=False) as anna, registered(system.phone("ben")) as (ben,):
        name = await anna.dials("102")
        other = await ben.rings(PATIENCE_SECONDS)
        answering = asyncio.create_task(other.answers())
        answer = await anna.answered(name)
        anna.send(plain("CANCEL", "sip:102@lumen.test", anna, name, cseq=1, of="INVITE"))
        anna.further("ACK", name, answer, 1)
        await answering
        anna.send(plain("CANCEL", "sip:102@lumen.test", anna, name, cseq=1, of="INVITE"))
        await asyncio.sleep(0.5)
        assert other.state is CallState.UP
        anna.further("BYE", name, answer, 2)
        await other.ended()
        await recorded(system, anna, name, "completed.by_caller")
        await assert_nothing_is_left(system)


async def test_it_hangs_up_anothers_call(system: System) -> None:
    """With the Call-ID and tags of another's call, from its own call's way in: nobody hears of it."""
    async with undisturbed(system) as standing, bad_phone(system, HOST, "anna", registered=False) as anna:
        name = await anna.dials("100")
        answer = await anna.answered(name)
        anna.further("ACK", name, answer, 1)
        theirs = standing.call
        assert theirs.answer is not None
        _, _, routes = within(answer)
        to = theirs.answer.headers["To"]
        for method in ("BYE", "CANCEL", "INVITE", "REFER", "INFO"):
            stolen = plain(method, "sip:switch@127.0.0.1", anna, "stolen", *routes, "Refer-To: <sip:101@lumen.test>", cseq=90, to=to)
            stolen = stolen.replace(f"Call-ID: stolen-{HOST}".encode(), f"Call-ID: {theirs.call_id}".encode())
            anna.send(stolen.replace(b"tag=f-stolen", f"tag={theirs.answer.headers['From'].partition('tag=')[2]}".encode()))
        for method in ("BYE", "INVITE", "REFER", "INFO"):
            await anna.hears(lambda data, method=method: is_answer(data, 481, f"90 {method}"))  # type: ignore[misc]
        await hear_each_other(standing.call, standing.other)
        anna.further("BYE", name, answer, 2)
        await anna.hears(lambda data: is_answer(data, 200, "2 BYE"))


async def test_it_uses_wrong_tags_and_old_numbers(system: System) -> None:
    async with bad_phone(system, HOST, "anna", registered=False) as anna:
        name = await anna.dials("100")
        answer = await anna.answered(name)
        anna.further("ACK", name, answer, 1)
        to = value(answer, "To").partition(";tag=")[0]
        for cseq, wrong in ((10, to + ";tag=wrong"), (11, to + ";tag="), (12, to + ";tag=" + "x" * 5000)):
            anna.further("BYE", name, answer, cseq, to=wrong)
            # An empty tag is none: that BYE begins something new, and is asked for a password.
            statuses = (481, 407) if wrong.endswith("=") else (481,)
            await anna.hears(lambda data, c=cseq, s=statuses: any(is_answer(data, status, f"{c} BYE") for status in s))  # type: ignore[misc]
        anna.further("INFO", name, answer, 20)
        await anna.hears(lambda data: is_answer(data, 200, "20 INFO"))
        anna.further("INFO", name, answer, 19)
        await anna.hears(lambda data: is_answer(data, 500, "19 INFO"))
        anna.further("BYE", name, answer, 21)
        await anna.hears(lambda data: is_answer(data, 200, "21 BYE"))
        await recorded(system, anna, name, "attendant.caller_left")
        await assert_nothing_is_left(system)


async def test_it_calls_itself_and_nobody_else(system: System) -> None:
    """Whoever calls his own number rings himself once, and not for ever."""
    async with bad_phone(system, HOST, "anna") as anna:
        name = await anna.dials("101")
        invite = await anna.asked("INVITE")
        for _ in range(3):
            anna.says(invite, "302 Moved Temporarily", "Contact: <sip:101@lumen.test>")
        rounds = 1
        while True:
            final = [data for data in anna.heard if value(data, "CSeq") == "1 INVITE" and data[8:9] in b"3456" and data.startswith(b"SIP")]
            if final:
                break
            assert rounds < 20, "redirected for ever"
            again = [data for data in anna.heard if data.startswith(b"INVITE")]
            for data in again:
                anna.heard.remove(data)
                rounds += 1
                anna.says(data, "302 Moved Temporarily", "Contact: <sip:101@lumen.test>")
            await asyncio.sleep(0.05)
        anna.send(plain("ACK", "sip:101@lumen.test", anna, name, to=value(final[0], "To"), of="INVITE"))
        anna.heard.clear()
        await assert_nothing_is_left(system)


async def test_no_hop_is_left(system: System) -> None:
    async with bad_phone(system, HOST, "anna", registered=False) as anna:
        request = plain("INVITE", "sip:100@lumen.test", anna, "hops", KIND, body=sdp())
        anna.send(anna.signed(request.replace(b"Max-Forwards: 70", b"Max-Forwards: 0")))
        await anna.hears(lambda data: is_answer(data, 483))


async def test_it_changes_its_port_with_and_without_a_word(system: System) -> None:
    """Sound from a new port that no offer named disturbs nobody; after a re-INVITE it is heard again, and comes back to the new one."""
    async with bad_phone(system, HOST, "anna", registered=False) as anna, registered(system.phone("ben")) as (ben,):
        ports = [await rtp_port() for _ in range(3)]
        name = await anna.dials("102", body=sdp(ports[0].port))
        other = await ben.rings(PATIENCE_SECONDS)
        answering = asyncio.create_task(other.answers())
        answer = await anna.answered(name)
        anna.further("ACK", name, answer, 1)
        await answering
        there = port_in(answer)
        ports[0].speak(there)
        await other.hears.tone(HIGH, patience=PATIENCE_SECONDS)
        ports[0].hush()
        ports[1].speak(there)
        await asyncio.sleep(1.0)
        assert other.state is CallState.UP
        ports[1].hush()
        anna.further("INVITE", name, answer, 2, KIND, body=sdp(ports[2].port).replace("7 1 IN", "7 2 IN"))
        again = await anna.hears(lambda data: is_answer(data, 200, "2 INVITE"))
        anna.further("ACK", name, answer, 2)
        ports[2].speak(port_in(again))
        await other.hears.tone(HIGH, patience=PATIENCE_SECONDS)
        await eventually(lambda: ports[2].packets > 10, "sound at the new port")
        anna.further("BYE", name, answer, 3)
        await other.ended()
        for port in ports:
            port.hush()
            port.transport.close()
        await recorded(system, anna, name, "completed.by_caller")
        await assert_nothing_is_left(system)


class RtpPort(asyncio.DatagramProtocol):
    """A port that says a tone and counts what it is told."""

    def __init__(self) -> None:
        self.packets = 0
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]
        self.port = int(transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.packets += 1

    def speak(self, to: tuple[str, int]) -> None:
        self._task = asyncio.create_task(self._speaking(to))

    def hush(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _speaking(self, to: tuple[str, int]) -> None:
        samples = tone((HIGH,), 20.0)
        for number in range(len(samples) // 160):
            payload = encode(samples[number * 160 : number * 160 + 160], "PCMU")
            packet = RtpPacket(payload_type=0, sequence=number & 0xFFFF, timestamp=number * 160, ssrc=self.port, payload=payload)
            self.transport.sendto(packet.pack(), to)
            await asyncio.sleep(0.02)


async def rtp_port() -> RtpPort:
    """A free port on loopback."""
    _, port = await asyncio.get_running_loop().create_datagram_endpoint(RtpPort, local_addr=("127.0.0.1", 0))
    return port


def port_in(answer: bytes) -> tuple[str, int]:
    """Where the answer wants sound."""
    line = next(line for line in answer.decode().split("\r\n") if line.startswith("m=audio"))
    return "127.0.0.1", int(line.split()[1])
