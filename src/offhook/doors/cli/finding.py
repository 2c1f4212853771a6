"""Which Offhook a command asks, and as whom. What is named nearer wins: options, environment, profile, the system running here."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from offhook.doors.cli.profiles import Profiles, read_profiles
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.plan import SystemPlan, read_plan

_CLONE = Path(__file__).parents[4]


@dataclass(frozen=True, slots=True)
class Named:
    """What the options, or the environment, name of a system."""

    url: str | None = None
    token: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line and its environment name."""

    options: Named = Named()
    environment: Named = Named()


def find_server(wanted: Wanted, *, provider: bool = False, profile_first: bool = False) -> Server:
    """The Offhook that is wanted, as an organization or with `provider` as whoever looks after all of them. Raises Failed.

    A profile's token goes to the profile's own address only. With `profile_first` the profile in use stands before the provider's token.
    """
    url, token = named_in(wanted)
    if url and token:
        return Server(url, token)
    # A folder that is named is the environment's, so it stands before the profile in use; the provider has one only if it is named.
    if (profile_first or not provider) and not os.environ.get("OFFHOOK_DATA_DIR"):
        profiles = read_profiles()
        if profiles.used and url in (None, profiles.by_name[profiles.used].url):
            return _of_profile(profiles, profiles.used, token)
    return _as_provider(url, token) if provider else _as_organization(url, token)


def named_in(wanted: Wanted) -> tuple[str | None, str | None]:
    """The address and token that options and environment name, a profile that they name included. Raises Failed."""
    url, token = None, None
    for named in (wanted.options, wanted.environment):
        url, token = url or named.url, token or named.token
        if named.profile and not (url and token):
            server = _of_profile(read_profiles(), named.profile, token, url)
            url, token = server.url, server.token
    return url, token


def names_a_token(wanted: Wanted) -> bool:
    """Whether options or environment give a token of their own."""
    return bool(wanted.options.token or wanted.environment.token)


def address_of(wanted: Wanted) -> tuple[str, str | None]:
    """Where to sign in, and the profile that this is; no token is needed. Raises Failed."""
    profiles = read_profiles()
    for named in (wanted.options, wanted.environment):
        if named.url or named.profile:
            known = profiles.by_name.get(named.profile or "")
            address = named.url or (known.url if known else None)
            if address is None:
                profiles.named(str(named.profile))
            return str(address), named.profile
    if profiles.used and not os.environ.get("OFFHOOK_DATA_DIR"):
        return profiles.by_name[profiles.used].url, profiles.used
    address = _address_here()
    if address is None:
        raise _nothing_here()
    return address, None


def _of_profile(profiles: Profiles, name: str, token: str | None, url: str | None = None) -> Server:
    profile = profiles.named(name)
    if url is not None and url != profile.url:
        raise Failed(f"The profile {name} is for {profile.url}; give a token for {url}.", Exit.NOT_ALLOWED)
    if not (token or profile.token):
        words = f"The profile {name} has no token: `offhook --profile {name} sign-in USERNAME@DOMAIN` gets one, "
        raise Failed(words + f"`offhook profiles remove {name}` forgets the profile.", Exit.NOT_ALLOWED)
    return Server(profile.url, token or profile.token)


def _as_organization(url: str | None, token: str | None) -> Server:
    """The first organization's token of sandbox.json."""
    for path in _sandbox_files():
        try:
            api = json.loads(path.read_text(encoding="utf-8"))["api"]
            return _local(str(api["url"]), str(api["token"]), url, token)
        except FileNotFoundError:
            continue
        except OSError as fault:
            raise Failed(f"{path} cannot be read ({fault.strerror}). Give --url and --token instead.", Exit.NOT_REACHED) from None
        except (ValueError, KeyError, TypeError):
            raise Failed(f"{path} is damaged; stop Offhook and start it again, or give --url and --token.", Exit.NOT_REACHED) from None
    if url:
        raise Failed("Give a token too: --token or OFFHOOK_TOKEN.", Exit.NOT_ALLOWED)
    for plan in _plans():
        if not plan.sandbox:
            words = f"The system at {plan.api_url} keeps no token here (it has no sandbox): `offhook sign-in USERNAME@DOMAIN`, or --token."
            raise Failed(words, Exit.NOT_ALLOWED)
    raise _nothing_here()


def _local(here: str, kept: str, url: str | None, token: str | None) -> Server:
    """The system of this folder. A token that is kept here goes to no other address. Raises Failed."""
    if token is None and url is not None and url.rstrip("/") != here.rstrip("/"):
        raise Failed(f"Give a token for {url} too, --token or OFFHOOK_TOKEN: the one kept here is for {here}.", Exit.NOT_ALLOWED)
    return Server(url or here, token or kept)


def _sandbox_files() -> list[Path]:
    return [folder / "sandbox.json" for folder in _data_folders()]


def _nothing_here() -> Failed:
    places = " or ".join(str(path) for path in _sandbox_files())
    words = f"Offhook is not running here: there is no {places}. ./run starts it; for another system give --url and --token."
    return Failed(words, Exit.NOT_REACHED)


def _address_here() -> str | None:
    """Where the system answers that was last started here, with the sandbox or without; None when none was."""
    for plan in _plans():
        return plan.api_url
    for path in _sandbox_files():
        with suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(path.read_text(encoding="utf-8"))["api"]["url"])
    return None


def _plans() -> Iterator[SystemPlan]:
    for folder in _data_folders():
        with suppress(OSError, ValueError):
            yield read_plan(folder / "run" / "plan.json")


def _as_provider(url: str | None, token: str | None) -> Server:
    for folder in _data_folders():
        try:
            kept = (folder / "provider.token").read_text().strip()
            return _local(read_plan(folder / "run" / "plan.json").api_url, kept, url, token)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as fault:
            raise Failed(f"The data folder {folder} cannot be read ({fault}). Give --url and --token instead.", Exit.NOT_REACHED) from None
    places = " or ".join(str(folder) for folder in _data_folders())
    raise Failed(
        f"No system was started in {places}. This needs the provider's token: set OFFHOOK_DATA_DIR, or give --url and --token.",
        Exit.NOT_ALLOWED,
    )


def _data_folders() -> list[Path]:
    if named := os.environ.get("OFFHOOK_DATA_DIR"):
        return [Path(named)]
    return list(dict.fromkeys([Path.cwd() / "var", _CLONE / "var"]))
