"""A session description written anew, so that an engine in C may read it: every number in it is one that telephones use.

rtpengine 10.5 died, with every call it carried, of `a=ptime:3600000` and of `a=rtpmap:96 PCMU/1000000000`; it refuses what it does not
know (type letters, capitals, an origin of 10 kB) though telephones could talk without it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from offhook.sip.sdp import Direction, Media, Sdp, is_one_machine

LONGEST_LINE = 512
MOST_ATTRIBUTES = 256
MOST_CANDIDATES = 40
MOST_MEDIA = 3
"""That are not switched off. Each takes four ports: eight calls of sixty lines each would leave none for anybody."""

_ORIGIN = re.compile(r"o=\S{1,64} \d{1,19} \d{1,19} IN IP[46] \S{1,64}")
NO_ORIGIN = "o=- 0 0 IN IP4 0.0.0.0"
_BANDWIDTH = re.compile(r"b=[A-Za-z-]{1,16}:\d{1,9}")
_NAME = re.compile(r"a=([A-Za-z0-9_.+-]{1,64})(?::(.*))?")
_RTPMAP = re.compile(r"(\d{1,3}) [\w.+-]{1,40}/(\d{4,6})(?:/[1-8])?")
_FASTEST_CLOCK = 192_000
_TIMES = {"ptime": (5, 200), "maxptime": (5, 400)}
"""Milliseconds in a packet. 0 and an hour are both asked for by somebody."""

_SHAPES = {
    "rtcp": re.compile(r"(\d{1,5})(?: IN (IP[46]) (\S+))?"),
    "fmtp": re.compile(r"\d{1,3} .+"),
    "candidate": re.compile(r"[\w+/-]{1,32} [12] \w{1,16} \d{1,10} [0-9a-fA-F.:]{2,45} \d{1,5} typ \w{1,16}( .*)?"),
    "crypto": re.compile(r"\d{1,9} [A-Za-z0-9_]{1,64} inline:[A-Za-z0-9+/=]{16,128}[|:0-9^]{0,32}( .*)?"),
    "fingerprint": re.compile(r"[A-Za-z0-9-]{1,16} [0-9A-Fa-f:]{8,192}"),
    "setup": re.compile(r"active|passive|actpass|holdconn"),
    "ice-ufrag": re.compile(r"[A-Za-z0-9+/]{4,256}"),
    "ice-pwd": re.compile(r"[A-Za-z0-9+/]{22,256}"),
    "ssrc": re.compile(r"\d{1,10}( .*)?"),
    "mid": re.compile(r"[\w.+-]{1,32}"),
    "group": re.compile(r"[A-Z]{1,16}( [\w.+-]{1,32}){0,64}"),
    "rtcp-mux": re.compile(""),
}


def harmless(sdp: Sdp) -> Sdp:
    """The same offer or answer without what no telephone means: same media in the same order, same addresses, ports, formats and keys."""
    origin = next(filter(is_origin, sdp.session), NO_ORIGIN)
    where = _connection(sdp.session)
    attributes = _attributes(line for line in sdp.session if line.startswith("a="))
    return Sdp(("v=0", origin, "s=-", *where, "t=0 0", *attributes), tuple(map(_media, _few(sdp.media))))


def is_origin(line: str) -> bool:
    """Whether this is an o= line that may stay as it is."""
    return _ORIGIN.fullmatch(line) is not None


def _few(media: Sequence[Media]) -> Iterator[Media]:
    """The audio that is talked and a few beside it, in their places; the rest switched off (RFC 3264 6: as many lines answer)."""
    live = [index for index, each in enumerate(media) if each.port]
    live.sort(key=lambda index: media[index].kind != "audio")
    kept = set(live[:1]) | set(sorted(live[1:])[: MOST_MEDIA - 1])
    for index, each in enumerate(media):
        yield each if index in kept or not each.port else replace(each, port=0)


def _media(media: Media) -> Media:
    formats = tuple(dict.fromkeys(media.formats))
    if "RTP" in media.protocol.upper():
        formats = tuple(each for each in formats if each.isascii() and each.isdigit() and int(each[:4]) < 128)
    bandwidths = tuple(line for line in media.lines if _BANDWIDTH.fullmatch(line))[:4]
    return replace(media, formats=formats, lines=(*_connection(media.lines), *bandwidths, *_attributes(media.lines)))


def _connection(lines: Iterable[str]) -> tuple[str, ...]:
    """The first c= line that names one machine, as the reader would take it."""
    for line in lines:
        words = line[2:].split()
        if line.startswith("c=") and len(words) == 3 and words[0] == "IN" and is_one_machine(words[1], words[2]):
            return (f"c=IN {words[1]} {words[2]}",)
    return ()


def _attributes(lines: Iterable[str]) -> Iterator[str]:
    """The attributes that are sound; of what is said once only, the first."""
    said: set[str] = set()
    given = candidates = 0
    for line in lines:
        once = _sound(line.rstrip())
        if once is None or once in said or given >= MOST_ATTRIBUTES:
            continue
        if once.startswith("a=candidate"):
            candidates += 1
            if candidates > MOST_CANDIDATES:
                continue
        said.add(once)
        given += 1
        yield line.rstrip()


@lru_cache(4096)
def _sound(line: str) -> str | None:
    """Under which key this attribute may be said once; None for one that is left out."""
    found = _NAME.fullmatch(line) if len(line) <= LONGEST_LINE and line.isprintable() else None
    if found is None:
        return None
    name, value = found[1].lower(), found[2] or ""
    if name in _DIRECTIONS:
        return "direction"
    if name in _TIMES:
        lowest, highest = _TIMES[name]
        return name if value.isascii() and value.isdigit() and len(value) < 5 and lowest <= int(value) <= highest else None
    if name == "rtpmap":
        rtpmap = _RTPMAP.fullmatch(value)
        return f"rtpmap {rtpmap[1]}" if rtpmap and int(rtpmap[1]) < 128 and int(rtpmap[2]) <= _FASTEST_CLOCK else None
    shape = _SHAPES.get(name)
    fits = shape.fullmatch(value) if shape else None
    if shape and not fits:
        return None
    if name == "rtcp" and fits and not _rtcp_fits(fits):
        return None
    if name == "fmtp":
        return f"fmtp {value.partition(' ')[0]}"
    return name if name in _ONCE else line


def _rtcp_fits(said: re.Match[str]) -> bool:
    return int(said[1]) < 65536 and (said[2] is None or is_one_machine(said[2], said[3]))


_DIRECTIONS = frozenset(direction.value for direction in Direction)
_ONCE = frozenset({"rtcp", "setup", "ice-ufrag", "ice-pwd", "mid", "rtcp-mux"})
