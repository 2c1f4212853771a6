"""The switch process."""

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Iterator

from offhook.domain.calls.ids import call_id
from offhook.engines.kamailio.client import Edge
from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.digits import DigitLine
from offhook.engines.rtpengine.ports import Ports
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.engines.rtpengine.watch import MediaWatch
from offhook.engines.signalling.line import EdgeLine
from offhook.engines.speech.prompts import Prompts
from offhook.metrics import Figures
from offhook.plan import SystemPlan
from offhook.services.snapshot import Snapshot
from offhook.sip.addresses import Address
from offhook.sip.session_timers import SessionTimers
from offhook.store.engine import open_engine
from offhook.store.records import RecordsWriter
from offhook.switch.admission import Admission
from offhook.switch.carriers import CarrierWatch
from offhook.switch.desk import open_desk
from offhook.switch.exchange import Exchange
from offhook.switch.executor import Executor
from offhook.switch.garbage import collect_when_quiet, spare_the_old
from offhook.switch.journal import Journal
from offhook.switch.media_deaths import MediaDeaths
from offhook.switch.recovery import clear_up, say_goodbye
from offhook.switch.relief import Relief
from offhook.switch.watch import Counted, Watch
from offhook.wiring.configuration import Configuration
from offhook.wiring.engines import LOOPBACK, edge_settings
from offhook.wiring.figures import switch_gauges
from offhook.wiring.process import asked_to_stop, run_process

log = logging.getLogger(__name__)


def _tokens() -> Iterator[str]:
    """Unguessable words of 64 bits, for ever. The kernel is asked for many at once: one question each cost a call 5 % of its CPU."""
    while True:
        block = secrets.token_hex(8 * 256)
        for start in range(0, len(block), 16):
            yield block[start : start + 16]


def share_in_small_slices() -> None:
    """Let the call loop have the interpreter back soon while a thread of ours writes records or the journal.

    With Python's 5 ms each wake of the loop waited so long for it: at 100 calls a second the p95 of a set-up fell from 134 ms to 50.
    """
    sys.setswitchinterval(0.0003)


async def run_switch(plan: SystemPlan) -> None:
    """The switch process: until SIGTERM, and then until its calls are drained."""
    share_in_small_slices()
    engine = open_engine(plan.database_url)
    edge = Edge(edge_settings(plan))
    held = Configuration(plan, engine, edge)
    ng, prompts = await NgClient.connect(LOOPBACK, plan.ng_port), Prompts(plan.folder / "prompts")
    wired: list[Executor] = []
    # The three know of each other: the journal asks the line for dialogs, and is told by the writer of records what it may forget.
    journal = Journal(plan.folder / "calls.journal", lambda leg: line.remembered(leg))
    records = RecordsWriter(engine, spool=plan.folder / "records.spool", on_kept=journal.settled)
    watch = Watch(Figures())
    exchange = Exchange(lambda: wired[0], records, watch, journal, Admission(plan.most_calls, plan.most_calls_a_user))
    media = RtpEngine(ng, Ports(plan.rtp_last - plan.rtp_first + 1))
    line = _line(plan, exchange)
    wired.append(Executor(line, media, edge, prompts, prompts, lambda: held.snapshot, plan.offers_srtp))
    carriers = CarrierWatch(lambda: [each.carrier for each in held.snapshot.carriers], line.ask, plan.ping_carriers_seconds)
    switch_gauges(watch.figures, exchange, records, media, carriers)
    digits = DigitLine(LOOPBACK, plan.ng_tcp_port, exchange.heard)
    tasks = [asyncio.create_task(digits.listen(), name="digits"), asyncio.create_task(held.look_again(), name="changes")]
    tasks.append(asyncio.create_task(watch.watch_loop(), name="lag of the loop"))
    deaths = MediaDeaths(exchange, media)
    tasks.append(asyncio.create_task(MediaWatch(media, deaths.restarted, deaths.absent).look(), name="life of rtpengine"))
    spare_the_old()
    await line.open()
    say_goodbye(journal.left, line)
    tasks.append(asyncio.create_task(clear_up(journal.left, media, Counted(records, watch), exchange.alive), name="recovery"))
    tasks.append(asyncio.create_task(carriers.watch(), name="life of carriers"))
    tasks.append(asyncio.create_task(_relief(plan, line, exchange, watch).look(), name="relief"))
    tasks.append(asyncio.create_task(collect_when_quiet(lambda: exchange.begun, lambda: bool(exchange.alive())), name="garbage"))
    desk = await open_desk(plan.switch_desk, exchange, held, watch.figures, lambda: records.lost, carriers.told)
    warmed = asyncio.create_task(_speak_ahead(prompts, held.snapshot), name="prompts")
    await asked_to_stop()
    await exchange.drain(plan.drain_seconds)
    for task in (*tasks, warmed):
        task.cancel()
    desk.close()
    line.close()
    ng.close()
    await prompts.close()
    await asyncio.to_thread(records.close)
    await asyncio.to_thread(journal.close)


def _line(plan: SystemPlan, exchange: Exchange) -> EdgeLine:
    return EdgeLine(
        local=Address(LOOPBACK, plan.switch_port),
        edge=Address(LOOPBACK, plan.edge_inner_port),
        address=plan.address,
        deliver=exchange.deliver,
        observe=exchange.observe,
        new_call=lambda: call_id(time.time_ns() // 1_000_000, secrets.randbits(30)),
        tokens=_tokens().__next__,
        follows_redirects=plan.follows_redirects,
        offers_srtp=plan.offers_srtp,
        session_timers=SessionTimers(plan.session_seconds) if plan.session_seconds else None,
    )


def _relief(plan: SystemPlan, line: EdgeLine, exchange: Exchange, watch: Watch) -> Relief:
    hurried = Edge(edge_settings(plan))  # a line of its own: on the other this would wait behind the look-ups of all the calls there are
    return Relief(plan.new_calls_per_second, line.filled, lambda: exchange.begun, hurried.limit_new_calls, watch.heard)


async def _speak_ahead(prompts: Prompts, snapshot: Snapshot) -> None:
    """Make what is heard before the first caller waits for it: music, ringing tones and greetings."""
    for codec in ("PCMU", "PCMA"):
        try:
            await prompts.music(codec)
            for country in sorted({organization.country for organization in snapshot.organizations.values()}):
                await prompts.ringback(country, codec)
        except Exception as why:
            log.warning("music and ringing tones cannot be made: %s", why)
    for organization in snapshot.organizations.values():
        for attendant in organization.attendants.values():
            try:
                await prompts.say(attendant.greeting, attendant.language, "PCMU")
            except Exception as why:
                log.warning("the greeting of %s (%s) cannot be spoken: %s", attendant.name, organization.domain, why)


if __name__ == "__main__":
    run_process(run_switch)
