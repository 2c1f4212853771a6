"""Profiles: systems and who one is there, kept in a file that only its owner can read."""

import json
import os
import re
import tempfile
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from offhook.doors.cli.server import Exit, Failed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Profile:
    """A system and who one is there. `token` is empty before one signed in; `expires_at` in the API's form, empty: never."""

    url: str
    token: str = ""
    username: str = ""
    expires_at: str = ""


@dataclass(frozen=True, slots=True)
class Profiles:
    """What the file holds. `used` is the one that is taken when none is named."""

    used: str | None = None
    by_name: dict[str, Profile] = field(default_factory=dict)

    def named(self, name: str) -> Profile:
        """The profile of that name. Raises Failed."""
        if name not in self.by_name:
            raise Failed(f"There is no profile {name}; `offhook profiles` lists them.", Exit.NOT_THERE)
        return self.by_name[name]

    def put(self, name: str, profile: Profile, *, use: bool) -> "Profiles":
        """With a profile more, or another of that name."""
        return Profiles(name if use else self.used, self.by_name | {name: profile})

    def without(self, name: str) -> "Profiles":
        """Without a profile."""
        left = {other: profile for other, profile in self.by_name.items() if other != name}
        return Profiles(self.used if self.used in left else None, left)


def place() -> Path:
    """Where the file is: by the XDG base directory specification in the user's own folder of settings."""
    named = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(named) if named.startswith("/") else Path.home() / ".config") / "offhook" / "profiles.toml"


def read_profiles() -> Profiles:
    """The profiles there are. Raises Failed when the file cannot be understood."""
    path = place()
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
        profiles = {name: Profile(**_texts(values)) for name, values in held.get("profiles", {}).items()}
    except (FileNotFoundError, NotADirectoryError):
        return Profiles()
    except OSError as fault:
        raise Failed(f"{path} cannot be read ({fault.strerror}).", Exit.WRONG_COMMAND) from None
    except (ValueError, TypeError, AttributeError):
        raise Failed(f"{path} cannot be understood; mend it, or move it away and add the profiles anew.", Exit.WRONG_COMMAND) from None
    used = held.get("use")
    return Profiles(used if used in profiles else None, profiles)


def _texts(values: dict[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in values.values()):
        raise ValueError("not all texts")
    return values


def write_profiles(profiles: Profiles) -> None:
    """Replace the file: all of it or nothing, for its owner's eyes only. Raises Failed."""
    path = place()
    lines = [f"use = {_quoted(profiles.used)}"] if profiles.used else []
    for name, profile in sorted(profiles.by_name.items()):
        lines += ["", f"[profiles.{name}]", *(f"{key} = {_quoted(value)}" for key, value in asdict(profile).items() if value)]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, new = tempfile.mkstemp(dir=path.parent, prefix=".profiles-")  # made with mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join(lines).lstrip("\n") + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
    except OSError as fault:
        raise Failed(f"{path} cannot be written ({fault.strerror}).", Exit.WRONG_COMMAND) from None


def _quoted(text: str) -> str:
    """A basic string of TOML 1.0: what JSON escapes is escaped alike there, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def checked_profile_name(name: str) -> str:
    """A name that needs no quotes anywhere. Raises Failed."""
    if not _NAME.fullmatch(name):
        raise Failed(f"{name} is no name for a profile: letters, digits, hyphens and underscores, at most 64.", Exit.WRONG_COMMAND)
    return name
