"""Countries: what the provider says of each, and what an organization may know of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.countries import Country, DialOut, Service
from offhook.doors.api.access import Inside, Own, Provider, needs
from offhook.doors.api.deeds import RequestStore
from offhook.doors.api.house import House
from offhook.doors.api.paging import Paged, cursor, is_text, place_of
from offhook.doors.api.resources import Expected, Looked
from offhook.doors.api.shapes import Asked, examples, named
from offhook.services import countries as service
from offhook.services.country_facts import languages_of, name_of

router = APIRouter(tags=["catalogue"])

CURRENCY = "^[A-Z]{3}$"
CountryPath = Annotated[str, Path(min_length=2, max_length=2, pattern="^[A-Z]{2}$", examples=["FR"])]
_SOLD = dict.fromkeys((each.value for each in Service), True)
_FRANCE: dict[str, Any] = {
    "country": "FR", "name_en": "France", "name_fr": "France", "currency": "EUR", "languages": ["fr"], **_SOLD,
    "calling_plans_by_partner": False, "domestic_minutes": 1200, "international_minutes": 600, "dial_out": "included",
    "assigned_cities": ["Paris"], "toll_cities": ["Lyon", "Paris"],
}  # fmt: skip


class CountryOffered(BaseModel):
    """A country, and what is sold there. `currency` is what is paid with, null where none is known.

    Minutes are those of the large calling plan in a month; `calling_plans_by_partner`: there they are known to be sold by somebody else.
    `dial_out`: whether calls from conferences to there are included in a licence. `assigned_cities` are those of which a conference is
    given a toll number by itself; null: of none, empty: of no city in particular.
    """

    model_config = ConfigDict(json_schema_extra=examples(_FRANCE))

    country: str
    name_en: str
    name_fr: str
    currency: str | None
    languages: list[str]
    phone_system: bool
    calling_plans: bool
    audio_conferencing: bool
    toll_numbers: bool
    toll_free_numbers: bool
    credits: bool
    calling_plans_by_partner: bool
    domestic_minutes: int | None
    international_minutes: int | None
    dial_out: DialOut
    assigned_cities: list[str] | None
    toll_cities: list[str]


class CountriesOffered(BaseModel):
    """A page of the countries that the provider serves."""

    countries: list[CountryOffered]
    next: str | None


class CountryShown(CountryOffered):
    """A country as the provider has it. `served`: new organizations and people are taken in there.

    `said` names what the provider has said itself; all else is as the facts have it. `version` is the provider's revision of its last word.
    """

    model_config = ConfigDict(json_schema_extra=examples(_FRANCE | {"served": True, "said": [], "version": 0}))

    served: bool
    said: list[str]
    version: int


class CountriesShown(BaseModel):
    """A page of countries."""

    countries: list[CountryShown]
    next: str | None


class CountriesAsked(Paged):
    """Which countries to list, by their two letters."""

    service: Service | None = Field(None, description="Only those where this is sold.")


class AllCountriesAsked(CountriesAsked):
    """Which countries to list, by their two letters."""

    served: bool | None = Field(None, description="Only those that are served, or that are not.")


class CountryChanges(Asked):
    """What the provider says of a country; null: it says nothing, and it is as the facts have it."""

    model_config = ConfigDict(json_schema_extra=examples({"served": True, "calling_plans": False}, {"served": None}))

    served: bool | None = named(strict=True, description="False: nobody new is taken in there; who is there stays, and buys on.")
    currency: str | None = named(max_length=3, pattern=CURRENCY, description="What is paid with there (ISO 4217), if not its own.")
    phone_system: bool | None = named(strict=True)
    calling_plans: bool | None = named(strict=True)
    audio_conferencing: bool | None = named(strict=True)
    toll_numbers: bool | None = named(strict=True)
    toll_free_numbers: bool | None = named(strict=True)
    credits: bool | None = named(strict=True)


class ProviderDone(BaseModel):
    """What every answer to a change of what the provider offers tells: its revision. Calls have no part in it, so it counts at once."""

    revision: int | None = Field(description="The provider's revision that it made; null where nothing was changed.", examples=[12])


class CountrySaved(ProviderDone):
    """A country after a change."""

    country: CountryShown


@router.get("/countries", dependencies=[needs("organization:read")])
def countries_served(house: Inside, _own: Own, asked: Annotated[CountriesAsked, Query()]) -> CountriesOffered:
    """The countries that the provider serves: where organizations and people can be, and what is sold there."""
    found, following = _page(asked, service.list_countries(house.store, served=True, service=asked.service))
    return CountriesOffered(countries=[CountryOffered(**_offered(each)) for each in found], next=following)


@router.get("/provider/countries")
def countries(house: Inside, _provider: Provider, asked: Annotated[AllCountriesAsked, Query()]) -> CountriesShown:
    """Every country with telephone numbers, served or not."""
    found, following = _page(asked, service.list_countries(house.store, served=asked.served, service=asked.service))
    return CountriesShown(countries=[_shown(each) for each in found], next=following)


@router.get("/provider/countries/{country}")
def country(house: Inside, _provider: Provider, country: CountryPath, looked: Annotated[Looked, Depends()]) -> CountryShown:
    """One country."""
    found = service.get_country(house.store, country)
    return looked.at(_shown(found), found.word.version)


@router.patch("/provider/countries/{country}")
async def change_country(
    house: Inside, provider: Provider, country: CountryPath, asked: CountryChanges, expected: Annotated[Expected, Depends()]
) -> CountrySaved:
    """Serve a country or leave it, and say what is sold there. Who is there already, and every emergency call, is not touched by it."""
    changes, version = asked.model_dump(exclude_unset=True), expected.version
    found = await run_in_threadpool(lambda: service.change_country(house.store, country, changes, version=version, who=provider.label))
    return CountrySaved(country=expected.now(_shown(found), found.word.version), revision=revision_of(house))


def revision_of(house: House) -> int | None:
    """The provider's revision that this request made, None while it changed nothing."""
    return house.store.revision if isinstance(house.store, RequestStore) else None


def _page(asked: CountriesAsked, found: list[Country]) -> tuple[list[Country], str | None]:
    before = place_of(asked, lambda place: len(place) == 1 and is_text(place[0]))
    left = [each for each in found if before is None or each.facts.code > str(before[0])]
    page = left[: asked.limit]
    return page, cursor(asked, (page[-1].facts.code,)) if len(left) > len(page) else None


def _shown(found: Country) -> CountryShown:
    word = found.word
    said = {"served": word.served, "currency": word.currency} | {each.value: word.services.get(each) for each in Service}
    named_ones = [name for name, value in said.items() if value is not None]
    return CountryShown(**_offered(found), served=found.served, said=named_ones, version=word.version)


def _offered(found: Country) -> dict[str, Any]:
    facts, currency = found.facts, service.pays_with(found)
    return {each.value: each in found.services for each in Service} | {
        "country": facts.code,
        "name_en": name_of(facts.code, "en"),
        "name_fr": name_of(facts.code, "fr"),
        "currency": None if currency is None else currency.code,
        "languages": list(languages_of(facts.code)),
        "calling_plans_by_partner": facts.calling_plans_by_partner,
        "domestic_minutes": facts.domestic_minutes,
        "international_minutes": facts.international_minutes,
        "dial_out": facts.dial_out,
        "assigned_cities": None if facts.assigned_cities is None else list(facts.assigned_cities),
        "toll_cities": list(facts.toll_cities),
    }
