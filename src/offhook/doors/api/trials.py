"""Real calls made to see whether the system works."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from offhook.domain.errors import Conflict
from offhook.doors.api.access import Inside, Visitor, needs
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.shapes import CallTried, SelfTestShown

router = APIRouter(tags=["trials"])


class SelfTestRuns(Conflict):
    """Two self-tests at once would answer each other's calls."""

    code = "selftest.running"


@router.post("/sandbox/calls", dependencies=[needs("calls:write"), KEYLESS])
async def sandbox_call(house: Inside, _visitor: Visitor, asked: CallTried) -> dict[str, Any]:
    """Make a call in from the sandbox's public network, and report what was heard."""
    return await house.carrier.call(asked.from_number, asked.to_number, asked.digits, asked.listen_seconds)


@router.post("/selftest", dependencies=[needs("calls:write"), KEYLESS])
async def selftest(request: Request, house: Inside, _visitor: Visitor) -> SelfTestShown:
    """Place real calls through the running system, in a hidden organization of its own; answers when the last one is over."""
    running: asyncio.Lock = request.app.state.selftest
    if running.locked():
        raise SelfTestRuns("A self-test is running; wait until it is over.")
    async with running:
        rows = await house.selftest.run()
    tried = [row["passed"] for row in rows if not row["skipped"]]
    return SelfTestShown(passed=bool(tried) and all(tried), rows=rows)
