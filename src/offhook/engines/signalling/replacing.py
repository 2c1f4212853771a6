"""An INVITE that wants another call's place (RFC 3891), and why it does not get it."""

from collections.abc import Callable
from typing import Protocol

from sipmessage import Request

from offhook.sip.referring import Replaces, replaces_in


class Replaced(Protocol):
    """What must be known of the leg that is named."""

    incoming: bool
    answered: bool


def status_of_replacing(request: Request, named_by: Callable[[Replaces], Replaced | None]) -> int:
    """What refuses an INVITE that wants another call's place (RFC 3891 section 3); 0 for one that does not.

    Calls change hands by REFER here (decision 0026), so nobody is authorized to take one over, nor must somebody ring instead.
    """
    if request.headers.get("Replaces") is None:
        return 0
    wanted = replaces_in(request)
    if wanted is None:
        return 400
    replaced = named_by(wanted)
    # A call that rings is replaced at its caller's alone.
    if replaced is None or (replaced.incoming and not replaced.answered):
        return 481
    return 486 if answered_too_early(wanted, replaced) else 403


def answered_too_early(wanted: Replaces, replaced: Replaced) -> bool:
    """Whether only a call that still rings was wanted (early-only), and somebody has answered meanwhile."""
    return wanted.early_only and replaced.answered
