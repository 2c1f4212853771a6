"""An INVITE that wants another call's place (RFC 3891), and why it does not get it."""

from collections.abc import Callable

from sipmessage import Request

from offhook.domain.calls.ids import LegId
from offhook.sip.referring import Replaces, replaces_in


def status_of_replacing(request: Request, leg_of: Callable[[Replaces], LegId | None], is_answered: Callable[[LegId], bool]) -> int:
    """What refuses an INVITE that wants another call's place (RFC 3891 section 3); 0 for one that does not.

    Calls change hands by REFER here (decision 0026), so nobody is authorized to take one over, nor must somebody ring instead.
    """
    if request.headers.get("Replaces") is None:
        return 0
    wanted = replaces_in(request)
    if wanted is None:
        return 400
    replaced = leg_of(wanted)
    if replaced is None:
        return 481
    return 486 if answered_too_early(wanted, replaced, is_answered) else 403


def answered_too_early(wanted: Replaces, replaced: LegId, is_answered: Callable[[LegId], bool]) -> bool:
    """Whether only a call that still rings was wanted (early-only), and somebody has answered meanwhile."""
    return wanted.early_only and is_answered(replaced)
