"""What a REFER asks for (RFC 3515 2.1), and which dialog is to be replaced (RFC 3891 6.1)."""

from dataclasses import dataclass
from urllib.parse import unquote

from sipmessage import URI, Request

from offhook.sip.reading import parameter, split_values, uri_in
from offhook.sip.wall import LONGEST_URI

LONGEST_REPLACES = 512


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog whose place a new call takes. to_tag is the tag of whom the new call reaches: ours, where it reaches us."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    def __str__(self) -> str:
        """As the header writes it; inside a Refer-To it must be escaped."""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{';early-only' if self.early_only else ''}"


@dataclass(frozen=True, slots=True)
class ReferTo:
    """uri is text without the headers that were embedded in it."""

    uri: str
    replaces: Replaces | None


def read_refer_to(request: Request) -> ReferTo | None:
    """Where the REFER sends its reader; None where it says so not exactly once, not readably, or asks for more than a call."""
    values = [value for line in request.headers.getlist("Refer-To") for value in split_values(line)]
    if len(values) != 1:
        return None
    # A name-addr without angle brackets ends at its first ";" (RFC 3261 20.10), and that may stand in an unescaped Replaces.
    whole = uri_in(values[0]) if "<" in values[0] else values[0].strip()
    uri, _, embedded = whole.partition("?")
    # Telephones write feature codes as they are dialled, as in a request line.
    uri = uri.replace("#", "%23")
    method = parameter(uri[uri.find(";") :], "method") if ";" in uri else None
    if not _is_readable(uri) or (method or "INVITE").upper() != "INVITE":
        return None
    asked = [field.partition("=")[2] for field in embedded.split("&") if field.partition("=")[0].lower() == "replaces"]
    replaces = read_replaces(unquote(asked[0])) if len(asked) == 1 else None
    return None if asked and replaces is None else ReferTo(uri, replaces)


def replaces_in(request: Request) -> Replaces | None:
    """The dialog whose place an INVITE wants to take (RFC 3891 3); None where it says none, or not exactly one readably."""
    values = request.headers.getlist("Replaces")
    return read_replaces(values[0]) if len(values) == 1 else None


def read_replaces(text: str) -> Replaces | None:
    """A Replaces value, already unescaped; None for what is none: both tags are needed, once each."""
    if len(text) > LONGEST_REPLACES or not text.isprintable():
        return None
    call_id, *parts = [part.strip() for part in text.split(";")]
    said: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        if name.strip().lower() in said:
            return None
        said[name.strip().lower()] = value.strip()
    to_tag, from_tag = said.get("to-tag"), said.get("from-tag")
    if not call_id or " " in call_id or not to_tag or not from_tag:
        return None
    return Replaces(call_id, to_tag, from_tag, "early-only" in said)


def _is_readable(uri: str) -> bool:
    scheme, _, rest = uri.partition(":")
    if not rest or len(uri) > LONGEST_URI.get(scheme.lower(), 0) or not uri.isprintable() or any(letter in uri for letter in ' <>"'):
        return False
    try:
        URI.parse(uri)
    # TypeError: sipmessage passes URI parameters as keywords, so a ";self" collides.
    except (ValueError, TypeError):
        return False
    return True
