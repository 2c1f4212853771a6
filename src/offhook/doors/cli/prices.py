"""Commands about the provider's prices: what everything costs, did cost and will cost; and the whole list as a file."""

import csv
import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, Yes, noun, server_of_provider
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.things import How, Noun
from offhook.doors.cli.what_if import moment_asked

PRICES = Noun(
    "/provider/prices",
    "prices",
    "price",
    ("id", "sku", "country", "currency", "period", "amount", "valid_from", "made_up"),
    "id",
    provider=True,
)
COLUMNS = ("sku", "country", "currency", "period", "amount", "valid_from")
_NEEDED = ("sku", "currency", "period", "amount")
_PERIODS = {"month": "a month", "year": "a year", "once": "once", "minute": "a minute"}

prices = noun("What products cost, for whoever looks after the system; a price is never changed, another one begins.")

Price = Annotated[int, typer.Argument(min=1, help="Its id, as `offhook prices list` tells it.")]
Begins = Annotated[str | None, typer.Option("--from", help="From when on: 2027-01-01T00:00. Now if left out.")]


@prices.command("list")
def list_prices(
    context: typer.Context,
    sku: Annotated[str | None, typer.Option(help="Only those of this product.")] = None,
    country: Annotated[str | None, typer.Option(help="Only those of this country; `any`: only those of all countries.")] = None,
    currency: Annotated[str | None, typer.Option(help="Only those in this currency, such as EUR.")] = None,
    period: Annotated[str | None, typer.Option(help="Only those by month, year, once or minute.")] = None,
    as_json: Json = False,
) -> None:
    """List every price, those that are over and those to come too, as they were set."""
    things.listed(context, PRICES, How(as_json), sku=sku, country=country, currency=currency, period=period)


@prices.command("show")
def show_price(context: typer.Context, price: Price, as_json: Json = False) -> None:
    """Show one."""
    things.show(context, PRICES, price, How(as_json))


@prices.command("set")
def set_price(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="Of which product.")],
    amount: Annotated[
        str, typer.Argument(help="How much, exactly: 12.50. `none`: nothing from then on, so that the price of all countries counts.")
    ],
    currency: Annotated[str, typer.Option(help="Of which currency, by its three letters.")],
    period: Annotated[str, typer.Option(help="For how long: month, year, once or minute.")] = "month",
    country: Annotated[str | None, typer.Option(help="Where it holds; in all that have none of their own if left out.")] = None,
    begins: Begins = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Have a price begin, now or later. What something did cost stays in the list."""
    body: dict[str, Any] = {"sku": sku, "country": country and country.upper(), "currency": currency.upper(), "period": period}
    body |= {"amount": None if amount == "none" else amount, "valid_from": moment_asked(begins, "--from")}
    server, how = server_of_provider(context), How(as_json, dry_run)
    costs = "nothing of its own" if body["amount"] is None else told_price(amount, currency.upper(), period)
    said = f"{sku} {costs}, in {body['country'] or 'every country that has no price of its own'}, from {begins or 'now'} on"
    if dry_run:
        things.only_told(server, f"have cost: {said}", "POST", PRICES.path, body, how)
        return
    things.finish(server.post(PRICES.path, body), f"Set: {said}.", how)


@prices.command("remove")
def remove_price(context: typer.Context, price: Price, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Take back a price that has not begun."""
    things.remove(context, PRICES, price, [], How(as_json, dry_run, yes))


@prices.command("export")
def export_prices(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to; what is there is overwritten. Printed if left out.")] = None,
) -> None:
    """Write the whole list as a CSV file, without what the sandbox made up; it imports unchanged."""
    every = things.every(server_of_provider(context), PRICES.path, PRICES.many)["prices"]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([[each[name] or "" for name in COLUMNS] for each in every if not each["made_up"]])
    if file is None:
        sys.stdout.write(out.getvalue())
        return
    try:
        file.write_text(out.getvalue(), encoding="utf-8", newline="")
    except OSError as wrong:
        raise Failed(f"{file} cannot be written: {wrong.strerror}.", Exit.WRONG_COMMAND) from None
    shown.note(f"Wrote {file}.")


@prices.command("import")
def import_prices(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help=f"CSV with the columns {', '.join(COLUMNS)}; no country: all, no amount: none from then on.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only find out what would become of it.")] = False,
    as_json: Json = False,
) -> None:
    """Have all prices of a file begin, or none if one is refused; what is so already is left alone."""
    rows = _read(file)
    server = server_of_provider(context)
    try:
        done = server.post(f"{PRICES.path}/import?dry_run={str(dry_run).lower()}", {"prices": [row for _, row in rows]})
    except Failed as failed:
        raise _of_row(failed, [number for number, _ in rows]) from None
    would = "would begin" if dry_run else "begin"
    things.finish(done, f"{done['added']} prices {would}, {done['unchanged']} are so already.", How(as_json))


def told_price(amount: str, currency: str, period: str) -> str:
    """A price in words: 12.50 EUR a month."""
    return f"{amount} {currency} {_PERIODS.get(period, period)}"


def _read(file: Path) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a file with the numbers of their lines. Raises Failed."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise Failed(f"{file} cannot be read as UTF-8: {wrong}.", Exit.WRONG_COMMAND) from None
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        heads = [head.strip() for head in reader.fieldnames or ()]
        reader.fieldnames = heads
        strange, missing = [head for head in heads if head not in COLUMNS], [name for name in _NEEDED if name not in heads]
        if strange or missing:
            raise Failed(f"The first row of {file} names {', '.join(COLUMNS)}; not {', '.join(strange) or 'all of these'}.", Exit.REFUSED)
        rows = [(reader.line_num, row) for row in reader if any(row.values())]
    except csv.Error as torn:
        raise Failed(f"{file} is no CSV that can be read to its end: {torn}.", Exit.REFUSED) from None
    for number, row in rows:
        if None in row or None in row.values():
            raise Failed(f"Line {number} of {file} has not as many cells as the first row.", Exit.REFUSED)
    return [(number, {name: cell.strip() or None for name, cell in row.items()}) for number, row in rows]


def _of_row(failed: Failed, lines: list[int]) -> Failed:
    """A refusal of one price of a list, with the line of the file that it stands in."""
    parts = str((failed.problem or {}).get("field", "")).split(".")
    if len(parts) > 1 and parts[0] == "prices" and parts[1].isdecimal() and int(parts[1]) < len(lines):
        return Failed(f"Line {lines[int(parts[1])]}: {failed.words} Nothing of the file was done.", failed.code, failed.problem)
    return failed
