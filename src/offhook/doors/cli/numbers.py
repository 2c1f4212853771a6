"""Commands about numbers: which the organization has, and whom they ring."""

from typing import Annotated, Any

import typer

from offhook.doors.cli import completion, things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, must_agree, noun, server_of
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.stock import OfCountry, OfKind, Prefix
from offhook.doors.cli.things import How, Limit, Noun, Search, Sort

NUMBERS = Noun("/numbers", "numbers", "number", ("number", "username", "attendant"), "number")
AVAILABLE = Noun("/numbers/available", "numbers", "number", ("number", "country", "kind", "locality"), "number")

numbers = noun("The organization's numbers, and whom they ring.")

Number = Annotated[str, typer.Argument(help="In international form, e.g. +12065550107.", autocompletion=completion.numbers)]
ToUser = Annotated[str | None, typer.Option("--to", help="The user it rings, by username.", autocompletion=completion.usernames)]
ToAttendant = Annotated[str | None, typer.Option("--to-attendant", help="The attendant it rings.", autocompletion=completion.attendants)]


@numbers.command("list")
def list_numbers(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Only those of this user.", autocompletion=completion.usernames)] = None,
    attendant: Annotated[str | None, typer.Option(help="Only those of this attendant.", autocompletion=completion.attendants)] = None,
    given: Annotated[bool | None, typer.Option("--given/--free", help="Only those that ring somebody, or nobody.")] = None,
    search: Search = None,
    sort: Sort = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List numbers."""
    filters = {"username": user, "attendant": attendant, "given": None if given is None else "yes" if given else "no"}
    things.listed(context, NUMBERS, How(as_json), limit, **filters, q=search, sort=sort)


@numbers.command("available")
def available_numbers(
    context: typer.Context,
    country: OfCountry = None,
    kind: OfKind = None,
    prefix: Prefix = None,
    search: Search = None,
    sort: Sort = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List numbers that the organization can take into use."""
    filters = {"country": country and country.upper(), "kind": kind, "prefix": prefix}
    things.listed(context, AVAILABLE, How(as_json), limit, **filters, q=search, sort=sort)


@numbers.command("show")
def show_number(context: typer.Context, number: Number, as_json: Json = False) -> None:
    """Show one of them."""
    things.show(context, NUMBERS, number, How(as_json))


@numbers.command("take")
def take_number(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="In international form; one of those that are available.")],
    user: ToUser = None,
    attendant: ToAttendant = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take a number into use; `offhook numbers available` lists those that can be taken."""
    how = How(as_json, dry_run)
    to = _to(user, attendant, needed=False)
    added = things.add(context, NUMBERS, {"number": number} | to, how, words=f"take {number} into use{_ringing(user, attendant)}")
    if added is not None:
        things.finish(added, f"The organization has {number} now{_ringing(user, attendant)}.", how)


@numbers.command("give")
def give_number(
    context: typer.Context,
    number: Number,
    user: ToUser = None,
    attendant: ToAttendant = None,
    version: Version = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Have a number ring somebody; asks first when it rings somebody else."""
    _to(user, attendant, needed=True)
    one, _ = things.looked_at(server_of(context), NUMBERS, number)
    if (rings := _rings(one)) and not dry_run:
        must_agree(f"give {number}{_ringing(user, attendant)}", [f"{rings} is not reached by it any more"], yes=yes)
    things.change(context, NUMBERS, number, _to(user, attendant, needed=True), How(as_json, dry_run, version=version))


@numbers.command("free")
def free_number(
    context: typer.Context, number: Number, version: Version = None, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Take a number from whom it rings; it stays the organization's."""
    one, _ = things.looked_at(server_of(context), NUMBERS, number)
    rings = _rings(one)
    if rings is None:
        raise Failed(f"{number} rings nobody already.", Exit.REFUSED)
    if not dry_run:
        must_agree(f"free {number}", [f"{rings} is not reached by it any more"], yes=yes)
    things.change(context, NUMBERS, number, FREE, How(as_json, dry_run, version=version))


@numbers.command("give-back")
def give_back_number(
    context: typer.Context, number: Number, version: Version = None, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """The organization shall have a number no longer."""
    one, etag = things.looked_at(server_of(context), NUMBERS, number)
    rings = _rings(one)
    losses = ["anybody may take it into use", *([f"{rings} is not reached by it any more"] if rings else [])]
    things.remove(context, NUMBERS, number, losses, How(as_json, dry_run, yes, version), etag)


FREE: dict[str, Any] = {"username": "", "attendant": ""}


def _to(user: str | None, attendant: str | None, *, needed: bool) -> dict[str, Any]:
    if user is not None and attendant is not None:
        raise Failed("Give --to or --to-attendant, not both.", Exit.WRONG_COMMAND)
    if user is None and attendant is None:
        if needed:
            raise Failed("Say whom it shall ring: --to USERNAME or --to-attendant NAME.", Exit.WRONG_COMMAND)
        return {}
    return {"username": user} if user is not None else {"attendant": attendant}


def _ringing(user: str | None, attendant: str | None) -> str:
    return f" to {user}" if user else f" to the attendant {attendant}" if attendant else ""


def _rings(one: dict[str, Any]) -> str | None:
    return one.get("username") or (f"the attendant {one['attendant']}" if one.get("attendant") else None)
