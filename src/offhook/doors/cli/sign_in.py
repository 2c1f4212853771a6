"""Commands with which people come in and go out, and the profiles where that is kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer

from offhook.doors.cli import completion, shown, things
from offhook.doors.cli.asking import DryRun, Json, Yes, must_agree, noun, server_of, wanted_of
from offhook.doors.cli.finding import address_of, names_a_token
from offhook.doors.cli.profiles import Profile, checked_profile_name, place, read_profiles, write_profiles
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.doors.cli.users import PasswordFromStdin, asked_password

profiles = noun("Systems, and who one is there, for --profile.")

Name = Annotated[str, typer.Argument(help="The profile's name.", autocompletion=completion.profiles)]


def sign_in(
    context: typer.Context,
    username: Annotated[str, typer.Argument(help="With the domain: anna@lumen.test.")],
    from_stdin: PasswordFromStdin = False,
    as_json: Json = False,
) -> None:
    """Come in with a password; the token that this gives is kept in a profile and never shown."""
    wanted = wanted_of(context)
    url, name = address_of(wanted)
    kept = checked_profile_name(name or username.rpartition("@")[2].replace(".", "-") or "default")
    answer = Server(url, "").post("/sign-in", {"username": username, "password": asked_password("Password", from_stdin=from_stdin)})
    all_of_them = read_profiles()
    profile = Profile(url, answer["token"], username, answer["expires_at"])
    write_profiles(all_of_them.put(kept, profile, use=name is None or all_of_them.used is None))
    if as_json:
        shown.print_json({member: value for member, value in answer.items() if member != "token"} | {"profile": kept})
        return
    until = shown.moment(answer["expires_at"])
    shown.console().print(
        shown.clean(f"{answer['user']['name']} is signed in at {url} until {until}; kept as the profile {kept}."), soft_wrap=True
    )


def sign_out(context: typer.Context, as_json: Json = False) -> None:
    """End the session of a profile, and forget its token."""
    wanted = wanted_of(context)
    if names_a_token(wanted):
        raise Failed("Signing out ends the session of a profile; a token of a program is removed by `offhook tokens remove`.", Exit.REFUSED)
    url, name = address_of(wanted)
    if name is None:
        raise Failed("No profile is in use; `offhook profiles` lists them.", Exit.NOT_THERE)
    all_of_them = read_profiles()
    profile = all_of_them.named(name)
    if not profile.token:
        raise Failed(f"Nobody is signed in with the profile {name}.", Exit.NOT_THERE)
    try:
        Server(url, profile.token).post("/sign-out")
    except Failed as failed:
        if failed.code != Exit.NOT_ALLOWED:  # a session that is over already is what was wanted
            raise
    write_profiles(all_of_them.put(name, replace(profile, token="", expires_at=""), use=False))
    if as_json:
        shown.print_json({"profile": name, "signed_in": False})
    else:
        shown.console().print(f"Signed out; the profile {name} holds no token any more.")


def me(context: typer.Context, as_json: Json = False) -> None:
    """Tell who one is for the system, and what one may do."""
    server = server_of(context)
    answer = server.get("/me")
    if as_json:
        shown.print_json(answer)
    else:
        things.tell(answer | {"url": server.url})


@profiles.command("list")
def list_profiles(as_json: Json = False) -> None:
    """List profiles; * is the one in use."""
    kept = read_profiles()
    told = [
        {
            "name": name,
            "used": name == kept.used,
            "url": each.url,
            "username": each.username,
            "has_token": bool(each.token),
            "expires_at": each.expires_at or None,
        }
        for name, each in sorted(kept.by_name.items())
    ]
    if as_json:
        shown.print_json({"profiles": told})
    elif told:
        rows = [
            ("*" if one["used"] else "", one["name"], one["url"], one["username"], "kept" if one["has_token"] else "none", _until(one))
            for one in told
        ]
        shown.print_table(["", "name", "url", "username", "token", "until"], rows)
    else:
        shown.console().print(f"No profiles. {place()} holds them once there are; `offhook sign-in` makes one.", soft_wrap=True)


def _until(told: Mapping[str, object]) -> str:
    return shown.moment(str(told["expires_at"])) if told["expires_at"] else ""


@profiles.command("add")
def add_profile(
    name: Annotated[str, typer.Argument(help="Letters, digits, hyphens and underscores.")],
    url: Annotated[str, typer.Option(help="Where the system is, e.g. https://phones.example.com.")],
    with_token: Annotated[bool, typer.Option("--with-token", help="Ask for a token too, or read it from standard input.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add a profile, or give one another address; its token is forgotten then."""
    kept = read_profiles()
    words = f"add the profile {checked_profile_name(name)} for {url}"
    if not url.startswith(("http://", "https://")) or not url.isprintable():
        raise Failed(f"{url} is no address of a system, such as https://phones.example.com.", Exit.WRONG_COMMAND)
    if dry_run:
        _only_told(words, as_json=as_json)
        return
    token = _asked_token() if with_token else ""
    known = kept.by_name.get(name)
    if known is not None and known.url == url and not token:
        token = known.token
    write_profiles(kept.put(name, Profile(url, token), use=kept.used is None))
    _tell_done(f"Added the profile {name}.", as_json=as_json)


def _asked_token() -> str:
    token = asked_password("Token", from_stdin=not typer.get_text_stream("stdin").isatty()).strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise Failed("That is no token.", Exit.WRONG_COMMAND)
    return token


@profiles.command("use")
def use_profile(name: Name, as_json: Json = False) -> None:
    """Have commands ask this system from now on."""
    kept = read_profiles()
    write_profiles(kept.put(name, kept.named(name), use=True))
    _tell_done(f"The profile {name} is in use.", as_json=as_json)


@profiles.command("remove")
def remove_profile(name: Name, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Forget a profile with its token; a session goes on until it expires (`offhook sign-out` ends it)."""
    kept = read_profiles()
    losses = ["its token"] if kept.named(name).token else []
    if dry_run:
        _only_told(f"remove the profile {name}{' and its token' if losses else ''}", as_json=as_json)
        return
    must_agree(f"remove the profile {name}", losses, yes=yes or not losses)
    write_profiles(kept.without(name))
    _tell_done(f"Removed the profile {name}.", as_json=as_json)


def _only_told(words: str, *, as_json: bool) -> None:
    if as_json:
        shown.print_json({"would": words})
    else:
        shown.console().print(shown.clean(f"Would {words}."), soft_wrap=True)


def _tell_done(words: str, *, as_json: bool) -> None:
    if as_json:
        list_profiles(as_json=True)
    else:
        shown.console().print(words)
