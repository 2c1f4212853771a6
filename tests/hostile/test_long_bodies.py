"""Bodies longer than the edge takes over a connection: it is closed, whoever sent them comes back, and nobody else notices."""

import pytest

from offhook.phones.happenings import Who
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import PATIENCE_SECONDS, eventually, found, registered, told
from tests.calls.system import System
from tests.hostile.standing import undisturbed

pytestmark = pytest.mark.engines


def message(octets: int, transport: str) -> bytes:
    """A MESSAGE with such a body; the edge takes 16 kB in all."""
    head = (
        f"MESSAGE sip:paul@pine.test SIP/2.0\r\nVia: SIP/2.0/{transport.upper()} 127.0.0.1:5060;branch=z9hG4bK{octets};rport\r\n"
        f"From: <sip:ben@lumen.test>;tag=1\r\nTo: <sip:paul@pine.test>\r\nCall-ID: long-{transport}-{octets}\r\nCSeq: 1 MESSAGE\r\n"
        f"Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: {octets}\r\n\r\n"
    )
    return head.encode() + b"x" * octets


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_who_sends_64_kb_is_cut_off_and_registers_again_and_his_call_goes_on(system: System, transport: str) -> None:
    async with undisturbed(system, "anna", "chloe", "103"), registered(system.phone("ben", transport=transport)) as (ben,):
        call = await (await ben.dials("12065550199")).answered(PATIENCE_SECONDS)
        await call.hears.speech(PATIENCE_SECONDS)
        assert ben.registration is not None and ben._wire is not None and ben.account is not None
        times, edge = ben.registration.registered, ben.account.edge
        ben._wire.send(message(12_000, transport), edge)
        assert (await (await ben.dials("12")).ended(PATIENCE_SECONDS)).status == 484, "over the same connection"
        assert ben.registration.registered == times, "12 kB are taken"
        ben._wire.send(message(65_536, transport), edge)
        await eventually(lambda: ben.registration is not None and ben.registration.registered > times, "ben's telephone connecting anew")
        assert found(system, call.call_id, live=True) is not None
        assert (await call.hangs_up(PATIENCE_SECONDS)).who is Who.US
        await told(system, call, "completed.by_caller")
    await assert_nothing_is_left(system)
