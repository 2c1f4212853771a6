"""Commands about the provider's stock of numbers: what there is, who has what, what enters it, is withheld, leaves it."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from offhook.domain.numbers import NumberKind, StockState
from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, noun, server_of_provider, waiting
from offhook.doors.cli.bulk import ROW_WORDS, octets_of
from offhook.doors.cli.organizations import found
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.things import TAKEN_AWAY, How, Limit, Noun, Search, Sort

STOCK = Noun(
    "/provider/stock",
    "stock",
    "number",
    ("number", "state", "domain", "country", "kind", "locality", "carrier", "withheld"),
    "number",
    provider=True,
)
_ROWS_SHOWN = 20
_SECONDS = 120.0

stock = noun("The numbers that organizations may take, for whoever looks after the system.")


class Existing(StrEnum):
    """What becomes of a number that is there already."""

    CHANGE = "change"
    SKIP = "skip"
    REFUSE = "refuse"


Number = Annotated[str, typer.Argument(help="In international form, e.g. +12065550107.")]
Country = Annotated[str | None, typer.Option(help="Its country, by two letters; if left out, as the numbering plan tells.")]
Kind = Annotated[NumberKind | None, typer.Option(help="What sort of number it is; if left out, as the numbering plan tells.")]
Locality = Annotated[str | None, typer.Option(help=f"A place or area, as people shall read it{TAKEN_AWAY}.")]
Prefix = Annotated[str | None, typer.Option(help="Only those that begin so: +1206.")]
OfCountry = Annotated[str | None, typer.Option(help="Only those of this country, by two letters.")]
OfKind = Annotated[NumberKind | None, typer.Option(help="Only those of this sort.")]


@stock.command("list")
def list_stock(
    context: typer.Context,
    state: Annotated[StockState | None, typer.Option(help="Only those that are free, in use or withheld.")] = None,
    organization: Annotated[str | None, typer.Option(help="Only those that it has, by its id or its domain.")] = None,
    country: OfCountry = None,
    kind: OfKind = None,
    carrier: Annotated[str | None, typer.Option(help="Only those that come by this carrier.")] = None,
    prefix: Prefix = None,
    search: Search = None,
    sort: Sort = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List the numbers of the stock, and who has which."""
    id = None if organization is None else found(server_of_provider(context), organization)["id"]
    filters = {
        "state": state,
        "organization": id,
        "country": country and country.upper(),
        "kind": kind,
        "carrier": carrier,
        "prefix": prefix,
    }
    things.listed(context, STOCK, How(as_json), limit, **filters, q=search, sort=sort)


@stock.command("show")
def show_number(context: typer.Context, number: Number, as_json: Json = False) -> None:
    """Show one, and who has it."""
    things.show(context, STOCK, number, How(as_json))


@stock.command("add")
def add_numbers(
    context: typer.Context,
    number: Number,
    last: Annotated[str | None, typer.Option(help="All up to this one, with as many digits; at most 10,000.")] = None,
    carrier: Annotated[str | None, typer.Option(help="By which carrier it comes; the default one if left out.")] = None,
    country: Country = None,
    kind: Kind = None,
    locality: Annotated[str | None, typer.Option(help="A place or area, as people shall read it.")] = None,
    on_existing: Annotated[Existing, typer.Option(help="What becomes of one of several that is there already.")] = Existing.REFUSE,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Have a number, or all from one to another, enter the stock: any organization may take them."""
    how = How(as_json, dry_run)
    said: dict[str, Any] = {"carrier": carrier, "country": country, "kind": kind, "locality": locality}
    if last is None:
        added = things.add(context, STOCK, {"number": number} | said, how)
        if added is not None:
            things.finish(added, f"Added {added['number']['number']}; any organization may take it.", how)
        return
    body = {"first": number, "last": last, "on_existing": on_existing.value} | said
    words = f"add the numbers from {number} to {last}"
    with waiting("Adding"):
        entered = things.add(context, STOCK, body, how, path=f"{STOCK.path}/range", words=words)
    if entered is not None:
        things.finish(entered, f"From {entered['first']} to {entered['last']}: {_counted(entered)}.", how)


@stock.command("import")
def import_numbers(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A CSV file whose first row names its columns, e164 at least; - for input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would become of each row; change nothing.")] = False,
    on_existing: Annotated[Existing, typer.Option(help="What becomes of a row whose number is there already.")] = Existing.CHANGE,
    as_json: Json = False,
) -> None:
    """Have numbers of a CSV file enter the stock. Exit code 1 when a row was refused; the others are done all the same."""
    octets, server = octets_of(file), server_of_provider(context)
    asked = {"on_existing": on_existing.value, "dry_run": str(dry_run).lower()}
    with waiting("Importing"):
        done = server.send(f"{STOCK.path}/import", octets, "text/csv", _SECONDS, **asked)
    refused = [row for row in done["rows"] if row["state"] == "refused"]
    if as_json:
        shown.print_json(done)
    else:
        dry = " (dry run: nothing was changed)" if dry_run else ""
        shown.console().print(f"{len(done['rows'])} rows: {_counted(done)}{dry}.", soft_wrap=True)
        if refused:
            rows = [(row["row"], row["number"], row["field"], row["explanation"]) for row in refused[:_ROWS_SHOWN]]
            shown.print_table(["row", "number", "field", "why"], rows)
        if len(refused) > _ROWS_SHOWN:
            shown.note(f"And {len(refused) - _ROWS_SHOWN} more rows were refused; --json tells all.")
    if refused:
        raise typer.Exit(Exit.NOT_ALL_WELL)


@stock.command("change")
def change_number(
    context: typer.Context,
    number: Number,
    carrier: Annotated[str | None, typer.Option(help="By which carrier it comes; an empty text: nobody knows.")] = None,
    country: Annotated[str | None, typer.Option(help="Its country, by two letters.")] = None,
    kind: Annotated[NumberKind | None, typer.Option(help="What sort of number it is.")] = None,
    locality: Locality = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give a number another carrier, country, kind or locality. Who has it keeps it."""
    body = {"carrier": carrier, "country": country, "kind": kind, "locality": locality}
    things.change(context, STOCK, number, body, How(as_json, dry_run, version=version))


@stock.command("withhold")
def withhold_number(
    context: typer.Context,
    number: Number,
    because: Annotated[str, typer.Option(help="Why; only the provider reads it.")],
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Offer a number to nobody. Who has it keeps it, and once it is given back it is not offered."""
    if not because.strip():
        raise Failed("Say why: --because 'quarantine until May'.", Exit.WRONG_COMMAND)
    things.change(context, STOCK, number, {"withheld": because}, How(as_json, dry_run, version=version))


@stock.command("release")
def release_number(context: typer.Context, number: Number, version: Version = None, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Offer a number again that was withheld."""
    things.change(context, STOCK, number, {"withheld": ""}, How(as_json, dry_run, version=version))


@stock.command("remove")
def remove_number(
    context: typer.Context, number: Number, version: Version = None, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Have a number leave the stock; refused while an organization has it."""
    one, etag = things.looked_at(STOCK.server(context), STOCK, number)
    if one["state"] == StockState.IN_USE:
        raise Failed(f"{number} is in use by {one['domain']}; it leaves the stock once it is given back.", Exit.REFUSED)
    things.remove(context, STOCK, number, ["nobody can take it any more"], How(as_json, dry_run, yes, version), etag)


def _counted(answer: dict[str, Any]) -> str:
    return ", ".join(f"{answer['results'][word]} {word}" for word in ROW_WORDS if answer["results"].get(word)) or "nothing"
