"""Commands about telephones."""

from typing import Annotated

import typer

from offhook.doors.cli import completion, shown, things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, noun, server_of
from offhook.doors.cli.things import How, Limit, Noun, Search, Sort
from offhook.doors.cli.users import USERS, Username

DEVICES = Noun("/devices", "devices", "device", ("id", "name", "username", "sip_username"), "id")

devices = noun("The telephones of people.")

Device = Annotated[int, typer.Argument(min=1, help="Its id, as `offhook devices` lists it.", autocompletion=completion.devices)]


@devices.command("list")
def list_devices(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Only those of this user.", autocompletion=completion.usernames)] = None,
    search: Search = None,
    sort: Sort = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List telephones."""
    things.listed(context, DEVICES, How(as_json), limit, username=user, q=search, sort=sort)


@devices.command("show")
def show_device(context: typer.Context, device: Device, as_json: Json = False) -> None:
    """Show one of them."""
    things.show(context, DEVICES, device, How(as_json))


@devices.command("add")
def add_device(
    context: typer.Context,
    username: Username,
    name: Annotated[str, typer.Option(help="What it is called, such as Desk phone.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give a person another telephone, and show its password once."""
    path, words = USERS.at(username) + "/devices", f"give {username} a telephone called {name}"
    added = things.add(context, DEVICES, {"name": name}, How(as_json, dry_run), path, words)
    if added is not None:
        _tell(added, as_json=as_json)


@devices.command("change")
def change_device(
    context: typer.Context,
    device: Device,
    name: Annotated[str, typer.Option(help="What it is called.")],
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Call a telephone otherwise."""
    things.change(context, DEVICES, device, {"name": name}, How(as_json, dry_run, version=version))


@devices.command("password")
def device_password(context: typer.Context, device: Device, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Give a telephone a new password, and show it once; the one it has is refused from then on."""
    server = server_of(context)
    one, _ = things.looked_at(server, DEVICES, device)
    losses = [f"the password of {one['sip_username']} ({one['name']}), a telephone of {one['username']}"]
    path, said = DEVICES.at(device) + "/password", f"give the telephone {device} a new password"
    renewed = things.ordered(server, path, said, losses, How(as_json, dry_run, yes))
    if renewed is not None:
        _tell(renewed, as_json=as_json)


@devices.command("remove")
def remove_device(
    context: typer.Context, device: Device, version: Version = None, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Remove a telephone: it can register no more."""
    one, etag = things.looked_at(server_of(context), DEVICES, device)
    losses = [f"the registration of {one['sip_username']} ({one['name']}), a telephone of {one['username']}"]
    things.remove(context, DEVICES, device, losses, How(as_json, dry_run, yes, version), etag)


def _tell(added: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        shown.print_json(added)
        return
    things.tell(DEVICES.alone(added) | {name: value for name, value in added.items() if name != DEVICES.one})
    shown.note("The password is not shown again.")
    things.note_effect(added)
