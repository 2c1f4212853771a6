"""The web process's application: the API under /api/v1, and a few plain pages."""

import asyncio

from fastapi import Depends, FastAPI
from starlette.datastructures import Headers

from offhook.doors.api import (
    attendants,
    calls,
    carriers,
    catalogue,
    configuration,
    countries,
    devices,
    docs,
    edge,
    events,
    health,
    history,
    invitations,
    jobs,
    mails,
    metrics,
    numbers,
    organizations,
    pages,
    people,
    prices,
    provider,
    sign_in,
    stock,
    system,
    tokens,
    trials,
    webhooks,
    what_if,
)
from offhook.doors.api.access import visitor_of
from offhook.doors.api.described import describe
from offhook.doors.api.headers import SecurityHeaders
from offhook.doors.api.house import House
from offhook.doors.api.idempotency import Idempotency
from offhook.doors.api.problems import BodyCeiling, translate_refusals
from offhook.doors.api.queries import refuse_the_unknown

API = "/api/v1"
OURS = (
    people,
    organizations,
    invitations,
    carriers,
    provider,
    stock,
    countries,
    catalogue,
    prices,
    devices,
    attendants,
    numbers,
    history,
    sign_in,
    tokens,
    webhooks,
    mails,
    events,
    configuration,
    what_if,
    jobs,
    calls,
    edge,
    trials,
    system,
)
"""The rooms of the API, each a module with a `router`; what is added here stands under /api/v1."""

MOST_OCTETS = 64 * 1024
"""The longest body a request may have; nothing we are sent is a hundredth of it."""

_FILE_OCTETS = 32 * 2**20
ROOMY = {f"{API}/{path}": _FILE_OCTETS for path in ("configuration/plan", "configuration/apply", "route", "replay")}
ROOMY |= {f"{API}/jobs/import-users": 16 * 2**20, f"{API}/provider/stock/import": 4 * 2**20}
ROOMY[f"{API}/provider/prices/import"] = 2 * 2**20
"""Whole files are sent here."""


def create_app(house: House) -> FastAPI:
    """The application for a house. It starts nothing and owns nothing: who makes the house ends it."""
    app = FastAPI(
        title="Offhook",
        version=house.version,
        openapi_url=f"{API}/openapi.json",
        # The framework's pages for reading this load scripts from elsewhere; ours (/api) needs none.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Traces of requests would carry invitations away in their addresses.
        telemetry={"tracing": False},
    )

    async def known(headers: Headers) -> bool:
        return await visitor_of(house.store, headers) is not None

    app.state.house = house
    app.state.selftest = asyncio.Lock()
    for room in OURS:
        app.include_router(room.router, prefix=API, dependencies=[Depends(refuse_the_unknown)])
    # Where monitors look for them: at the root.
    for room in (health, metrics, pages, docs):
        app.include_router(room.router)
    app.add_middleware(Idempotency, house=house, under=API)
    app.add_middleware(BodyCeiling, octets=MOST_OCTETS, roomy=ROOMY, known=known)
    app.add_middleware(SecurityHeaders)
    translate_refusals(app)
    describe(app)
    return app
