"""Commands about the provider's carriers: where calls go out, and come in from."""

from typing import Annotated

import typer

from offhook.doors.cli import things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, noun
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.things import How, Noun

_COLUMNS = ("name", "address", "port", "default", "sandbox", "state", "state_at", "round_trip_seconds")
CARRIERS = Noun("/carriers", "carriers", "carrier", _COLUMNS, "name", provider=True)

carriers = noun("Where calls go out to the public network, and come in from it; for whoever looks after the system.")

Carrier = Annotated[str, typer.Argument(help="Its name.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Where calls to it go, by UDP; 5060 if it was never said.")]


@carriers.command("list")
def list_carriers(context: typer.Context, as_json: Json = False) -> None:
    """List carriers, and whether they answer."""
    things.listed(context, CARRIERS, How(as_json))


@carriers.command("show")
def show_carrier(context: typer.Context, carrier: Carrier, as_json: Json = False) -> None:
    """Show one."""
    things.show(context, CARRIERS, carrier, How(as_json))


@carriers.command("add")
def add_carrier(
    context: typer.Context,
    carrier: Carrier,
    address: Annotated[str, typer.Option(help="Its IP address; calls from there are let in without a password.")],
    port: Port = None,
    default: Annotated[
        bool | None, typer.Option("--default/--no-default", help="Calls go out by it; if neither is said, where there is no default yet.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add a carrier: calls from its address are let in, and go out by it if it is the default."""
    made = things.add(context, CARRIERS, {"name": carrier, "address": address, "port": port, "default": default}, How(as_json, dry_run))
    if made is not None:
        said = "calls go out by it" if made["carrier"]["default"] else "calls come in from it, and go out by another"
        things.finish(made, f"Added the carrier {carrier}: {said}.", How(as_json), provider=True)


@carriers.command("change")
def change_carrier(
    context: typer.Context,
    carrier: Carrier,
    address: Annotated[str | None, typer.Option(help="Its IP address.")] = None,
    port: Port = None,
    default: Annotated[bool, typer.Option("--default", help="Calls go out by it from now on, and by no other one.")] = False,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give a carrier another address or port, or make it the default."""
    body = {"address": address, "port": port, "default": default or None}
    things.change(context, CARRIERS, carrier, body, How(as_json, dry_run, version=version))


@carriers.command("remove")
def remove_carrier(
    context: typer.Context,
    carrier: Carrier,
    leave_none: Annotated[bool, typer.Option("--leave-none", help="The default one goes too: nobody calls out then.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove a carrier: no call goes out by it, and none is let in from it."""
    one, etag = things.looked_at(CARRIERS.server(context), CARRIERS, carrier)
    if one["default"] and not leave_none:
        raise Failed(
            f"{carrier} is the default carrier: without one emergency calls cannot leave either. "
            "Make another one the default first (`offhook carriers change NAME --default`), or say --leave-none.",
            Exit.REFUSED,
        )
    losses = ["every call out, emergency calls among them, until another one is the default"] if one["default"] else []
    agreed = "?default=none" if one["default"] else ""
    things.remove(context, CARRIERS, carrier, losses, How(as_json, dry_run, yes), etag, query=agreed)
