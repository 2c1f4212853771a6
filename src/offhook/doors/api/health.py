"""Whether the system works, for monitors and for people. Everybody may ask; what is wrong in detail needs a token (docs/decisions/0024)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials

from offhook.doors.api.access import Inside, bearer
from offhook.doors.api.house import House
from offhook.services.health import Part, Report
from offhook.services.tokens import authenticate

router = APIRouter(tags=["health"])

Sent = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


@router.get("/healthz")
async def healthz(house: Inside, sent: Sent) -> Response:
    """Whether every process and engine works: 200 if all do, else 503. With a token, what is wrong too."""
    report = await house.health.report()
    return await _told(house, report, sent, well=report.healthy, parts=report.parts)


@router.get("/readyz")
async def readyz(house: Inside, sent: Sent) -> Response:
    """Whether a new call can be set up: 200, or 503 when a part that every call needs is away or the system is being stopped."""
    report = await house.health.report()
    return await _told(house, report, sent, well=report.ready, parts=[part for part in report.parts if part.needed_for_calls])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Whether the web process answers; asks nobody else."""
    return {"status": "ok"}


async def _told(house: House, report: Report, sent: HTTPAuthorizationCredentials | None, *, well: bool, parts: Any) -> Response:
    details = sent is not None
    if sent is not None:
        await run_in_threadpool(authenticate, house.store, sent.credentials)
    told = {
        "status": "ok" if well else "failing",
        "at": round(report.at, 3),
        "parts": {part.name: _part(part, details=details) for part in parts},
    }
    return JSONResponse(told, 200 if well else 503)


def _part(part: Part, *, details: bool) -> Any:
    status = "ok" if part.ok else "failing"
    return {"status": status, "detail": part.words, "seconds": round(part.seconds, 4)} if details else status
