"""The little that must be read in SDP (RFC 8866), and the answer of somebody who only listens."""

from dataclasses import dataclass

PLAIN = "RTP/AVP"
"""How sound that is not secure is called on a media line."""

_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
"""Payload types that need no rtpmap line (RFC 3551, section 6)."""

_DISCARD_PORT = 9

_REPLIES = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
"""What answers each direction (RFC 3264, section 6.1)."""


@dataclass(frozen=True, slots=True)
class Format:
    """One way of coding that a media line names: `payload` is its number, `name` as rtpmap has it ("PCMU/8000", "opus/48000/2")."""

    payload: str
    name: str

    @property
    def codec(self) -> str:
        """The name alone."""
        return self.name.split("/")[0]

    @property
    def clock(self) -> str:
        """The RTP clock rate, Hz."""
        return self.name.split("/")[1] if "/" in self.name else ""

    @property
    def is_digits(self) -> bool:
        """Whether this is RFC 4733, not sound."""
        return self.codec.lower() == "telephone-event"


def formats(sdp: str) -> tuple[Format, ...]:
    """The formats of the first audio line that is not refused, in its order of preference; empty without such a line."""
    for section in _sections(sdp):
        words = section[0].split()
        if _is_audio(words):
            return _formats_of(section, words[3:])
    return ()


def media_lines(sdp: str) -> int:
    """How many media lines are not refused by port 0."""
    return sum(line.startswith("m=") and line.split()[1:2] != ["0"] for line in sdp.splitlines())


def audio_transport(sdp: str) -> str:
    """How the first audio line that is not refused is carried ("RTP/AVP"), in capitals; "" without such a line."""
    for line in sdp.splitlines():
        if line.startswith("m=audio"):
            words = line.split()
            if _is_audio(words):
                return words[2].upper()
    return ""


def listening_answer(offer: str, codec: str) -> str | None:
    """The answer that takes `codec` (and digits, if offered at its clock rate) on the discard port, None when the offer lacks the codec.

    Its audio is plain RTP whatever the offer's is: rtpengine, which stands between, makes no secrets for its own end.
    """
    offered = formats(offer)
    sound = next((each for each in offered if each.codec.lower() == codec.lower()), None)
    if sound is None:
        return None
    digits = [each for each in offered if each.is_digits and each.clock == sound.clock]
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    taken = False
    for section in _sections(offer):
        words = section[0].split()
        kind, _, transport = (*words, "0", PLAIN)[:3]
        if _is_audio(words) and not taken:
            lines += [*_audio_lines([sound, *digits]), f"a={_REPLIES[_direction(offer, section)]}"]
            taken = True
        else:
            lines.append(f"{kind} 0 {transport} 0")  # refused, yet in its place: RFC 3264, section 6
    return "\r\n".join([*lines, ""])


def offers_all(offer: str, answer: str) -> bool:
    """Whether everything the answer takes was in the offer, so that both sides can speak without a translator."""
    return {each.name.lower() for each in formats(answer)} <= {each.name.lower() for each in formats(offer)}


def narrowed(sdp: str, codec: str) -> str:
    """The SDP with `codec` as the only sound format of its first audio line, digits kept; unchanged if the codec is not there."""
    kept = [each for each in formats(sdp) if each.is_digits or each.codec.lower() == codec.lower()]
    if all(each.is_digits for each in kept):
        return sdp
    payloads = [each.payload for each in kept]
    lines: list[str] = []
    within, done = False, False
    for line in sdp.splitlines():
        if line.startswith("m="):
            words = line.split()
            within = not done and _is_audio(words)
            done = done or within
            lines.append(" ".join([*words[:3], *payloads]) if within else line)
        elif not within or not _is_about_another(line, payloads):
            lines.append(line)
    return "\r\n".join([*lines, ""])


def _is_audio(words: list[str]) -> bool:
    """Whether this is an audio line, and not one that is refused by port 0."""
    return len(words) > 3 and words[0] == "m=audio" and words[1] != "0"


def _is_about_another(line: str, payloads: list[str]) -> bool:
    if not line.startswith(("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")):
        return False
    named = line.partition(":")[2].split()[:1]
    return not {"*", *payloads}.issuperset(named)


def _audio_lines(accepted: list[Format]) -> list[str]:
    payloads = " ".join(each.payload for each in accepted)
    maps = [f"a=rtpmap:{each.payload} {each.name}" for each in accepted]
    return [f"m=audio {_DISCARD_PORT} {PLAIN} {payloads}", *maps]


def _direction(sdp: str, section: list[str]) -> str:
    """The direction of a media line: its own, else the session's, else both ways (RFC 8866, section 6.7)."""
    session = sdp.partition("\nm=")[0].splitlines()
    named = [line.removeprefix("a=").strip() for line in (*section, *session) if line.startswith("a=")]
    return next((each for each in named if each in _REPLIES), "sendrecv")


def _sections(sdp: str) -> list[list[str]]:
    sections: list[list[str]] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append([line])
        elif sections:
            sections[-1].append(line)
    return sections


def _formats_of(section: list[str], payloads: list[str]) -> tuple[Format, ...]:
    mapped = dict(_STATIC)
    for line in section:
        if line.startswith("a=rtpmap:"):
            payload, _, name = line.removeprefix("a=rtpmap:").partition(" ")
            mapped[payload] = name.strip()
    return tuple(Format(payload, mapped[payload]) for payload in payloads if payload in mapped)
