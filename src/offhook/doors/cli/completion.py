"""Values that a shell completes, asked of the running system: nothing is completed when it does not answer at once, and nothing is said."""

from collections.abc import Callable
from typing import Any

import typer

from offhook.doors.cli.asking import wanted_of
from offhook.doors.cli.finding import find_server
from offhook.doors.cli.profiles import read_profiles
from offhook.doors.cli.server import Failed, Server

_SECONDS = 0.25
_MOST = 100

Completion = Callable[[typer.Context, str], list[tuple[str, str]]]


def _values(path: str, many: str, value: str, words: str) -> Completion:
    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        found = _asked(ctx, path, many, incomplete)
        return [(str(one[value]), str(one.get(words) or "")) for one in found if str(one[value]).startswith(incomplete)]

    return complete


def _asked(ctx: typer.Context, path: str, many: str, incomplete: str) -> list[dict[str, Any]]:
    try:
        found = find_server(wanted_of(ctx))
        answer = Server(found.url, found.token, _SECONDS).get(path, limit=_MOST, q=incomplete or None)
        return list(answer[many])
    except (Failed, KeyError, TypeError):
        return []


usernames = _values("/users", "users", "username", "name")
numbers = _values("/numbers", "numbers", "number", "words")
attendants = _values("/attendants", "attendants", "name", "extension")
devices = _values("/devices", "devices", "id", "name")
webhooks = _values("/webhooks", "webhooks", "id", "url")
tokens = _values("/tokens", "tokens", "id", "label")


def profiles(incomplete: str) -> list[tuple[str, str]]:
    """The profiles of this user."""
    try:
        return [(name, kept.url) for name, kept in read_profiles().by_name.items() if name.startswith(incomplete)]
    except Failed:
        return []
