"""Refusals as HTTP says them: problem details (RFC 9457), every one with its stable code.

`type` is about:blank, so `title` is the status's own phrase; `code` is what programs should look at, `detail` is for people.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offhook.domain.errors import Kind, Refusal, Throttled
from offhook.doors.api.headers import SECURITY_HEADERS
from offhook.doors.api.resources import Unchanged

HTTP_STATUS = {
    Kind.INVALID: 422,
    Kind.MISSING: 404,
    Kind.CONFLICT: 409,
    Kind.STALE: 412,
    Kind.FORBIDDEN: 403,
    Kind.UNAUTHENTICATED: 401,
    Kind.THROTTLED: 429,  # RFC 6585 4
    Kind.UNAVAILABLE: 503,
}
_RETRY_SECONDS = "5"  # what is down is restarted within so many seconds
_HEADERS = {401: {"WWW-Authenticate": 'Bearer realm="Offhook"'}, 503: {"Retry-After": _RETRY_SECONDS}}
_CODES = {404: "path.missing", 405: "method.not_allowed", 413: "request.too_large"}
OF_THE_FRAMEWORK = (
    ("path.missing", 404, "There is nothing at this path."),
    ("method.not_allowed", 405, "What stands at this path cannot be asked for that."),
    ("request.too_large", 413, "The body has more octets than are taken there."),
    ("request.unreadable", 400, "The body is not JSON."),
    ("request.refused", 400, "The request is no HTTP that can be read."),
    ("system.mistake", 500, "Offhook made a mistake of its own; the log of the web process has the details."),
)
"""Codes of problems that are no refusal of ours, with status and words."""
_PLACES = frozenset({"body", "query", "path", "header"})

log = logging.getLogger(__name__)


def problem(status: int, code: str, detail: str, field: str | None = None, **more: Any) -> Response:
    """The answer that says no. `more` is added to it as further members."""
    members = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    if field is not None:
        members["field"] = field
    return JSONResponse(members | more, status, _HEADERS.get(status), "application/problem+json")


def refused(refusal: Refusal) -> Response:
    """The answer for a refusal."""
    answer = problem(HTTP_STATUS[refusal.kind], refusal.code, refusal.explanation, refusal.field)
    if isinstance(refusal, Throttled):
        answer.headers["Retry-After"] = str(max(1, math.ceil(refusal.seconds)))
    return answer


async def _refused(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return refused(refusal)


async def _unchanged(_request: Request, unchanged: Exception) -> Response:
    assert isinstance(unchanged, Unchanged)
    return Response(status_code=304, headers={"ETag": unchanged.etag})


async def _unreadable(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        {
            "field": ".".join(map(str, fault["loc"][1:] if fault["loc"][0] in _PLACES else fault["loc"])) or "body",
            "explanation": fault["msg"],
            "type": fault["type"],
        }
        for fault in error.errors()
    ]
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(400, "request.unreadable", "The body is not JSON.", "body")
    errors = [{"field": fault["field"], "explanation": fault["explanation"]} for fault in faults]
    said = "; ".join(f"{fault['field']}: {fault['explanation']}" for fault in errors)
    return problem(422, "value.invalid", said, errors[0]["field"], errors=errors)


async def _refused_by_framework(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused_by_framework(error)


def refused_by_framework(error: HTTPException) -> Response:
    """The answer for what the framework refuses by itself."""
    answer = problem(error.status_code, _CODES.get(error.status_code, "request.refused"), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _our_mistake(request: Request, error: Exception) -> Response:
    # The path may hold an invitation; the route's pattern does not.
    route = request.scope.get("route")
    log.error("%s %s failed", request.method, getattr(route, "path", "(no route)"), exc_info=error)
    answer = problem(500, "system.mistake", "Offhook made a mistake of its own; the log of the web process has the details.")
    answer.headers.update(SECURITY_HEADERS)  # this answer is made outside of every middleware
    return answer


class BodyCeiling:
    """Refuses a body of more than `octets`, its length announced or found out; `roomy` has higher ceilings by path, for who is `known`.

    The framework's own limit would answer in plain text; and it reads what it is sent before it asks who sends it.
    """

    def __init__(self, app: ASGIApp, octets: int, roomy: Mapping[str, int], known: Callable[[Headers], Awaitable[bool]]) -> None:
        self._app = app
        self._octets = octets
        self._roomy = roomy
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        announced = Headers(scope=scope).get("content-length", "0") if scope["type"] == "http" else "0"
        most, words = self._octets, f"A request may have at most {self._octets} octets here."
        if scope.get("path", "") in self._roomy:
            try:
                if await self._known(Headers(scope=scope)):
                    most = self._roomy[scope["path"]]
                    words = f"A request may have at most {most} octets here."
            except Refusal as refusal:
                await refused(refusal)(scope, receive, send)
                return
        if announced.isdecimal() and int(announced) > most:
            await problem(413, "request.too_large", words)(scope, receive, send)
            return
        came = 0

        async def receive_counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                raise HTTPException(413, words)
            return message

        await self._app(scope, receive_counted, send)


def translate_refusals(app: FastAPI) -> None:
    """Let every refusal, and every mistake, leave the app as problem details."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(Unchanged, _unchanged)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _refused_by_framework)
    app.add_exception_handler(Exception, _our_mistake)
