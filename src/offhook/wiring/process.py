"""What all our processes do alike: read the plan, write a log, run until asked to stop."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from offhook.logs import write_logs
from offhook.plan import SystemPlan, read_plan


def run_process(work: Callable[[SystemPlan], Coroutine[Any, Any, None]]) -> None:
    """Run one process of the system to its end; its only argument is the file of the plan."""
    plan = read_plan(Path(sys.argv[1]))
    write_logs(work.__name__.removeprefix("run_"), plan.log_level, plan.log_format)

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
