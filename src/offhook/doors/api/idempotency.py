"""A POST that names an Idempotency-Key is done once, however often it is sent: docs/decisions/0030.

The key is written in the transaction of the change itself (deeds.RequestStore), so that whatever crashes, either both are there or neither.
The answer is written when it is made, a moment later; if the process dies between the two, the key says that it was done and the answer is
lost. What is shown once (SHOWN_ONCE) is not kept: a repeated answer has null there.
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offhook.domain.errors import Conflict, Invalid, Refusal, Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.doors.api.access import visitor_of
from offhook.doors.api.deeds import Pending
from offhook.doors.api.house import House
from offhook.doors.api.problems import refused, refused_by_framework
from offhook.services.ports.answers import Answer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
SHOWN_ONCE = frozenset({"password", "token", "secret", "link"})
"""Members of answers that are secrets: made once, shown once, kept by nobody."""

log = logging.getLogger(__name__)
_KEY = re.compile(r"[\x21-\x7e]{1,100}")
_KEPT_HEADERS = ("content-type", "etag", "location")


class OtherRequest(Invalid):
    """An idempotency key was used again for another request."""

    code = "idempotency.mismatch"


class BeingAnswered(Conflict):
    """The first request with this idempotency key is not answered yet."""

    code = "idempotency.in_flight"


class AnswerLost(Conflict):
    """What was asked with this idempotency key is done, but its answer was lost: Offhook was stopped, or failed, at that moment."""

    code = "idempotency.answer_lost"


class KeyNotKept(Invalid):
    """A request named an idempotency key of which nothing is kept, so that it would be done each time it is sent."""

    code = "idempotency.not_kept"


def _refuse_key(request: Request) -> None:
    if HEADER in request.headers:
        raise KeyNotKept("Nothing is kept of this request, so it is done each time it is sent; send it without an idempotency key.", HEADER)


KEYLESS = Depends(_refuse_key)
"""For a POST that changes nothing that is kept here: a key that did nothing must not look as if it did."""


class Idempotency:
    """Answers what was answered before as it was then, and keeps what is answered now."""

    def __init__(self, app: ASGIApp, house: House, under: str) -> None:
        self._app = app
        self._house = house
        self._under = under + "/"
        self._being_answered: set[tuple[OrganizationId | None, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        sent = Headers(scope=scope).get(HEADER) if scope["type"] == "http" else None
        if sent is None or scope["method"] != "POST" or not scope["path"].startswith(self._under):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            await self._serve(request, sent, send)
        except Refusal as refusal:
            await refused(refusal)(scope, receive, send)
        except HTTPException as error:  # the body was too large
            await refused_by_framework(error)(scope, receive, send)
        except ClientDisconnect:  # the body was not sent to its end, and nobody waits for an answer
            return

    async def _serve(self, request: Request, key: str, send: Send) -> None:
        if not _KEY.fullmatch(key):
            raise Invalid("An idempotency key has 1 to 100 visible ASCII characters, such as a UUID.", HEADER)
        access = await visitor_of(self._house.store, request.headers)
        if access is None:  # nobody: the routes themselves say what they think of that
            await self._app(request.scope, request.receive, send)
            return
        body = await request.body()
        receive = _once_more(body)
        pending = Pending(access.organization, key, _fingerprint(request, body))
        place = (access.organization, key)
        if place in self._being_answered:
            raise BeingAnswered("The first request with this key is still being answered; wait for it.", HEADER)
        self._being_answered.add(place)
        try:
            given = await run_in_threadpool(self._given, pending)
            if given is not None:
                await _again(given, pending)(request.scope, receive, send)
            else:
                await self._first(request.scope, receive, send, pending)
        finally:
            pending.over = True
            self._being_answered.discard(place)

    async def _first(self, scope: Scope, receive: Receive, send: Send, pending: Pending) -> None:
        """Serve it, and keep the answer before it is sent: who has it may ask again at once."""
        scope.setdefault("state", {})["pending"] = pending
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, collect)
        status = next(message["status"] for message in messages if message["type"] == "http.response.start")
        # A failure after the change is not what it led to: asked again, the key tells that it was done.
        if status < 300 or (pending.written and status < 500):
            try:
                await run_in_threadpool(self._keep, pending, messages)
            except Unavailable:
                log.warning("An answer could not be kept for its idempotency key; a repeated request is told so.")
        for message in messages:
            await send(message)

    def _given(self, pending: Pending) -> Answer | None:
        if pending.organization is None:
            with self._house.store.provider_view() as provider:
                return provider.answers.get(pending.key)
        with self._house.store.view(pending.organization) as transaction:
            return transaction.answers.get(pending.key)

    def _keep(self, pending: Pending, messages: list[Message]) -> None:
        start = next(message for message in messages if message["type"] == "http.response.start")
        body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
        headers = Headers(raw=start["headers"])
        kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        store, organization = self._house.store, pending.organization
        with store.provider_change("") if organization is None else store.change(organization, "") as transaction:
            if not pending.written:  # it found nothing to do
                transaction.answers.keep(pending.key, pending.fingerprint)
            transaction.answers.complete(pending.key, start["status"], kept, _without_secrets(body))


def _fingerprint(request: Request, body: bytes) -> str:
    """What makes two requests the same: who asks, method, address and body."""
    said = [request.headers.get(name, "") for name in ("authorization", "content-type")]
    asked = json.dumps([request.method, request.url.path, request.url.query, *said]).encode()
    return hashlib.sha256(asked + b"\n" + body).hexdigest()


def _again(given: Answer, pending: Pending) -> Response:
    if given.fingerprint != pending.fingerprint:
        raise OtherRequest("This key was used for another request; a new request needs a new key.", HEADER)
    if given.status == 0:
        raise AnswerLost(
            "This was done, but its answer was lost: Offhook was stopped, or failed, at that moment. Look at what is there now.", HEADER
        )
    headers: Mapping[str, str] = {**given.headers, REPLAYED: "true"}
    return Response(given.body, given.status, headers)


def _without_secrets(body: bytes) -> bytes:
    """An answer as it may be kept."""
    try:
        read = json.loads(body)
    except ValueError:
        return body
    return json.dumps(_masked(read), ensure_ascii=False, separators=(",", ":")).encode()


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: None if name in SHOWN_ONCE else _masked(member) for name, member in value.items()}
    return [_masked(member) for member in value] if isinstance(value, list) else value


def _once_more(body: bytes) -> Receive:
    """A `receive` that gives a body which was read already."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
