"""Auto attendants: the voices that answer and connect by key."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.attendants import Attendant, AttendantId
from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.house import House
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.people import EXTENSION, saved
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, Saved, examples, named
from offhook.services import attendants as service
from offhook.services.attendants import LONGEST_GREETING, MOST_PATIENCE_SECONDS, MOST_ROUNDS
from offhook.services.tokens import Access

router = APIRouter(tags=["attendants"])

READS, WRITES = "attendants:read", "attendants:write"
Writer = Annotated[Access, needs(WRITES)]
AttendantPath = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[3])]
Keys = dict[Annotated[str, Field(max_length=10)], Annotated[str, Field(max_length=64, pattern=PRINTABLE)]]
_KEYS = "By key (0 to 9, * and #) the username it connects to; 0 is by custom the operator."
_RECEPTION: dict[str, Any] = {
    "name": "Reception",
    "extension": "100",
    "language": "en",
    "greeting": "Welcome to Lumen Works. For Anna, press 1; for the operator, press 0.",
    "keys": {"0": "chloe", "1": "anna"},
    "rounds": 3,
    "patience_seconds": 5,
}


class AttendantAsked(Asked):
    """A new attendant."""

    model_config = ConfigDict(json_schema_extra=examples(_RECEPTION))

    name: str = Field(max_length=200)
    extension: str = Field(max_length=20, json_schema_extra=EXTENSION)
    greeting: str = Field(max_length=2 * LONGEST_GREETING, description="What it says first.")
    language: str = Field("en", max_length=35, description="A BCP 47 tag.")
    keys: Keys = Field(default_factory=dict, max_length=20, description=_KEYS)
    rounds: int = Field(3, strict=True, ge=1, le=MOST_ROUNDS, description="How often the greeting is heard before goodbye.")
    patience_seconds: int = Field(5, strict=True, ge=1, le=MOST_PATIENCE_SECONDS, description="How long it waits for a key after each.")


class AttendantChanges(Asked):
    """What shall be otherwise of an attendant. `keys` become all it has."""

    model_config = ConfigDict(json_schema_extra=examples({"keys": {"0": "chloe", "1": "ben"}}))

    name: str = named(max_length=200)
    extension: str = named(max_length=20, json_schema_extra=EXTENSION)
    greeting: str = named(max_length=2 * LONGEST_GREETING)
    language: str = named(max_length=35)
    keys: Keys = named(max_length=20, description=_KEYS)
    rounds: int = named(strict=True, ge=1, le=MOST_ROUNDS)
    patience_seconds: int = named(strict=True, ge=1, le=MOST_PATIENCE_SECONDS)


class AttendantShown(BaseModel):
    """An auto attendant. `version` is the revision of the last change, its keys included."""

    model_config = ConfigDict(json_schema_extra=examples({"id": 3} | _RECEPTION | {"version": 42}))

    id: int
    name: str
    extension: str
    language: str
    greeting: str
    keys: dict[str, str]
    rounds: int
    patience_seconds: int
    version: int


class AttendantsShown(BaseModel):
    """A page of attendants."""

    attendants: list[AttendantShown]
    next: str | None


class AttendantSaved(Saved):
    """An attendant after a change."""

    attendant: AttendantShown


class AttendantsAsked(PageAsked):
    """Which attendants to list; oldest first unless another order is asked for."""

    sorts: ClassVar[tuple[str, ...]] = ("id", "name", "extension", "language")

    name: str | None = Field(None, max_length=100, pattern=PRINTABLE)
    extension: str | None = Field(None, max_length=6, pattern=PRINTABLE)
    language: str | None = Field(None, max_length=35, pattern=PRINTABLE)


@router.get("/attendants", dependencies=[needs(READS)])
def attendants(house: Inside, own: Own, asked: Annotated[AttendantsAsked, Query()]) -> AttendantsShown:
    """The auto attendants of the organization."""
    with house.store.view(own) as transaction:
        page = transaction.attendants.page(listing(asked))
        names = transaction.users.names(user for attendant in page.items for user in attendant.keys.values())
    return AttendantsShown(attendants=[_shown(attendant, names) for attendant in page.items], next=cursor(asked, page.next))


@router.post("/attendants", status_code=201)
async def new_attendant(house: Inside, own: Own, visitor: Writer, response: Response, asked: AttendantAsked) -> AttendantSaved:
    """Add an attendant. Its greeting is spoken from the first call on; give it a number by `PATCH /numbers/{number}`."""
    attendant = await run_in_threadpool(lambda: service.add_attendant(house.store, own, asked.model_dump(), who=visitor.label))
    response.headers["Location"] = f"/api/v1/attendants/{attendant.id}"
    shown = await run_in_threadpool(_with_names, house, own, attendant)
    return AttendantSaved(attendant=made(response, shown, attendant.version), **await saved(house))


@router.get("/attendants/{attendant}", dependencies=[needs(READS)])
def attendant(house: Inside, own: Own, attendant: AttendantPath, looked: Annotated[Looked, Depends()]) -> AttendantShown:
    """One attendant."""
    with house.store.view(own) as transaction:
        known = service.found_attendant(transaction, AttendantId(attendant))
        shown = _shown(known, transaction.users.names(known.keys.values()))
    return looked.at(shown, known.version)


@router.patch("/attendants/{attendant}")
async def change_attendant(
    house: Inside, own: Own, visitor: Writer, attendant: AttendantPath, asked: AttendantChanges, expected: Annotated[Expected, Depends()]
) -> AttendantSaved:
    """Give an attendant other values, only what is named."""
    changes, version = asked.model_dump(exclude_unset=True), expected.version
    changed = await run_in_threadpool(
        lambda: service.change_attendant(house.store, own, AttendantId(attendant), changes, version=version, who=visitor.label)
    )
    shown = await run_in_threadpool(_with_names, house, own, changed)
    return AttendantSaved(attendant=expected.now(shown, changed.version), **await saved(house))


@router.delete("/attendants/{attendant}")
async def remove_attendant(
    house: Inside, own: Own, visitor: Writer, attendant: AttendantPath, expected: Annotated[Expected, Depends()]
) -> Saved:
    """Remove an attendant; its numbers stay the organization's and ring nobody."""
    version, id = expected.version, AttendantId(attendant)
    await run_in_threadpool(lambda: service.remove_attendant(house.store, own, id, version=version, who=visitor.label))
    return Saved(**await saved(house))


def _with_names(house: House, own: Own, attendant: Attendant) -> AttendantShown:
    with house.store.view(own) as transaction:
        return _shown(attendant, transaction.users.names(attendant.keys.values()))


def _shown(attendant: Attendant, usernames: dict[Any, str]) -> AttendantShown:
    return AttendantShown(
        id=attendant.id,
        name=attendant.name,
        extension=attendant.extension,
        language=attendant.language,
        greeting=attendant.greeting,
        keys={key: usernames[user] for key, user in sorted(attendant.keys.items()) if user in usernames},
        rounds=attendant.rounds,
        patience_seconds=attendant.patience_seconds,
        version=attendant.version,
    )
