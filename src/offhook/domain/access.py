"""Who may do what in an organization: roles of people, scopes of tokens.

A scope is a noun and what is done to it, such as "users:read". A role is a set of scopes, a table that people can read.
"""

from collections.abc import Iterable
from enum import StrEnum

NOUNS = (
    "organization", "users", "devices", "attendants", "numbers", "calls", "history", "jobs", "webhooks", "mails", "tokens", "billing",
)  # fmt: skip
READS = frozenset(f"{noun}:read" for noun in NOUNS)
WRITES = frozenset(f"{noun}:write" for noun in NOUNS if noun not in ("history",))
EVERYTHING = READS | WRITES

OF_PROVIDER = frozenset({"provider:read", "provider:write"})
"""What the provider's programs may do: look at whatever the provider sees, and everything else."""


class Role(StrEnum):
    """What an administrator looks after; a user without a role administers nothing."""

    GLOBAL = "global"
    VOICE = "voice"
    BILLING = "billing"
    HELP_DESK = "help_desk"
    READER = "reader"


_SECRET = frozenset({"tokens:read", "webhooks:read"})

_LOOKED_AT_BY_HELP_DESK = ("organization", "users", "devices", "attendants", "numbers", "calls", "mails")

SCOPES_OF: dict[Role, frozenset[str]] = {
    Role.GLOBAL: EVERYTHING,
    Role.VOICE: (READS - _SECRET) | {f"{noun}:write" for noun in ("users", "devices", "attendants", "numbers", "calls", "jobs", "mails")},
    Role.BILLING: (READS - _SECRET) | {"billing:write"},
    Role.HELP_DESK: frozenset({"devices:write"} | {f"{noun}:read" for noun in _LOOKED_AT_BY_HELP_DESK}),
    Role.READER: READS - _SECRET,
}


def allows(held: Iterable[str], needed: str) -> bool:
    """Whether somebody who holds these scopes may do what needs one."""
    return needed in frozenset(held)


def scopes_of(role: Role | None) -> frozenset[str]:
    """What a person with this role may do; without one nothing but look at what is their own (GET /me)."""
    return SCOPES_OF[role] if role is not None else frozenset()


def may_give(held: Iterable[str], role: Role | None) -> bool:
    """Whether somebody who holds these scopes may give or take a role, or let somebody who has it sign in: only what one has oneself."""
    return frozenset(held) >= scopes_of(role)


def of_provider_for(method: str) -> str:
    """The scope of the provider's that a request needs, by its method: whatever does not only look is a write, what comes later too."""
    return "provider:read" if method in ("GET", "HEAD") else "provider:write"


def unknown_scopes(asked: Iterable[str], known: Iterable[str] = EVERYTHING) -> list[str]:
    """Those of `asked` that are no scopes."""
    return sorted(frozenset(asked) - frozenset(known))
