"""The numbers of an organization, and what they ring."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.numbers import NumberKind
from offhook.domain.organizations import ToAttendant, ToUser
from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.house import House
from offhook.doors.api.paging import PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.people import NUMBER, saved
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, Saved, examples, named
from offhook.services import numbers as service
from offhook.services.ports.organization import NumberEntry
from offhook.services.ports.store import Transaction
from offhook.services.tokens import Access

router = APIRouter(tags=["numbers"])

READS, WRITES = "numbers:read", "numbers:write"
Writer = Annotated[Access, needs(WRITES)]
NumberPath = Annotated[str, Path(min_length=1, max_length=16, pattern=PRINTABLE, examples=["+12065550107"])]
PREFIX: Any = Field(None, max_length=16, pattern=r"^\+[0-9]*$", description="Those that begin so: `+1206`.")
_FREE = {"number": "+12065550107", "country": "US", "kind": "geographic", "locality": "Seattle"}
_MAIN = {"number": "+12065550107", "username": "anna", "attendant": None}


class NumberAsked(Asked):
    """A number to take into use, and whom it shall ring: a user, an attendant by its name, or nobody."""

    model_config = ConfigDict(json_schema_extra=examples({"number": "+12065550107", "username": "anna"}, {"number": "+12065550108"}))

    number: str = Field(max_length=40, description="In international form; one of those that are available.", json_schema_extra=NUMBER)
    username: str | None = Field(None, max_length=64, pattern=PRINTABLE)
    attendant: str | None = Field(None, max_length=100, pattern=PRINTABLE)


class NumberChanges(Asked):
    """Whom a number shall ring from now on; null for both: nobody."""

    model_config = ConfigDict(json_schema_extra=examples({"attendant": "Reception"}, {"username": None}))

    username: str | None = named(max_length=64, pattern=PRINTABLE)
    attendant: str | None = named(max_length=100, pattern=PRINTABLE)


class NumberShown(BaseModel):
    """A number, and the user (by username) or the attendant (by name) it rings. `version` is the revision of the last change."""

    model_config = ConfigDict(json_schema_extra=examples(_MAIN | {"version": 42}))

    number: str
    username: str | None
    attendant: str | None
    version: int


class NumbersShown(BaseModel):
    """A page of numbers."""

    numbers: list[NumberShown]
    next: str | None


class AvailableAsked(PageAsked):
    """Which of the numbers that can be taken to list."""

    sorts: ClassVar[tuple[str, ...]] = ("number", "country", "kind", "locality")
    key: ClassVar[str] = "number"
    ids: ClassVar[frozenset[str]] = frozenset()

    country: str | None = Field(None, max_length=2, pattern=PRINTABLE, description="Those of this country (ISO 3166-1 alpha-2).")
    kind: NumberKind | None = None
    prefix: str | None = PREFIX


class AvailableShown(BaseModel):
    """A number that can be taken into use. `locality` is a place or area as the provider tells it, null where it tells none."""

    model_config = ConfigDict(json_schema_extra=examples(_FREE))

    number: str
    country: str
    kind: NumberKind
    locality: str | None


class AvailablesShown(BaseModel):
    """A page of numbers that can be taken into use."""

    numbers: list[AvailableShown]
    next: str | None


class NumberSaved(Saved):
    """A number after a change."""

    number: NumberShown


class NumbersAsked(PageAsked):
    """Which numbers to list."""

    sorts: ClassVar[tuple[str, ...]] = ("number",)
    key: ClassVar[str] = "number"
    ids: ClassVar[frozenset[str]] = frozenset()

    username: str | None = Field(None, max_length=64, pattern=PRINTABLE, description="Those that ring this user.")
    attendant: str | None = Field(None, max_length=100, pattern=PRINTABLE, description="Those that ring the attendant of this name.")
    given: Literal["yes", "no"] | None = Field(None, description="`yes`: those that ring somebody; `no`: the others.")


@router.get("/numbers", dependencies=[needs(READS)])
def numbers(house: Inside, own: Own, asked: Annotated[NumbersAsked, Query()]) -> NumbersShown:
    """The numbers of the organization."""
    with house.store.view(own) as transaction:
        page = transaction.numbers.page(listing(asked))
        shown = _shown(transaction, page.items)
    return NumbersShown(numbers=shown, next=cursor(asked, page.next))


@router.post("/numbers", status_code=201)
async def take_number(house: Inside, own: Own, visitor: Writer, response: Response, asked: NumberAsked) -> NumberSaved:
    """Take a number into use out of the provider's stock; `GET /numbers/available` tells which can be taken."""
    to = asked.model_dump(exclude={"number"})
    entry = await run_in_threadpool(lambda: service.take_number(house.store, own, asked.number, to, who=visitor.label))
    response.headers["Location"] = f"/api/v1/numbers/{entry.number}"
    shown = await run_in_threadpool(_one, house, own, entry)
    return NumberSaved(number=made(response, shown, entry.version), **await saved(house))


