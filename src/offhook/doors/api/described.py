"""The API's own description (OpenAPI 3.1): what the framework reads off the routes, and what it cannot know.

That is every refusal as a problem with an example, the scope that a route needs, the idempotency key of what is posted, and an example of
every request and answer. Examples come from the models; where a model has none, one is made of the names and types of its fields.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from offhook.doors.api.access import Needs, provider
from offhook.doors.api.idempotency import HEADER as IDEMPOTENCY_KEY
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.shapes import with_nulls

ABOUT = (
    "Everything an organization is made of. Send a token as `Authorization: Bearer TOKEN`. Lists come a page at a time: follow `next` by "
    "`cursor`. A GET of one object has an ETag; send it as If-Match with a change, and nobody's work is overwritten. A POST with an "
    "Idempotency-Key is done once, however often it is sent. Refusals are problem details (RFC 9457) with a stable `code`."
)
TAGS = {
    "organization": "The organization itself.",
    "organizations": "All of them, for the provider: how each comes to be, what it has, and how it leaves.",
    "carriers": "Where calls go out to the public network and come in from it; the provider's.",
    "provider": "What the provider's programs come in with, and what was changed of what is the provider's.",
    "stock": "The provider's numbers, out of which organizations take theirs.",
    "catalogue": "What the provider sells, where, and for how much; and what an organization sees of that.",
    "users": "Its people.",
    "devices": "Their telephones, each with a password of its own that is shown once.",
    "attendants": "The voices that answer and connect by key.",
    "numbers": "Its numbers, taken out of the provider's stock, and what they ring.",
    "history": "What was changed, by whom, and what anything was before.",
    "sign-in": "People come in with a password, and go out.",
    "tokens": "What programs come in with.",
    "webhooks": "Where programs are told what happens.",
    "mails": "What people are told by mail.",
    "events": "What happens now, as it happens.",
    "configuration as code": "The organization as one file: read, compared, applied.",
    "what if": "Where a call would go, and which past calls would go elsewhere.",
    "many people": "People in and out of a file, as jobs.",
    "calls": "Calls of now and of the past, and how each went.",
    "edge": "Registrations, bans, certificates.",
    "trials": "Real calls that are made to see whether all works.",
    "system": "How the system stands.",
    "health": "For monitors.",
}
_PROBLEM = "#/components/schemas/Problem"
_PROBLEM_JSON = "application/problem+json"
_WRITES = frozenset({"post", "put", "patch", "delete"})

_SAID = {
    400: ("request.unreadable", "The body is not JSON.", "body"),
    401: ("access.unauthenticated", "Send an API token in the header: Authorization: Bearer TOKEN.", None),
    403: ("access.forbidden", "This needs the scope {scope}; your token or your role has not got it. Ask an administrator.", None),
    404: ("thing.missing", "There is no such {noun}.", "{noun}"),
    409: ("thing.taken", "Extension 101 is taken; choose another one.", "extension"),
    412: (
        "thing.stale",
        "It was changed meanwhile: it is at revision 42, you looked at 41. Look again.",
        None,
    ),
    413: ("request.too_large", "A request may have at most 65536 octets here.", None),
    422: ("value.invalid", "There is no parameter 'colour' here; it knows cursor, limit.", "colour"),
    429: ("sign_in.throttled", "Too many wrong passwords; try again in 30 seconds.", None),
    500: ("system.mistake", "Offhook made a mistake of its own; the log of the web process has the details.", None),
    503: ("system.unavailable", "The database does not answer. Check that its disk is there, not full, and writable.", None),
}
"""An example of what is refused with each status: code, detail, field."""

_VALUES: Mapping[str, Any] = {
    "username": "anna", "name": "Anna Berg", "language": "en", "extension": "101", "call": "018bcfe568800000002", "caller": "101",
    "dialled": "102", "connected": "Ben's phone", "direction": "inside", "CallShown.state": "completed.by_callee",
    "DeliveryShown.state": "delivered", "JobShown.kind": "import-users", "AnswerShown.words": "Anna dials 102: it rings ben's telephones.",
    "reason": "too many wrong passwords", "domain": "lumen.test",
    "country": "US", "number": "+12065550107", "url": "https://crm.example.com/offhook", "events": ["call.ended"], "label": "crm",
    "role": "help_desk", "scopes": ["calls:read"], "token": "TOKEN", "secret": "SECRET", "password": "a few words of her own",
    "old_password": "what it was until now", "address": "192.0.2.7", "transport": "udp",
    "user_agent": "Desk phone 1.0", "user": "anna", "kind": "call.ended", "event": "42-1", "from": "+12065550199", "to": "102",
    "first": "+12065550100", "last": "+12065550199", "locality": "Seattle", "StockRow.state": "created",
    "digits": "1", "body": "{}", "organization": "lumen.test", "revision": 42, "version": 42, "in_effect": True,
    "next": "WyJhNWIxZTlkMTQwY2QiLCJhbm5hIl0", "explanation": "Anna dialled 102, the extension of ben.", "who": "first administrator",
    "code": "thing.taken", "field": "extension", "plan": "offhook: 1\norganization: {domain: lumen.test, name: Lumen Works, country: US}\n",
    "since": "2026-11-01T00:00:00Z", "currency": "EUR", "sku": "phone-system", "needs": "phone-system", "amount": "12.50",
}  # fmt: skip
"""What fields are shown as that say nothing themselves."""

_DEEPEST = 6
_KEY = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "A name of your choice for this request, such as a UUID: what is sent again with it within 24 hours is not done again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[!-~]+$"},
}


def describe(app: FastAPI) -> None:
    """Let the app describe itself so; the description is made when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def scopes(app: FastAPI) -> dict[tuple[str, str], list[str]]:
    """The scopes that each route names, "provider" where only the provider is let in; a route that names none is not in it."""
    found: dict[tuple[str, str], list[str]] = {}
    for place, call in _dependencies(app):
        if isinstance(call, Needs):
            found.setdefault(place, []).append(call.scope)
        elif call is provider:
            found.setdefault(place, []).append("provider")
    return found


