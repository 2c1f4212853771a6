"""The provider's stock of numbers: which there are, who has which, what is withheld, what enters and leaves it."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.jobs import RowState
from offhook.domain.numbers import NumberKind, StockState
from offhook.doors.api.access import Inside, Provider
from offhook.doors.api.deeds import RequestStore
from offhook.doors.api.files import CSV, csv_sent
from offhook.doors.api.house import House
from offhook.doors.api.numbers import PREFIX, NumberPath
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.people import NUMBER
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, examples, named
from offhook.services import stock as service
from offhook.services.ports.stock import StockNumber
from offhook.services.sheets import OnExisting
from offhook.services.stock_csv import Imported, import_stock

router = APIRouter(prefix="/provider/stock", tags=["stock"])

_EXAMPLE = "e164,carrier,country,kind,locality\r\n'+12065550107,north,US,geographic,Seattle\r\n'+18005550107,north,US,toll-free,\r\n"
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"Columns by name in any order; e164 is needed. At most {service.MOST_AT_ONCE} rows.",
        "content": {CSV: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}
_SAID: dict[str, Any] = {"carrier": "north", "country": "US", "kind": "geographic", "locality": "Seattle"}
_FREE = {"number": "+12065550107"} | _SAID | {"withheld": None, "state": "free", "organization": None, "domain": None, "version": 12}
_CARRIER = "By which carrier it comes; null: nobody knows. "
_COUNTRY = "Its country (ISO 3166-1 alpha-2). "
_KIND = "What sort of number it is. "
_LOCALITY = "A place or area, as people shall read it; null: none is told."


class StockAsked(PageAsked):
    """Which numbers of the stock to list."""

    sorts: ClassVar[tuple[str, ...]] = ("number", "carrier", "country", "kind", "locality")
    key: ClassVar[str] = "number"
    ids: ClassVar[frozenset[str]] = frozenset()

    country: str | None = Field(None, max_length=2, pattern=PRINTABLE)
    kind: NumberKind | None = None
    state: StockState | None = Field(None, description="`free`: may be taken; `in_use`: an organization has it; `withheld`: not offered.")
    carrier: str | None = Field(None, max_length=100, pattern=PRINTABLE)
    prefix: str | None = PREFIX
    organization: int | None = Field(None, ge=1, le=LARGEST_ID, description="Those that this organization has, by its id.")


class _Said(Asked):
    """What is said of numbers that enter the stock. What is not named is told by the numbering plan, the carrier is the default one."""

    carrier: str | None = named(max_length=100, pattern=PRINTABLE, description=f"{_CARRIER}Not named: the default one.")
    country: str = named(max_length=10, description=f"{_COUNTRY}Not named: as the numbering plan tells.")
    kind: NumberKind = named(description=f"{_KIND}Not named: as the numbering plan tells.")
    locality: str | None = named(max_length=service.LONGEST_LOCALITY, description=_LOCALITY)

    def said(self) -> dict[str, Any]:
        """What is named of it."""
        return self.model_dump(include=set(_Said.model_fields), exclude_unset=True)


class StockNumberAsked(_Said):
    """A number that enters the stock."""

    model_config = ConfigDict(json_schema_extra=examples({"number": "+12065550107"}, {"number": "+12065550107"} | _SAID))

    number: str = Field(max_length=40, description="In international form.", json_schema_extra=NUMBER)


class StockRangeAsked(_Said):
    """All numbers from `first` to `last`, at most 10,000."""

    model_config = ConfigDict(json_schema_extra=examples({"first": "+12065550100", "last": "+12065550199", "locality": "Seattle"}))

    first: str = Field(max_length=40, json_schema_extra=NUMBER)
    last: str = Field(max_length=40, description="With as many digits.", json_schema_extra=NUMBER)
    on_existing: OnExisting = Field(
        OnExisting.REFUSE, description="What becomes of one that is there already; `refuse`: none of them is added then."
    )


class StockNumberChanges(Asked):
    """What shall be otherwise of a number of the stock."""

    model_config = ConfigDict(json_schema_extra=examples({"withheld": "quarantine until May"}, {"withheld": None}, {"carrier": "south"}))

    carrier: str | None = named(max_length=100, pattern=PRINTABLE, description=_CARRIER)
    country: str = named(max_length=10, description=_COUNTRY)
    kind: NumberKind = named(description=_KIND)
    locality: str | None = named(max_length=service.LONGEST_LOCALITY, description=_LOCALITY)
    withheld: str | None = named(
        max_length=service.LONGEST_REASON,
        description="Why it is offered to nobody; null: it is. Of a number in use: why it is not once it is given back.",
    )


class StockNumberShown(BaseModel):
    """A number of the stock. `organization` has it (by id), whose `domain` stands beside it; `withheld` says why it is not offered.

    `version` is the provider's revision of its last change.
    """

    model_config = ConfigDict(json_schema_extra=examples(_FREE))

    number: str
    state: StockState
    carrier: str | None
    country: str
    kind: NumberKind
    locality: str | None
    withheld: str | None
    organization: int | None
    domain: str | None
    version: int


class StockShown(BaseModel):
    """A page of the stock."""

    stock: list[StockNumberShown]
    next: str | None


class StockChanged(BaseModel):
    """What every answer to a change of the stock tells. No call depends on it, so it counts at once."""

    revision: int | None = Field(description="The provider's revision that it made; null where nothing was changed.", examples=[12])


class StockNumberSaved(StockChanged):
    """A number of the stock after a change."""

    number: StockNumberShown


class StockRangeSaved(StockChanged):
    """What became of the numbers of a range, counted."""

    first: str = Field(examples=["+12065550100"])
    last: str = Field(examples=["+12065550199"])
    results: dict[RowState, int] = Field(examples=[{"created": 98, "skipped": 2}])


class StockRow(BaseModel):
    """What became of a row. `row` is its number in a spreadsheet; `code`, `field` and `explanation` are those of a refusal."""

    row: int
    state: RowState
    number: str | None
    code: str | None
    field: str | None
    explanation: str | None


class StockImported(StockChanged):
    """What became of a file: of all rows in `results`, of each in `rows`. `revision` is the last that it made."""

    encoding: str = Field(examples=["UTF-8"])
    delimiter: str = Field(examples=["comma"])
    dry_run: bool
    results: dict[RowState, int] = Field(examples=[{"created": 2}])
    rows: list[StockRow]


@router.get("")
def stock(house: Inside, _provider: Provider, asked: Annotated[StockAsked, Query()]) -> StockShown:
    """The provider's numbers, and which organization has which."""
    page = service.list_stock(house.store, listing(asked))
    return StockShown(stock=[_shown(each) for each in page.items], next=cursor(asked, page.next))


