"""What a message carries: its session description, alone or in a multipart body (RFC 2046 5.1, RFC 5621), and what cannot be taken."""

from offhook.sip.reading import parameter
from offhook.sip.wall import Envelope
from offhook.sip.writing import SDP, Headers

MOST_PARTS = 16
MULTIPART = "multipart/"
ACCEPTED = (("Accept", f"{SDP}, multipart/mixed"),)


def sdp_of(envelope: Envelope) -> str | None:
    """The session description a message carries, or None."""
    message = envelope.message
    if not message.body:
        return None
    kind = message.headers.get("Content-Type")
    if is_sdp(kind):
        return message.body.decode("utf-8", "replace")
    if kind is None or not kind.lower().startswith(MULTIPART):
        return None
    return next((part.decode("utf-8", "replace") for said, _, part in _parts(kind, message.body) if is_sdp(said)), None)


def is_sdp(content_type: str | None) -> bool:
    """Whether a Content-Type value says application/sdp, whatever its parameters."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == SDP


def body_refusal(envelope: Envelope) -> tuple[int, Headers] | None:
    """Why the body of this INVITE or UPDATE cannot be taken: status and headers; None where it can (RFC 3261 8.2.3).

    A part that is none of ours is read over unless it says that it must be understood.
    """
    headers = envelope.message.headers
    kind = headers.get("Content-Type") or ""
    if is_sdp(kind) or _is_optional(headers.get("Content-Disposition")):
        return None
    if not kind.lower().startswith(MULTIPART):
        return 415, ACCEPTED
    parts = _parts(kind, envelope.message.body)
    described = any(is_sdp(said) for said, _, _ in parts)
    demanded = any("handling=required" in disposition.lower().replace(" ", "") for said, disposition, _ in parts if not is_sdp(said))
    return None if described and not demanded else (415, ACCEPTED)


def _is_optional(disposition: str | None) -> bool:
    return disposition is not None and (parameter(disposition[disposition.find(";") :], "handling") or "").lower() == "optional"


def _parts(kind: str, body: bytes) -> list[tuple[str, str, bytes]]:
    """Content-Type, Content-Disposition and content of the first parts; none where there is no boundary."""
    boundary = parameter(kind[kind.find(";") :], "boundary") if ";" in kind else None
    if not boundary or len(boundary) > 70:
        return []
    found: list[tuple[str, str, bytes]] = []
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "replace"), MOST_PARTS + 1)[1 : MOST_PARTS + 1]:
        if piece.startswith(b"--"):
            break
        head, _, content = piece.partition(b"\r\n\r\n")
        said = {"content-type": "", "content-disposition": ""}
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() in said:
                said[name.strip().lower()] = value.strip()
        # The line end before the next boundary belongs to the boundary, but a description's last line wants one.
        found.append((said["content-type"], said["content-disposition"], content + b"\r\n" if content[-2:] != b"\r\n" else content))
    return found