@router.get("/numbers/available", dependencies=[needs(WRITES)])
def available_numbers(house: Inside, own: Own, asked: Annotated[AvailableAsked, Query()]) -> AvailablesShown:
    """The numbers that the organization can take into use now. Another one may be faster: it is refused then."""
    page = service.list_available(house.store, own, listing(asked))
    shown = [
        AvailableShown(number=each.number, country=each.country, kind=each.kind, locality=each.locality or None) for each in page.items
    ]
    return AvailablesShown(numbers=shown, next=cursor(asked, page.next))


@router.get("/numbers/{number}", dependencies=[needs(READS)])
def number(house: Inside, own: Own, number: NumberPath, looked: Annotated[Looked, Depends()]) -> NumberShown:
    """One number."""
    with house.store.view(own) as transaction:
        entry = service.found_number(transaction, number)
        (shown,) = _shown(transaction, [entry])
    return looked.at(shown, entry.version)


@router.patch("/numbers/{number}")
async def give_number(
    house: Inside, own: Own, visitor: Writer, number: NumberPath, asked: NumberChanges, expected: Annotated[Expected, Depends()]
) -> NumberSaved:
    """Have a number ring somebody else, or with null nobody."""
    to, version = asked.model_dump(exclude_unset=True), expected.version
    entry = await run_in_threadpool(lambda: service.give_number(house.store, own, number, to, version=version, who=visitor.label))
    shown = await run_in_threadpool(_one, house, own, entry)
    return NumberSaved(number=expected.now(shown, entry.version), **await saved(house))


@router.delete("/numbers/{number}")
async def give_back_number(house: Inside, own: Own, visitor: Writer, number: NumberPath, expected: Annotated[Expected, Depends()]) -> Saved:
    """The organization shall have a number no longer: others may take it at once. Refused for its main number."""
    version = expected.version
    await run_in_threadpool(lambda: service.give_back_number(house.store, own, number, version=version, who=visitor.label))
    return Saved(**await saved(house))


def _one(house: House, own: Own, entry: NumberEntry) -> NumberShown:
    with house.store.view(own) as transaction:
        return _shown(transaction, [entry])[0]


def _shown(transaction: Transaction, entries: Sequence[NumberEntry]) -> list[NumberShown]:
    users = transaction.users.names(entry.to.id for entry in entries if isinstance(entry.to, ToUser))
    attendants = transaction.attendants.names(entry.to.id for entry in entries if isinstance(entry.to, ToAttendant))
    return [
        NumberShown(
            number=entry.number,
            username=users.get(entry.to.id) if isinstance(entry.to, ToUser) else None,
            attendant=attendants.get(entry.to.id) if isinstance(entry.to, ToAttendant) else None,
            version=entry.version,
        )
        for entry in entries
    ]
