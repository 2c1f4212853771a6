"""A system that is asked to stop while people talk, and what is the same when it runs again."""

import asyncio
import json
import logging
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from offhook.phones.calls import CallRefuses
from offhook.phones.phone import Phone
from tests.calls.stories import HIGH, connected, eventually, found, hear_each_other, registered
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines
log = logging.getLogger(__name__)

DRAIN_SECONDS = 6
SETTINGS = ("OFFHOOK_DATA_DIR", "OFFHOOK_SIP_PORT", "OFFHOOK_HTTP_PORT")


def _again(system: System) -> System:
    """The same system once more."""
    return start_system(system.folder, **{name: system.environment[name] for name in SETTINGS})


async def test_a_call_may_go_on_for_a_while_and_new_ones_are_refused_but_not_emergencies(tmp_path: Path) -> None:
    system = start_system(tmp_path / "var", OFFHOOK_DRAIN_SECONDS=str(DRAIN_SECONDS))
    async with registered(system.phone("anna"), system.phone("ben"), system.phone("chloe")) as (anna, ben, chloe):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        began = time.monotonic()
        system.process.send_signal(signal.SIGTERM)
        await eventually(lambda: "Stopping." in system.output.read_text(), "the system says that it stops")
        refused = await _refused_while_it_stops(chloe)
        emergency = await (await chloe.dials("911")).answered()
        await emergency.hears.speech()
        assert call.ending is None and call.hears.heard_tone(HIGH), call.story()
        endings = [await each.ended(DRAIN_SECONDS + 10) for each in (call, other, emergency)]
        log.info("seconds from SIGTERM to the last BYE: %.2f", time.monotonic() - began)
        assert [(ending.status, ending.who.value) for ending in endings] == [(200, "them")] * 3
        assert await asyncio.to_thread(system.process.wait, 15) == 0
        assert not (system.folder / "sandbox.json").exists()
        await asyncio.gather(*(phone.vanish() for phone in (anna, ben, chloe)))
    again = _again(system)
    try:
        assert _told(again.sandbox) == _told(system.sandbox)
        for sip_call_id in (call.call_id, refused, emergency.call_id):
            record = found(again, sip_call_id)
            assert record is not None and record["record"]["state"] == "system.stopped", sip_call_id
        async with registered(again.phone("anna"), again.phone("ben")) as (anna, ben):
            await hear_each_other(*await connected(anna, ben, "102"))
    finally:
        assert again.stop() == 0


async def _refused_while_it_stops(phone: Phone) -> str:
    """The Call-ID of the first call that is refused; the pages are closed before the switch is told, so calls go through at first."""
    while True:
        call = await phone.dials("101")
        try:
            await call.ringing()
        except CallRefuses:
            ended = await call.ended()
            assert ended.status == 503, call.story()
            return call.call_id
        await call.hangs_up()


def _told(sandbox: dict[str, Any]) -> str:
    """What a sandbox says of itself that must stay: everything but the ports that are chosen at each start."""
    return json.dumps({**sandbox, "carrier": None, "others": [{**each, "carrier": None} for each in sandbox["others"]]})


async def test_the_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    system = start_system(tmp_path / "var", OFFHOOK_DRAIN_SECONDS="600")
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        system.process.send_signal(signal.SIGTERM)
        await eventually(lambda: "Stopping." in system.output.read_text(), "the system says that it stops")
        with pytest.raises(AssertionError, match="it ends by itself"):
            await eventually(lambda: system.process.poll() is not None, "it ends by itself", 1.0)
        assert call.ending is None
        began = time.monotonic()
        system.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(system.process.wait, 15) == 0
        log.info("seconds from the second SIGTERM to the end: %.2f", time.monotonic() - began)
        assert not (system.folder / "sandbox.json").exists()
        await asyncio.gather(anna.vanish(), ben.vanish())
