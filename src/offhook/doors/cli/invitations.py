"""Commands about links by which somebody becomes an organization's global administrator, for whoever looks after the system."""

from typing import Annotated

import typer

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, Yes, noun, server_of_provider
from offhook.doors.cli.organizations import ORGANIZATIONS, Email, Language, Organization, Username, found, tell_link
from offhook.doors.cli.server import Server
from offhook.doors.cli.things import How, Noun

invitations = noun("Links that work once, by which somebody becomes an organization's global administrator.")

_NONE = "none"  # no domain is called so: it has no dot
Whose = Annotated[str, typer.Argument(help=f"Its id or its domain; {_NONE}: links that make one, as that of the first start.")]


@invitations.command("list")
def list_invitations(context: typer.Context, organization: Whose, as_json: Json = False) -> None:
    """List the invitations into an organization that nobody has used, or those that make one; without their links."""
    things.listed(context, _into(server_of_provider(context), organization), How(as_json))


@invitations.command("add")
def add_invitation(
    context: typer.Context,
    organization: Organization,
    username: Username = None,
    email: Email = None,
    language: Language = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a link that works once, within a week, and show it once; who is called so there already becomes administrator by it.

    It goes by mail to --email, if mail is set up; the answer says whether.
    """
    into, body = _into(server_of_provider(context), organization), {"username": username, "email": email, "language": language}
    made = things.add(context, into, body, How(as_json, dry_run), words=f"invite a global administrator of {organization}")
    if made is None:
        return
    if as_json:
        shown.print_json(made)
    else:
        tell_link(made)


@invitations.command("revoke")
def revoke_invitation(
    context: typer.Context,
    organization: Whose,
    invitation: Annotated[int, typer.Argument(min=1, help="Its id, as `offhook invitations list` tells it.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let nobody in by a link any more."""
    things.remove(context, _into(server_of_provider(context), organization), invitation, [], How(as_json, dry_run, yes))


def _into(server: Server, organization: str) -> Noun:
    path = "/provider/invitations" if organization == _NONE else ORGANIZATIONS.at(found(server, organization)["id"]) + "/invitations"
    return Noun(path, "invitations", "invitation", ("id", "username", "email", "made_at", "expires_at"), "id", provider=True)
