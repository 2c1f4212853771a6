"""Refusals: what Offhook says no to, in a form every door can translate. Knows no HTTP and no SIP."""

from enum import StrEnum


class Kind(StrEnum):
    """What sort of no it is; each door has its own word for it (HTTP status, exit code)."""

    INVALID = "invalid"
    MISSING = "missing"
    CONFLICT = "conflict"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    UNAUTHENTICATED = "unauthenticated"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """A no with a stable code, the field it is about (if one) and a sentence that says what to do.

    Subclasses set `code` and `kind`; codes never change once released, sentences may.
    """

    code: str = "refused"
    kind: Kind = Kind.INVALID

    def __init__(self, explanation: str, field: str | None = None) -> None:
        super().__init__(explanation)
        self.explanation = explanation
        self.field = field


class Invalid(Refusal):
    """A value that cannot be what it claims to be."""

    code, kind = "value.invalid", Kind.INVALID


class Missing(Refusal):
    """Something asked for by name or id that is not there (or is another organization's, which looks the same)."""

    code, kind = "thing.missing", Kind.MISSING


class Conflict(Refusal):
    """Something that would collide with what is there already."""

    code, kind = "thing.taken", Kind.CONFLICT


class InUse(Conflict):
    """Something that cannot be removed while something else leads to it."""

    code = "thing.in_use"


class Stale(Refusal):
    """A change to something that was changed since the caller looked at it."""

    code, kind = "thing.stale", Kind.STALE


class Forbidden(Refusal):
    """Something that this caller may not do."""

    code, kind = "access.forbidden", Kind.FORBIDDEN


class Unauthenticated(Refusal):
    """A door was tried without a valid key."""

    code, kind = "access.unauthenticated", Kind.UNAUTHENTICATED


class Unavailable(Refusal):
    """A part of the system that is needed does not answer now."""

    code, kind = "system.unavailable", Kind.UNAVAILABLE


class Throttled(Refusal):
    """Something that was tried too often. `seconds` is how long to wait until it may be tried again."""

    code, kind = "request.throttled", Kind.THROTTLED

    def __init__(self, explanation: str, seconds: float, field: str | None = None) -> None:
        super().__init__(explanation, field)
        self.seconds = seconds
