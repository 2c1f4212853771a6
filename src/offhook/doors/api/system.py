"""How the system itself stands."""

from typing import Any

from fastapi import APIRouter

from offhook.doors.api.access import Inside, Visitor, needs

router = APIRouter(tags=["system"])


@router.get("/status", dependencies=[needs("organization:read")])
async def status(house: Inside, _visitor: Visitor) -> dict[str, Any]:
    """Processes, engines and ports."""
    return {"version": house.version, **await house.status()}


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether the web process answers; asks nobody else, and no token."""
    return {"status": "ok"}
