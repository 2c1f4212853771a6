"""From SIP messages to the domain's words, at the wall: past this point nobody looks at a header again."""

from functools import lru_cache

from sipmessage import Request

from offhook.domain.media import Description, Direction, MediaShape
from offhook.domain.numbers import E164, as_e164
from offhook.domain.routing import Caller, Source
from offhook.sip import sdp as descriptions
from offhook.sip.harmless import NO_ORIGIN, harmless, is_origin
from offhook.sip.identity import Party, asserted, claimed, party, wants_privacy
from offhook.sip.writing import MAX_FORWARDS

DTMF_RELAY = "application/dtmf-relay"
_DIGITS = frozenset("0123456789*#ABCD")
_SECURE = ("RTP/SAVP", "RTP/SAVPF")
"""Audio whose keys stand in the description itself (RFC 4568, RFC 5124); DTLS names itself UDP/TLS/RTP/SAVPF."""
_LONGEST_NAME = 64
_LONGEST_FORM = 2048
_SOURCES = {source.value: source for source in Source}
_NOBODY = Party("", "", "")


def caller_of(request: Request) -> Caller:
    """Who calls, as the edge vouches for it in headers that it alone can write (it strips them from everybody else's requests)."""
    said = request.headers.get("X-Offhook-Source") or ""
    source = _SOURCES.get(said, Source.PHONE)
    address = request.headers.get("X-Offhook-Address") or "an unknown address"
    vouched = asserted(request)
    if source is Source.PHONE:
        # From is anybody's own word: a telephone that the edge does not vouch for is nobody's.
        who = vouched or _NOBODY
        return Caller(source, username=who.user, domain=who.host, name=_name(who), address=address, private=wants_privacy(request))
    who = vouched or claimed(request) or _NOBODY
    if source is Source.CARRIER:
        if wants_privacy(request):
            return Caller(source, address=address, private=True)
        # What the carrier vouches for, rather than what its caller says; where that is no number, a sales line's name say, there is From.
        shown = who if _number(who) else claimed(request) or _NOBODY
        return Caller(source, number=_number(shown), name=_name(who) or _name(shown), address=address)
    return Caller(source, username=who.user, domain=who.host, name=_name(who), address=address)


def dialled_in(request: Request) -> str:
    """What was dialled: the user part of the Request-URI (RFC 3261 section 19.1.1), "" where it has none."""
    user = request.uri.user
    # Nothing to unescape, and no parameters to leave out.
    return user if user is not None and user.isascii() and user.isalnum() else user_of(str(request.uri))


def user_of(uri: str) -> str:
    """The user part of a SIP URI, or the number of a tel: URI; "" where there is none."""
    target = party(f"<{uri}>")
    return target.user if target else ""


def shape_of(caller: Caller, *, offers_srtp: bool) -> MediaShape:
    """How sound is offered to a caller who leaves the offer to us: as to a telephone that is called at his address."""
    transport, _, where = caller.address.partition(":")
    return MediaShape.first_offered(transport, ipv6=where.startswith("["), offers_srtp=offers_srtp)


def hops_of(request: Request) -> int:
    """How many more servers the request may pass; as many as ours begin with where it does not say (RFC 3261 section 16.3)."""
    said = (request.headers.get("Max-Forwards") or "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 4 else MAX_FORWARDS


def targets_in(contacts: tuple[str, ...]) -> tuple[str, ...]:
    """What the Contacts of a redirection name, as if dialled. Where a telephone thinks its neighbours live is of no interest: we know."""
    return tuple(user for user in map(user_of, contacts) if user)


def description_of(text: str | None) -> Description:
    """What a session description offers. One that cannot be read, or is not there, describes a party that speaks nothing.

    Its text is written anew: no engine reads what a stranger wrote.
    """
    return (_described_as_before(text) if text and len(text) < _LONGEST_FORM else None) or _read(text or "")


def _read(text: str) -> Description:
    try:
        read = harmless(descriptions.parse(text))
    except ValueError:
        return Description("", (), Direction.BOTH, "")
    codecs = descriptions.codecs(read)
    names = tuple(_named(codec.name) for codec in codecs if codec.name.lower() not in ("telephone-event", "cn"))
    where = descriptions.address(read)
    usable = where is not None and where[1] != 0
    return Description(
        str(read),
        names if usable else (),
        Direction(descriptions.direction(read).value),
        f"{where[0]}:{where[1]}" if where else "",
        secure=read.audio is not None and read.audio.protocol.upper() in _SECURE,
        ipv6=where is not None and ":" in where[0],
        digits=any(codec.name.lower() == "telephone-event" for codec in codecs),
    )


def _described_as_before(text: str) -> Description | None:
    """What _read() makes of a description with one open audio line; None for any other.

    A telephone's descriptions differ in their origin and their port alone: the rest is read once, in the form that is left without these.
    """
    session, _, audio = text.partition("\r\nm=audio ")
    start = session.split("\r\n", 2)
    port, _, rest = audio.partition(" ")
    if len(start) < 3 or start[0] != "v=0" or not is_origin(start[1]) or text.count("\nm=") != 1:
        return None
    if not (port.isascii() and port.isdigit() and len(port) < 6 and port[0] != "0" and int(port) < 65536):
        return None
    before, after, host, seen = _form(start[2], rest)
    if not seen.text:
        return seen
    where = f"{host}:{port}" if host else ""
    said = f"v=0\r\n{start[1]}\r\n{before}{port}{after}"
    return Description(said, seen.codecs, seen.direction, where, seen.secure, seen.ipv6, seen.digits)


@lru_cache(1024)
def _form(session: str, audio: str) -> tuple[str, str, str, Description]:
    """The text before and after the port, the host, and the whole read with an origin and a port that stand for all."""
    seen = _read(f"v=0\r\n{NO_ORIGIN}\r\n{session}\r\nm=audio 9 {audio}")
    before, audio_line, after = seen.text.removeprefix(f"v=0\r\n{NO_ORIGIN}\r\n").partition("\r\nm=audio ")
    return before + audio_line, after.removeprefix("9"), seen.address.removesuffix(":9"), seen


def _named(name: str) -> str:
    # Encoding names are case-insensitive (RFC 4855 section 3); the domain compares them exactly, so they get one spelling here.
    return "opus" if name.lower() == "opus" else name.upper()


def digit_of(request: Request) -> str | None:
    """The key in a SIP INFO: application/dtmf-relay (Signal=5) or application/dtmf (5). None if there is none in it."""
    kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    body = bytes(request.body or b"")[:200].decode("ascii", "replace")
    if kind == DTMF_RELAY:
        said = next((line.partition("=")[2] for line in body.splitlines() if line.partition("=")[0].strip().lower() == "signal"), "")
    else:
        said = body if kind == "application/dtmf" else ""
    digit = {"10": "*", "11": "#"}.get(said.strip(), said.strip().upper())
    return digit if digit in _DIGITS else None


def _number(who: Party) -> E164 | None:
    return as_e164(who.user) or as_e164("+" + who.user)


def number_in(who: Party) -> str:
    """The number that a user part is, or the user part where it is none."""
    return _number(who) or "".join(letter for letter in who.user if letter.isprintable())[:_LONGEST_NAME]


def _name(who: Party) -> str:
    name = who.name
    return (name if name.isprintable() else "".join(letter for letter in name if letter.isprintable()))[:_LONGEST_NAME]
