"""An organization as a file: export, plan, apply."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from offhook.domain.errors import Invalid
from offhook.doors.api.access import Inside, Own, Visitor, needs
from offhook.doors.api.files import sent
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.paging import LARGEST_ID
from offhook.doors.api.people import saved
from offhook.services.blueprint import FILE, Blueprint, read, written
from offhook.services.differences import Difference
from offhook.services.plans import apply, plan

YAML = "application/yaml"
_NOUNS = ("organization", "users", "devices", "attendants", "numbers")
_READS = [needs(f"{noun}:read") for noun in _NOUNS]
_WRITES = [needs(f"{noun}:write") for noun in _NOUNS]
_EXAMPLE = """offhook: '1'
organization:
  domain: lumen.test
  name: Lumen Works
  country: US
users:
  ben:
    name: Ben Okafor
    extension: '112'
"""
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "An organization as `GET /configuration` tells it.",
        "content": {YAML: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}

router = APIRouter(tags=["configuration as code"])


class DifferenceShown(BaseModel):
    """An object that is added, changed or removed. `hurts`: somebody loses something."""

    sort: str
    kind: str
    name: str
    words: str
    hurts: bool


class PlanShown(BaseModel):
    """What differs; nothing when the file says what is. `revision` is the one it was compared with."""

    differences: list[DifferenceShown]
    revision: int

    model_config = {
        "json_schema_extra": {
            "example": {
                "differences": [
                    {"sort": "changed", "kind": "user", "name": "ben", "words": "ben's extension 102 becomes 112", "hurts": False}
                ],
                "revision": 7,
            }
        }
    }


class Applied(PlanShown):
    """What was done, and whether the switch has taken it up."""

    in_effect: bool


def differences_shown(found: list[Difference]) -> list[DifferenceShown]:
    """As JSON has them."""
    return [DifferenceShown(sort=each.sort, kind=each.kind, name=each.name, words=each.words, hurts=each.hurts) for each in found]


@router.get(
    "/configuration",
    dependencies=_READS,
    response_class=PlainTextResponse,
    responses={200: {"content": {YAML: {"schema": {"type": "object"}, "example": _EXAMPLE}}}},
)
def export(
    house: Inside,
    own: Own,
    revision: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="As it was then; as it is if left out.")] = None,
) -> PlainTextResponse:
    """The whole organization as YAML, without passwords."""
    with house.store.view(own) as transaction:
        text = written(transaction.configured(revision))
    return PlainTextResponse(text, media_type=YAML)


@router.post("/configuration/plan", dependencies=[*_READS, KEYLESS], openapi_extra=_FILE)
async def what_would_change(house: Inside, own: Own, request: Request) -> PlanShown:
    """What applying this file would change, in words. It is done and taken back, so that what applying refuses is refused here."""
    wanted = await run_in_threadpool(read_octets, await sent(request))
    found, revision = await run_in_threadpool(plan, house.store, own, wanted)
    return PlanShown(differences=differences_shown(found), revision=revision)


@router.post("/configuration/apply", dependencies=_WRITES, openapi_extra=_FILE)
async def carry_out(
    house: Inside,
    own: Own,
    visitor: Visitor,
    request: Request,
    planned_at: Annotated[
        int | None, Query(ge=1, le=LARGEST_ID, description="Refuse (412) if the organization is not at this revision any more.")
    ] = None,
) -> Applied:
    """Bring the organization to what this file says: all of it in one revision, or nothing."""
    wanted = await run_in_threadpool(read_octets, await sent(request))
    found, revision = await run_in_threadpool(apply, house.store, own, wanted, visitor.label, planned_at=planned_at)
    counts = await saved(house) if found else {"in_effect": True}
    return Applied(differences=differences_shown(found), revision=revision, in_effect=counts["in_effect"])


def read_octets(sent: bytes) -> Blueprint:
    """A file as it was sent. Raises Invalid."""
    try:
        text = sent.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise Invalid(f"The file must be UTF-8; octet {fault.start + 1} is not.", FILE) from None
    return read(text)
