"""From the domain's words to SIP headers: how a caller is shown, how an ending, and what we offer when we are asked to."""

from base64 import b64encode
from secrets import token_bytes
from typing import Any
from urllib.parse import quote

from offhook.domain.calls.commands import InviteLeg
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.sides import Diversion
from offhook.domain.media import MediaShape
from offhook.sip.writing import Headers

RETRY_AFTER_SECONDS = 5

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
"""The From of a caller who wants to be nobody (RFC 3323 section 4.1)."""

_SPOKEN = (
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-15\r\na=sendrecv\r\n"
)
"""Not Opus: whoever is called would choose it before the caller has said whether he speaks it."""

_KEY_OCTETS = 30
"""Of AES_CM_128_HMAC_SHA1_80, the cipher that every secure telephone has (RFC 4568 section 6.2)."""


def our_offer(shape: MediaShape) -> str:
    """What a caller who offers nothing is taken to have offered; port 9 (discard) is where nobody listens.

    Its key may go on to whoever is called, as any caller's may, so it is a new one each time.
    """
    where = "IP6 ::1" if shape.ipv6 else "IP4 127.0.0.1"
    transport = "RTP/SAVP" if shape.secure else "RTP/AVP"
    keyed = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{b64encode(token_bytes(_KEY_OCTETS)).decode()}\r\n" if shape.secure else ""
    session = f"v=0\r\no=- 1 1 IN {where}\r\ns=-\r\nc=IN {where}\r\nt=0 0\r\n"
    return f"{session}m=audio 9 {transport} 0 8 9 101\r\n{_SPOKEN}{keyed}"


def shown_as(order: InviteLeg) -> tuple[str, Headers]:
    """The From of an INVITE and the headers that go with it.

    P-Asserted-Identity goes to whoever is in our trust domain (RFC 3325): telephones, unless the caller wants to be hidden from them, and
    carriers always, with `Privacy: id` for him who wants to be hidden from whom the carrier connects him to.
    """
    who = f"{_quoted(order.shown_name)}<sip:{quote(order.shown_number, safe='+')}@{order.domain}>"
    asserted = (("P-Asserted-Identity", who),)
    onward = _sent_on(order.diverted, order.to, order.domain)
    if not order.private:
        return who, (*asserted, *onward)
    return ANONYMOUS, ((*asserted, ("Privacy", "id"), *onward) if order.outside else (("Privacy", "id"),))


def reason_of(ending: Ending) -> tuple[str, str]:
    """Why, as a Q.850 cause and our code (RFC 3326)."""
    return "Reason", f'Q.850;cause={ending.cause};text="{ending.code}"'


def cancel_reason(ending: Ending) -> tuple[str, str]:
    """Why somebody stops ringing, as a SIP status: telephones tell "answered elsewhere" by it."""
    return "Reason", f'SIP;cause={ending.sip_status};text="{ending.sip_reason}"'


def refusal_of(ending: Ending) -> dict[str, Any]:
    """How a caller who is not connected is told of an ending: the details of the order to refuse."""
    status, words = (ending.sip_status, ending.sip_reason) if ending.sip_status >= 300 else (480, "Temporarily Unavailable")
    wait = (("Retry-After", str(RETRY_AFTER_SECONDS)),) if status == 503 else ()
    return {"status": status, "reason": words, "headers": (reason_of(ending), *wait)}


def _sent_on(diverted: tuple[Diversion, ...], to: str, domain: str) -> Headers:
    """Who sent the call on: History-Info (RFC 7044), and for those who know only that Diversion (RFC 5806), the last who did first."""
    if not diverted:
        return ()
    where = [*(each.number for each in diverted), to]
    indexes = ["1" + ".1" * depth for depth in range(len(where))]
    history = [
        f"<sip:{quote(number, safe='+')}@{domain}{'?Reason=SIP%3Bcause%3D302' if depth < len(diverted) else ''}>;index={index}"
        + (f";mp={indexes[depth - 1]}" if depth else "")
        for depth, (number, index) in enumerate(zip(where, indexes, strict=True))
    ]
    diversion = [f"<sip:{quote(each.number, safe='+')}@{domain}>;reason={each.reason};counter=1" for each in reversed(diverted)]
    return (("History-Info", ", ".join(history)), *(("Diversion", value) for value in diversion))


def _quoted(name: str) -> str:
    # RFC 3261 section 25.1 quoted-string; line ends would begin a header of the name's own choice.
    printable = name if name.isprintable() else "".join(letter for letter in name if letter.isprintable())
    plain = printable.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}" ' if plain else ""
