"""Commands about countries: which of them the provider serves, and with what."""

from typing import Annotated, Any

import typer

from offhook.doors.cli import things
from offhook.doors.cli.asking import DryRun, Json, Version, noun
from offhook.doors.cli.things import How, Noun

_SERVICES = ("phone_system", "calling_plans", "audio_conferencing", "toll_numbers", "toll_free_numbers", "credits")
OFFERED = Noun("/countries", "countries", "country", ("country", "name_en", "currency", "domestic_minutes", *_SERVICES), "country")
COUNTRIES = Noun(
    "/provider/countries",
    "countries",
    "country",
    ("country", "name_en", "served", "currency", *_SERVICES, "said"),
    "country",
    provider=True,
)

countries = noun("Where organizations and people can be, and what is sold there.")

Country = Annotated[str, typer.Argument(help="Its two letters, such as FR.")]
Sold = Annotated[bool | None, typer.Option("--phone-system/--no-phone-system", help="Whether the phone system is sold there.")]
Plans = Annotated[bool | None, typer.Option("--calling-plans/--no-calling-plans", help="Whether calling plans are.")]
Conferencing = Annotated[bool | None, typer.Option("--audio-conferencing/--no-audio-conferencing", help="Whether conferencing is.")]
Toll = Annotated[bool | None, typer.Option("--toll-numbers/--no-toll-numbers", help="Whether toll numbers are.")]
TollFree = Annotated[bool | None, typer.Option("--toll-free-numbers/--no-toll-free-numbers", help="Whether toll-free numbers are.")]
Credits = Annotated[bool | None, typer.Option("--credits/--no-credits", help="Whether credits are.")]


@countries.command("offered")
def list_offered(context: typer.Context, as_json: Json = False) -> None:
    """List the countries that are served, and what is sold there, as an organization sees them."""
    things.listed(context, OFFERED, How(as_json))


@countries.command("list")
def list_countries(
    context: typer.Context,
    served: Annotated[bool | None, typer.Option("--served/--not-served", help="Only those that are served, or that are not.")] = None,
    as_json: Json = False,
) -> None:
    """List every country as the provider has it; `said` names what it has said itself, all else is as the facts have it."""
    things.listed(context, COUNTRIES, How(as_json), served=None if served is None else str(served).lower())


@countries.command("show")
def show_country(context: typer.Context, country: Country, as_json: Json = False) -> None:
    """Show one, with its cities and minutes."""
    things.show(context, COUNTRIES, country.upper(), How(as_json))


@countries.command("serve")
def serve_country(
    context: typer.Context,
    country: Country,
    phone_system: Sold = None,
    calling_plans: Plans = None,
    audio_conferencing: Conferencing = None,
    toll_numbers: Toll = None,
    toll_free_numbers: TollFree = None,
    credits: Credits = None,
    currency: Annotated[str | None, typer.Option(help="What is paid with there, if not its own; an empty text takes it back.")] = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take organizations and people in there, and say what is sold; what is not said stays as it is."""
    body: dict[str, Any] = {"served": True, "phone_system": phone_system, "calling_plans": calling_plans}
    body |= {"audio_conferencing": audio_conferencing, "toll_numbers": toll_numbers, "toll_free_numbers": toll_free_numbers}
    body |= {"credits": credits, "currency": currency.upper() if currency else currency}
    things.change(context, COUNTRIES, country.upper(), body, How(as_json, dry_run, version=version))


@countries.command("leave")
def leave_country(
    context: typer.Context, country: Country, version: Version = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Take nobody new in there. Who is there stays and buys on, and help is reached as before."""
    things.change(context, COUNTRIES, country.upper(), {"served": False}, How(as_json, dry_run, version=version))


@countries.command("reset")
def reset_country(context: typer.Context, country: Country, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Take back all that was said of it: it is as the facts have it."""
    server = COUNTRIES.server(context)
    one, etag = things.looked_at(server, COUNTRIES, country.upper())
    body, how = dict.fromkeys(one["said"]), How(as_json, dry_run)
    if dry_run:
        said = ", ".join(name.replace("_", " ") for name in body) or "nothing"
        things.only_told(server, f"take back what was said of {one['country']}: {said}", "PATCH", COUNTRIES.at(one["country"]), body, how)
        return
    things.finish(server.patch(COUNTRIES.at(one["country"]), body, etag), f"{one['name_en']} is as the facts have it.", how)
