"""Commands for whoever looks after the system: who is registered, who is banned, which certificate telephones are shown."""

import ipaddress
from typing import Annotated, Any

import typer

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, noun, server_of_either, server_of_provider
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.things import How

bans = noun("Addresses that the edge refuses, and how to let them in again.")
certificates = noun("The certificate that telephones are shown over TLS.")


def registrations(context: typer.Context, as_json: Json = False) -> None:
    """List the telephones that are registered: of every organization as the provider, else of one's own."""
    answer = things.every(server_of_either(context), "/registrations", "registrations")
    if as_json:
        shown.print_json(answer)
        return
    if not answer["registrations"]:
        shown.console().print("No telephone is registered.")
        return
    rows = [
        (f"{one['user']}@{one['domain']}", one["address"], one["transport"], one["user_agent"], shown.moment(one["expires_at"]))
        for one in answer["registrations"]
    ]
    shown.print_table(["user", "address", "transport", "telephone", "until"], rows)


@bans.command("list")
def list_bans(context: typer.Context, as_json: Json = False) -> None:
    """List who is refused now. Bans end by themselves."""
    _tell_bans(things.every(server_of_provider(context), "/bans", "bans"), as_json=as_json)


@bans.command("lift")
def lift_ban(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="An IP address, as `offhook bans` lists it.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let an address in again, and forget its wrong passwords; tells who is still refused."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        raise Failed(f"{address} is no IP address.", Exit.WRONG_COMMAND) from None
    server, path = server_of_provider(context), f"/bans/{wanted}"
    if dry_run:
        things.only_told(server, f"let {wanted} in again, and forget its wrong passwords", "DELETE", path, None, How(as_json))
        return
    _tell_bans(server.delete(path), as_json=as_json)


def _tell_bans(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown.print_json(answer)
    elif answer["bans"]:
        shown.print_table(["address", "user", "reason"], [(ban["address"], ban["user"] or "all", ban["reason"]) for ban in answer["bans"]])
    else:
        shown.console().print("Nobody is banned.")


@certificates.command("show")
def show_certificates(context: typer.Context, as_json: Json = False) -> None:
    """Tell which certificate is in use, for which names, and when it ends."""
    _tell_certificates(server_of_provider(context).get("/certificates"), as_json=as_json)


@certificates.command("reload")
def reload_certificates(context: typer.Context, as_json: Json = False) -> None:
    """Take a replaced certificate into use; calls and connections go on."""
    _tell_certificates(server_of_provider(context).post("/certificates/reload"), as_json=as_json)


def _tell_certificates(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown.print_json(answer)
        return
    for each in answer["certificates"]:
        shown.print_report(each)
