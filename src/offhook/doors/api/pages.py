"""The few pages for people: what runs here, what the API offers, and the birth of an organization by invitation. Plain HTML, no scripts."""

import re
import unicodedata
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import phonenumbers
from babel import Locale
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from offhook.domain.errors import Refusal
from offhook.doors.api.access import Inside
from offhook.doors.api.people import in_effect
from offhook.doors.api.problems import HTTP_STATUS
from offhook.doors.api.words import WORDS, language_of
from offhook.services.organizations import accept

_TEMPLATES = Path(__file__).parent / "templates"
_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.filters["code"] = lambda text: Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))
_FIELDS = ("name", "domain", "country")

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
def welcome(request: Request) -> Response:
    """The form that creates an organization. Whether the invitation is good is found out when it is used."""
    return _form(request, dict.fromkeys(_FIELDS, ""), None)


@router.post("/welcome/{token}")
async def create(request: Request, house: Inside, token: str) -> Response:
    """Create the organization and show its first token, once."""
    sent = await request.form()
    values = {field: value if isinstance(value := sent.get(field, ""), str) else "" for field in _FIELDS}
    try:
        profile, api_token = await run_in_threadpool(lambda: accept(house.store, token, **values))
    except Refusal as refusal:
        return _form(request, values, refusal)
    url, counts = str(request.base_url).rstrip("/"), await in_effect(house)
    return _page(request, "created.html", profile=profile, token=api_token, url=url, in_effect=counts, sip_address=house.sip_address)


def _form(request: Request, values: dict[str, str], refusal: Refusal | None) -> Response:
    language = _language(request)
    words = WORDS[language]
    error = refusal and words.get(f"{refusal.code} {refusal.field}", refusal.explanation)
    status, field = (HTTP_STATUS[refusal.kind], refusal.field) if refusal else (200, None)
    return _page(request, "welcome.html", status, values=values, error=error, field=field, countries=_countries(language))


def _page(request: Request, name: str, status: int = 200, /, **values: Any) -> Response:
    language = _language(request)
    text = _environment.get_template(name).render(language=language, words=WORDS[language], **values)
    return HTMLResponse(text, status, {"Content-Language": language, "Vary": "Accept-Language"})


def _language(request: Request) -> str:
    return language_of(request.headers.get("accept-language", ""))


@cache
def _countries(language: str) -> list[tuple[str, str]]:
    """Every country with telephone numbers: code and name, in the order of the names."""
    names = Locale(language).territories
    countries = [(code, names.get(code, code)) for code in phonenumbers.SUPPORTED_REGIONS]
    return sorted(countries, key=lambda country: unicodedata.normalize("NFKD", country[1]).casefold())
