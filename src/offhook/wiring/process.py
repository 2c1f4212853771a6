"""What all our processes do alike: read the plan, write a log, run until asked to stop."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from offhook.plan import SystemPlan, read_plan


def run_process(work: Callable[[SystemPlan], Awaitable[None]]) -> None:
    """Run one process of the system to its end; its only argument is the file of the plan."""
    plan = read_plan(Path(sys.argv[1]))
    logging.basicConfig(level=plan.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

    async def whole() -> None:
        await work(plan)

    uvloop.run(whole())


async def asked_to_stop() -> None:
    """Return when the supervisor asks this process to stop."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
