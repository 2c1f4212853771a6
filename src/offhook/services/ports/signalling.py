"""What a call needs of the signalling: orders to legs. What the legs do comes back as domain events through `Deliver`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from offhook.domain.calls.commands import InviteLeg
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.events import CallArrived, LegEvent
from offhook.domain.calls.ids import LegId

Deliver = Callable[[CallArrived | LegEvent], None]
"""Told every fact about a leg, in order."""

Observe = Callable[[LegId, float, str, bytes], None]
"""Told every message of a leg as it goes over the wire: the leg, seconds since 1970, "in" or "out" as the switch sees it, and the bytes."""


Ask = Callable[[str], Awaitable[int | None]]
"""Asks a carrier whether it lives (OPTIONS), by its URI: the status it answers with, None where it does not, or cannot be reached.

Raises SignallingRefused where nothing came to be known of it, as while the edge is away.
"""


class SignallingRefused(Exception):
    """The order cannot be given: no such leg, or the leg is in no state for it. The text says which."""


class Signalling(Protocol):
    """Every order returns at once; what comes of it is an event. Each may raise SignallingRefused."""

    def invite(self, order: InviteLeg) -> None:
        """Call a telephone or carrier, as the order says."""

    def ring(self, leg: LegId) -> None:
        """Tell the caller that it rings (180)."""

    def progress(self, leg: LegId, sdp: str) -> None:
        """Give the caller early sound (183)."""

    def answer(self, leg: LegId, sdp: str) -> None:
        """Answer the caller (200); LegConfirmed or LegLost follows."""

    def end(self, leg: LegId, ending: Ending) -> None:
        """End the leg as its state asks: a final response, a CANCEL or a BYE. A leg that is over stays over without an error."""

    def accept_reoffer(self, leg: LegId, sdp: str) -> None:
        """Agree to a LegReoffered."""

    def refuse_reoffer(self, leg: LegId, status: int) -> None:
        """Refuse a LegReoffered with a SIP status; the call goes on."""

    def reoffer(self, leg: LegId, sdp: str) -> None:
        """Offer other sound in mid-call (re-INVITE); LegReofferAnswered or LegReofferRefused follows."""

    def accept_transfer(self, leg: LegId) -> None:
        """Agree to try what a TransferAsked asked for (202, RFC 3515)."""

    def refuse_transfer(self, leg: LegId, status: int) -> None:
        """Refuse a TransferAsked with a SIP status."""

    def tell_transfer(self, leg: LegId, status: int, words: str, final: bool) -> None:
        """Tell how far a transfer is (NOTIFY with a sipfrag, RFC 3420), also whoever has hung up; nothing happens where nobody listens."""

    def remembered(self, leg: LegId) -> dict[str, Any] | None:
        """What `farewell` needs to end this leg in another life of the process, as JSON values; None for one that is over."""

    def farewell(self, note: Mapping[str, Any], ending: Ending) -> None:
        """End a leg of another life of the process as it stood: BYE, CANCEL or a refusal. Nothing comes back."""

    def send_digit(self, leg: LegId, digit: str) -> None:
        """Pass a key on in the signalling (INFO, application/dtmf-relay)."""
