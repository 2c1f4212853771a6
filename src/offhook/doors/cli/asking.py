"""What every command shares: whom it asks, and as whom."""

from dataclasses import dataclass
from typing import Annotated

import typer

from offhook.doors.cli.server import Server, find_server

Json = Annotated[bool, typer.Option("--json", help="Print the API's own answer, for programs.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line named of the system; None: looked for in the data folder."""

    url: str | None
    token: str | None


def server_of(context: typer.Context) -> Server:
    """The system, asked as the organization whose token it is."""
    wanted: Wanted = context.find_root().obj
    return find_server(wanted.url, wanted.token)


def server_of_provider(context: typer.Context) -> Server:
    """The system, asked as whoever looks after all of it."""
    wanted: Wanted = context.find_root().obj
    return find_server(wanted.url, wanted.token, provider=True)