@router.post("", status_code=201)
async def add_to_stock(house: Inside, provider: Provider, response: Response, asked: StockNumberAsked) -> StockNumberSaved:
    """A number enters the stock: from then on any organization may take it."""
    entry = await run_in_threadpool(lambda: service.add_stock_number(house.store, asked.number, asked.said(), provider.label))
    response.headers["Location"] = f"/api/v1/provider/stock/{entry.number}"
    return StockNumberSaved(number=made(response, _shown(entry), entry.version), revision=_revision(house))


@router.post("/range", status_code=201)
async def add_range_to_stock(house: Inside, provider: Provider, asked: StockRangeAsked) -> StockRangeSaved:
    """A whole range enters the stock, in one revision or not at all."""
    said, first, last = asked.said(), asked.first, asked.last
    entered = await run_in_threadpool(lambda: service.add_range(house.store, first, last, said, asked.on_existing, provider.label))
    return StockRangeSaved(first=entered.first, last=entered.last, results=dict(entered.results), revision=_revision(house))


@router.post("/import", openapi_extra=_FILE)
async def import_into_stock(
    house: Inside,
    provider: Provider,
    request: Request,
    on_existing: Annotated[OnExisting, Query(description="What becomes of a row whose number is there already.")] = OnExisting.CHANGE,
    dry_run: Annotated[bool, Query(description="Find out the same, change nothing.")] = False,
) -> StockImported:
    """Numbers from a CSV file: one bad row stops no other.

    Of a number that is there already the columns that are there are changed; an empty cell takes away carrier and locality.
    """
    octets = await csv_sent(request)
    imported = await run_in_threadpool(lambda: import_stock(house.store, octets, on_existing, dry_run=dry_run, who=provider.label))
    return _imported(imported, dry_run=dry_run)


@router.get("/{number}")
def stock_number(house: Inside, _provider: Provider, number: NumberPath, looked: Annotated[Looked, Depends()]) -> StockNumberShown:
    """One number of the stock, and who has it."""
    entry = service.get_stock_number(house.store, number)
    return looked.at(_shown(entry), entry.version)


@router.patch("/{number}")
async def change_stock_number(
    house: Inside, provider: Provider, number: NumberPath, asked: StockNumberChanges, expected: Annotated[Expected, Depends()]
) -> StockNumberSaved:
    """Give a number another carrier, country, kind or locality; withhold it, or offer it again. Who has it keeps it."""
    changes, version = asked.model_dump(exclude_unset=True), expected.version
    entry = await run_in_threadpool(lambda: service.change_stock_number(house.store, number, changes, version=version, who=provider.label))
    return StockNumberSaved(number=expected.now(_shown(entry), entry.version), revision=_revision(house))


@router.delete("/{number}")
async def remove_from_stock(
    house: Inside, provider: Provider, number: NumberPath, expected: Annotated[Expected, Depends()]
) -> StockChanged:
    """A number leaves the stock: nobody takes it any more. Refused while an organization has it (409, `number.in_use`)."""
    version = expected.version
    await run_in_threadpool(lambda: service.remove_stock_number(house.store, number, version=version, who=provider.label))
    return StockChanged(revision=_revision(house))


def _revision(house: House) -> int | None:
    return house.store.revision if isinstance(house.store, RequestStore) else None


def _shown(entry: StockNumber) -> StockNumberShown:
    return StockNumberShown(
        number=entry.number,
        state=entry.state,
        carrier=entry.carrier,
        country=entry.country,
        kind=entry.kind,
        locality=entry.locality or None,
        withheld=entry.withheld,
        organization=entry.organization,
        domain=entry.domain,
        version=entry.version,
    )


def _imported(imported: Imported, *, dry_run: bool) -> StockImported:
    rows = [
        StockRow(row=row.row, state=row.state, number=row.object_id, code=row.code, field=row.field, explanation=row.explanation)
        for row in imported.rows
    ]
    return StockImported(
        encoding=imported.encoding,
        delimiter=imported.delimiter,
        dry_run=dry_run,
        results=dict(imported.results),
        rows=rows,
        revision=imported.revision,
    )
