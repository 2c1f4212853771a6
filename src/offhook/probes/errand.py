"""The self-test as an errand: played in a process of its own, so that no page waits for a telephone and no tone for a page."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from offhook.domain.errors import Unavailable

LONGEST_SECONDS = 600.0


class Errand:
    """Implements services.ports.live.SelfTest. One at a time: its telephones are the same each time."""

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> list[dict[str, Any]]:
        """See the port. Raises Unavailable when the self-test itself could not be played."""
        async with self._one_at_a_time:
            command = (sys.executable, "-P", "-m", "offhook.wiring.probe", str(self._plan))
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            try:
                output, _ = await asyncio.wait_for(process.communicate(), LONGEST_SECONDS)
            except (TimeoutError, asyncio.CancelledError):
                process.kill()
                await process.wait()
                raise
            if process.returncode != 0:
                raise Unavailable("The self-test could not be played; the log of the web process says why.")
            return [json.loads(line) for line in output.splitlines()]
