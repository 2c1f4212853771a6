"""Commands about the organization itself."""

from typing import Annotated

import typer

from offhook.doors.cli import completion, things
from offhook.doors.cli.asking import DryRun, Json, Version, noun
from offhook.doors.cli.things import TAKEN_AWAY, How, Noun

ORGANIZATION = Noun("/organization", "organization", "organization", (), "")

organization = noun("The organization itself.")


@organization.command("show")
def show_organization(context: typer.Context, as_json: Json = False) -> None:
    """Show its name, domain, country and main number."""
    things.show(context, ORGANIZATION, "", How(as_json))


@organization.command("change")
def change_organization(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="As people read it.")] = None,
    country: Annotated[str | None, typer.Option(help="Whose emergency numbers and dialling rules hold, e.g. US.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="E.g. Europe/Paris.")] = None,
    main_number: Annotated[
        str | None, typer.Option(help="What is shown of who has no number" + TAKEN_AWAY, autocompletion=completion.numbers)
    ] = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Change what is said of it."""
    body = {"name": name, "country": country, "time_zone": time_zone, "main_number": main_number}
    things.change(context, ORGANIZATION, "", body, How(as_json, dry_run, version=version))
