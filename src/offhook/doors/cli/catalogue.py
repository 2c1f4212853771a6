"""Commands about the catalogue: what is on sale, and what the provider sells."""

from typing import Annotated, Any

import typer

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, noun, server_of
from offhook.doors.cli.prices import told_price
from offhook.doors.cli.things import TAKEN_AWAY, How, Noun

PRODUCTS = Noun(
    "/provider/products",
    "products",
    "product",
    ("sku", "state", "kind", "name_en", "needs", "service"),
    "sku",
    frozenset({"description_en", "description_fr"}),
    provider=True,
)

catalogue = noun("What is on sale, at which price; and the products of the provider.")

Sku = Annotated[str, typer.Argument(help="What it is called by, such as phone-system.")]
NeedsSku = Annotated[str | None, typer.Option(help="The SKU of a licence or an add-on that must be there" + TAKEN_AWAY)]
ServiceName = Annotated[
    str | None, typer.Option(help="Sold only in countries where this is, such as calling_plans; everywhere if none" + TAKEN_AWAY)
]
_KINDS = "licence, add_on, calling_plan, credits or number"


@catalogue.command("offered")
def list_offered(context: typer.Context, as_json: Json = False) -> None:
    """List what is on sale in your organization's country, and what it costs there now."""
    answer = server_of(context).get("/catalogue")
    if as_json:
        shown.print_json(answer)
        return
    rows = [(each["sku"], each["name_en"], "; ".join(_costs(answer, each)) or "no price yet", each["needs"]) for each in answer["products"]]
    shown.print_table(["sku", "name", "price", "needs"], rows)
    if any(price["made_up"] for each in answer["products"] for price in each["prices"]):
        shown.note("Prices are made up, to look at: this is the sandbox.")


@catalogue.command("list")
def list_products(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only those that are draft, on_sale or withdrawn.")] = None,
    as_json: Json = False,
) -> None:
    """List every product of the provider: drafts, those on sale, those withdrawn."""
    things.listed(context, PRODUCTS, How(as_json), state=state)


@catalogue.command("show")
def show_product(context: typer.Context, sku: Sku, as_json: Json = False) -> None:
    """Show one."""
    things.show(context, PRODUCTS, sku, How(as_json))


@catalogue.command("add")
def add_product(
    context: typer.Context,
    sku: Sku,
    kind: Annotated[str, typer.Option(help=f"What sort of thing it is: {_KINDS}.")],
    name: Annotated[str, typer.Option(help="What it is called in English.")],
    name_fr: Annotated[str, typer.Option(help="What it is called in French.")],
    description: Annotated[str | None, typer.Option(help="What it is, in English.")] = None,
    description_fr: Annotated[str | None, typer.Option(help="What it is, in French.")] = None,
    needs: Annotated[str | None, typer.Option(help="The SKU of a licence or an add-on that must be there.")] = None,
    service: Annotated[str | None, typer.Option(help="Sold only in countries where this is, such as calling_plans.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add a product: a draft, which nobody is offered until `offhook catalogue sell`."""
    body: dict[str, Any] = {"sku": sku, "kind": kind, "name_en": name, "name_fr": name_fr, "needs": needs, "service": service}
    made = things.add(context, PRODUCTS, body | {"description_en": description, "description_fr": description_fr}, How(as_json, dry_run))
    if made is not None:
        things.finish(made, f"Added the product {sku}, a draft.", How(as_json))


@catalogue.command("change")
def change_product(
    context: typer.Context,
    sku: Sku,
    kind: Annotated[str | None, typer.Option(help=f"Of a draft: {_KINDS}.")] = None,
    name: Annotated[str | None, typer.Option(help="What it is called in English.")] = None,
    name_fr: Annotated[str | None, typer.Option(help="What it is called in French.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is, in English" + TAKEN_AWAY)] = None,
    description_fr: Annotated[str | None, typer.Option(help="What it is, in French" + TAKEN_AWAY)] = None,
    needs: NeedsSku = None,
    service: ServiceName = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give a product other texts or another service; a draft another kind, or something else that it needs."""
    body = {"kind": kind, "name_en": name, "name_fr": name_fr, "description_en": description, "description_fr": description_fr}
    things.change(context, PRODUCTS, sku, body | {"needs": needs, "service": service}, How(as_json, dry_run, version=version))


@catalogue.command("sell")
def sell_product(context: typer.Context, sku: Sku, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Put a product on sale: whoever can buy it sees it, at the prices that are set."""
    _order(context, sku, "sell", f"put {sku} on sale", f"{sku} is on sale.", [], How(as_json, dry_run))


@catalogue.command("withdraw")
def withdraw_product(context: typer.Context, sku: Sku, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Offer a product to nobody any more; who has it keeps it."""
    losses = ["new orders of it"]
    _order(context, sku, "withdraw", f"withdraw {sku}", f"{sku} is withdrawn; who has it keeps it.", losses, How(as_json, dry_run, yes))


@catalogue.command("remove")
def remove_product(context: typer.Context, sku: Sku, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Remove a draft, and its prices."""
    things.remove(context, PRODUCTS, sku, ["its prices"], How(as_json, dry_run, yes))


def _order(context: typer.Context, sku: str, order: str, said: str, done: str, losses: list[str], how: How) -> None:
    answer = things.ordered(PRODUCTS.server(context), f"{PRODUCTS.at(sku)}/{order}", said, losses, how)
    if answer is not None:
        things.finish(answer, done, how)


def _costs(answer: dict[str, Any], product: dict[str, Any]) -> list[str]:
    return [told_price(price["amount"], answer["currency"], price["period"]) for price in product["prices"]]
