"""Requests that ask what nobody knows: a misspelt parameter must not be ignored, and of two that contradict each other none may win."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from offhook.domain.errors import Invalid

_JSON = re.compile(r"application/(?:[^/]+\+)?json", re.IGNORECASE)
"""What the framework reads as JSON (RFC 6839 3.1)."""


async def refuse_the_unknown(request: Request) -> None:
    """Raises Invalid for a query parameter that the route has not got, or that stands twice, and for a member of the body that does."""
    known = dict(_known(request.scope["route"]))
    seen = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            knows = f"it knows {', '.join(sorted(known))}" if known else "it takes none"
            raise Invalid(f"There is no parameter {name[:60]!r} here; {knows}.", name[:60])
        if name in seen and not known[name]:
            raise Invalid(f"{name} stands twice in the query.", name)
        seen.add(name)
    if _JSON.fullmatch(request.headers.get("content-type", "").split(";")[0].strip()):
        _refuse_twins(await request.body())


def _known(route: Any) -> Iterator[tuple[str, bool]]:
    """The parameters of a route's query, each with whether it may stand there several times."""
    if isinstance(route, APIRoute):
        yield from _parameters(route.dependant)


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, field in annotation.model_fields.items():
                yield field.alias or name, get_origin(field.annotation) is list
        else:
            yield parameter.alias, get_origin(annotation) is list
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _refuse_twins(body: bytes) -> None:
    def no_twins(pairs: list[tuple[str, Any]]) -> None:
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1:
                raise Invalid(f"{name[:60]} stands {count} times in one object.", name[:60])

    try:
        json.loads(body, object_pairs_hook=no_twins)
    except (ValueError, RecursionError):
        return  # who reads the body says so
