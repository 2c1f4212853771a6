"""The few pages for people: what runs here, what the API offers, and what invitations lead to. Plain HTML, no scripts."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from offhook.domain.errors import Conflict, Invalid, Missing, Refusal, Unavailable
from offhook.doors.api.access import Inside
from offhook.doors.api.house import House
from offhook.doors.api.people import in_effect
from offhook.doors.api.problems import HTTP_STATUS
from offhook.doors.api.words import WORDS, language_of
from offhook.services.countries import list_countries
from offhook.services.country_facts import CODES, name_of
from offhook.services.invitations import Guest, accept, look_at

_TEMPLATES = Path(__file__).parent / "templates"
_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.filters["code"] = lambda text: Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))
_OF_ORGANIZATION = ("name", "domain", "country", "time_zone")
_OF_PERSON = ("username", "name", "password", "again")

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(request: Request, house: Inside) -> Response:
    """What runs here, and where to go."""
    return _page(request, "home.html", version=house.version, sip_address=house.sip_address)


@router.get("/health")
async def health(request: Request, house: Inside) -> Response:
    """How the system fares, at a glance; what is wrong in detail stands at /healthz, for whoever has a token."""
    report = await house.health.report()
    state = "ok" if report.healthy else "limited" if report.ready else "failing"
    seen = datetime.fromtimestamp(report.at, UTC).strftime("%H:%M:%S")
    return _page(request, "health.html", report=report, state=state, seen=seen)


@router.get("/api")
def api(request: Request) -> Response:
    """What the API offers, for people; read from its own description."""
    described = request.app.openapi()
    offers = [
        {"method": method.upper(), "path": path, "text": offer.get("description", "")}
        for path, methods in described["paths"].items()
        for method, offer in methods.items()
    ]
    return _page(request, "api.html", offers=offers, description=request.app.openapi_url)


@router.get("/style.css")
def style() -> Response:
    """How all pages look."""
    return FileResponse(_TEMPLATES / "style.css", media_type="text/css", headers={"Cache-Control": "max-age=3600"})


@router.get("/welcome/{token}")
async def welcome(request: Request, house: Inside, token: str) -> Response:
    """The form of an invitation: it makes an organization, or lets somebody into one as its administrator."""
    try:
        guest = await run_in_threadpool(look_at, house.store, token)
    except (Missing, Unavailable) as refusal:
        return _no_form(request, refusal)
    if guest.profile is None:
        return await _form(request, house, guest, dict.fromkeys(_OF_ORGANIZATION, "") | {"time_zone": "UTC"}, None)
    return await _form(request, house, guest, {"username": guest.username or "", "name": guest.user.name if guest.user else ""}, None)


@router.post("/welcome/{token}")
async def accepted(request: Request, house: Inside, token: str) -> Response:
    """Use an invitation: whoever it lets in is shown, once, the token that they have by it."""
    sent = await request.form()
    try:
        guest = await run_in_threadpool(look_at, house.store, token)
        names = _OF_ORGANIZATION if guest.profile is None else _OF_PERSON
        values = {field: value if isinstance(value := sent.get(field, ""), str) else "" for field in names}
        try:
            return await (_created if guest.profile is None else _joined)(request, house, token, values)
        except (Invalid, Conflict, Unavailable) as refusal:
            return await _form(request, house, guest, values, refusal)
    except (Missing, Unavailable) as refusal:
        return _no_form(request, refusal)


async def _created(request: Request, house: House, token: str, values: dict[str, str]) -> Response:
    profile, api_token = await run_in_threadpool(lambda: accept(house.store, token, **values))
    counts = await in_effect(house)
    return _page(request, "created.html", profile=profile, token=api_token, in_effect=counts, **_where(request, house))


async def _joined(request: Request, house: House, token: str, values: dict[str, str]) -> Response:
    if values.pop("again") != values["password"]:
        raise Invalid("The two passwords are not the same; type them again.", "again")
    signed_in = await house.sign_ins.admit(house.store, token, **values, language=_language(request))
    counts, until = await in_effect(house), datetime.fromtimestamp(signed_in.expires_at, UTC).strftime("%Y-%m-%d %H:%M")
    more = {"profile": signed_in.profile, "user": signed_in.user, "token": signed_in.token, "until": until}
    return _page(request, "joined.html", in_effect=counts, **more, **_where(request, house))


def _no_form(request: Request, refusal: Missing | Unavailable) -> Response:
    """The link leads nowhere, or nobody can say now where it leads."""
    title = "gone_title" if isinstance(refusal, Missing) else "later_title"
    return _page(request, "no_form.html", HTTP_STATUS[refusal.kind], title=title, error=_told(refusal, WORDS[_language(request)]))


def _told(refusal: Refusal, words: Mapping[str, str]) -> str:
    return words.get(f"{refusal.code} {refusal.field}", refusal.explanation)


def _where(request: Request, house: House) -> dict[str, str]:
    return {"url": str(request.base_url).rstrip("/"), "sip_address": house.sip_address}


async def _form(request: Request, house: House, guest: Guest, values: dict[str, str], refusal: Refusal | None) -> Response:
    language = _language(request)
    error = refusal and _told(refusal, WORDS[language])
    status, field = (HTTP_STATUS[refusal.kind], refusal.field) if refusal else (200, None)
    told = {"values": values, "error": error, "field": field}
    if guest.profile is not None:
        return _page(request, "join.html", status, **told, guest=guest)
    served = await run_in_threadpool(_served, house)
    countries = [each for each in _countries(language) if each[0] in served]
    return _page(request, "welcome.html", status, **told, countries=countries, time_zones=_time_zones())


def _served(house: House) -> frozenset[str]:
    """The countries that can be chosen; all, where the database cannot say: the form is shown with what was typed, to be sent again."""
    try:
        return frozenset(each.facts.code for each in list_countries(house.store, served=True))
    except Unavailable:
        return frozenset(CODES)


def _page(request: Request, name: str, status: int = 200, /, **values: Any) -> Response:
    language = _language(request)
    text = _environment.get_template(name).render(language=language, words=WORDS[language], **values)
    return HTMLResponse(text, status, {"Content-Language": language, "Vary": "Accept-Language"})


def _language(request: Request) -> str:
    return language_of(request.headers.get("accept-language", ""))


@cache
def _countries(language: str) -> list[tuple[str, str]]:
    """Every country with telephone numbers: code and name, in the order of the names."""
    countries = [(code, name_of(code, language)) for code in CODES]
    return sorted(countries, key=lambda country: unicodedata.normalize("NFKD", country[1]).casefold())


@cache
def _time_zones() -> list[str]:
    """Every time zone that people know by a place."""
    return ["UTC", *sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))]