def takes_key(app: FastAPI, path: str) -> bool:
    """Whether a POST to a path is done once for its idempotency key; else it refuses one."""
    return not any(place == ("post", path) and call is KEYLESS.dependency for place, call in _dependencies(app))


def _dependencies(app: FastAPI) -> Iterator[tuple[tuple[str, str], Any]]:
    """Whatever a route depends on, with its method and path."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        for call in _calls(dependant) if isinstance(dependant, Dependant) else ():
            for method in route.methods or ():
                yield (method.lower(), route.path or ""), call


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _described(app: FastAPI) -> dict[str, Any]:
    tags = [{"name": name, "description": text} for name, text in TAGS.items()]
    told: dict[str, Any] = with_nulls(get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes, tags=tags))
    schemas: dict[str, Any] = told["components"]["schemas"]
    for gone in ("HTTPValidationError", "ValidationError"):
        schemas.pop(gone, None)
    schemas["Problem"] = _problem_schema()
    named = scopes(app)
    for path, offers in told["paths"].items():
        for method, offer in offers.items():
            if method == "post" and "security" in offer and takes_key(app, path):
                offer.setdefault("parameters", []).append(_KEY)
            _complete(path, method, offer, named.get((method, path), []))
            _exemplify(offer, schemas)
    return told


def _complete(path: str, method: str, offer: dict[str, Any], scopes: list[str]) -> None:
    """What the framework does not know of one operation."""
    if scopes:
        who = "Only with the provider's token." if scopes == ["provider"] else f"Needs {' and '.join(f'`{scope}`' for scope in scopes)}."
        offer["description"] = f"{offer.get('description', '')}\n\n{who}".strip()
        offer["x-offhook-scopes"] = scopes
    if "security" in offer and not path.startswith("/api/"):
        offer["security"].append({})  # monitors need no token; with one they are told more
    parameters = offer.setdefault("parameters", [])
    names = {parameter["name"].lower() for parameter in parameters}
    answers: dict[str, Any] = offer["responses"]
    for status in _statuses(path, method, offer, names):
        answers[str(status)] = _refusal(status, path, scopes)
    if "if-none-match" in names:
        answers["304"] = {"description": "What the client has is what there is."}
    if not parameters:
        del offer["parameters"]


def _statuses(path: str, method: str, offer: Mapping[str, Any], names: set[str]) -> Iterator[int]:
    ours, body = path.startswith("/api/"), "requestBody" in offer
    if "security" in offer:
        yield 401
        yield 403
    if ours and ("{" in path or body or "revision" in names):
        yield 404
    if method in _WRITES:
        yield 409
    if "if-match" in names:
        yield 412
    if ours:
        yield 422
        yield 503
    if body:
        yield 400
        yield 413
    if path.endswith("/sign-in"):
        yield 401
        yield 429
    yield 500


def _refusal(status: int, path: str, scopes: list[str]) -> dict[str, Any]:
    noun = path.rpartition("{")[2].rstrip("}") if "{" in path else "user"
    code, detail, field = _SAID[status]
    if status == 403 and scopes == ["provider"]:
        code, detail = "access.not_the_provider", "This concerns every organization: use the provider's token."
    title = HTTPStatus(status).phrase
    example = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail.format(scope=scopes[0] if scopes else "of its owner", noun=noun),
    }
    if field is not None:
        example["field"] = field.format(noun=noun)
    return {"description": title, "content": {_PROBLEM_JSON: {"schema": {"$ref": _PROBLEM}, "example": example}}}


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    fault = {"type": "object", "required": ["field", "explanation"], "properties": {"field": text, "explanation": text}}
    return {
        "title": "Problem",
        "type": "object",
        "description": "A refusal (RFC 9457). `code` is for programs and never changes, `detail` for people, `field` what it is about. "
        "`errors` has every field that is wrong. All codes: docs/operate/refusals.md.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string", "const": "about:blank"},
            "title": text,
            "status": {"type": "integer"},
            "code": {"type": "string", "pattern": "^[a-z_]+[.][a-z_]+$"},
            "detail": text,
            "field": text,
            "errors": {"type": "array", "items": fault},
        },
    }


def _exemplify(offer: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Give an example to what is sent and what is answered."""
    contents = [offer.get("requestBody", {}).get("content", {})]
    contents += [answer.get("content", {}) for status, answer in offer["responses"].items() if status.startswith("2")]
    for content in contents:
        for kind, media in content.items():
            if "example" not in media and "examples" not in media and "json" in kind:
                media["example"] = example_of(media.get("schema", {}), schemas)


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
    """What fits a schema; `name` is that of the field it is of."""
    while "$ref" in schema:
        schema = schemas[str(schema["$ref"]).rpartition("/")[2]]
    if shown := schema.get("examples"):
        return shown[0]
    for plain in ("const", "default"):
        if schema.get(plain) is not None:
            return schema[plain]
    said = _VALUES.get(name, _VALUES.get(name.rpartition(".")[2]))
    if "enum" in schema:
        return said if said in schema["enum"] else schema["enum"][0]
    if parts := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        part = next((each for each in parts if each.get("type") != "null"), parts[0])
        return example_of(part, schemas, name, depth)
    return _plain_example(schema, schemas, said, depth)


def _plain_example(schema: Mapping[str, Any], schemas: Mapping[str, Any], said: Any, depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        inner = schema.get("properties", {}) if depth < _DEEPEST else {}
        return {each: example_of(field, schemas, f"{schema.get('title', '')}.{each}", depth + 1) for each, field in inner.items()}
    if kind == "array":
        if isinstance(said, list):
            return said
        return [example_of(schema.get("items", {}), schemas, "", depth + 1)] if depth < _DEEPEST else []
    if schema.get("format") == "date-time":
        return "2026-11-24T09:30:00Z"
    plain = {"integer": 1, "number": 1.0, "string": "text", "boolean": True}.get(str(kind), {})
    return said if type(said) is type(plain) else plain
