"""Reads the reply to `query` into the figures of a call, and the one to `statistics` into those of the engine.

rtpengine counts packets itself, and tells times in whole seconds. MOS, jitter, loss and round trip are what a phone reported by RTCP of
what it *hears*; rtpengine files them under the SSRC of the phone that reports, and here they stand under the leg the sound came from. A
reply is read leniently: a figure that is missing or odd is "not measured", never an error.
"""

from collections.abc import Iterator
from typing import NamedTuple

from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.media import MediaFigures, StreamFigures
from offhook.engines.rtpengine.tags import in_order, is_leg
from offhook.engines.rtpengine.wire import Body, Value
from offhook.services.ports.media import MediaRefused

_GREATEST = 1 << 63  # what is greater no counter can be, and no float hold
_MOS_SCALE = 10  # 44 is a MOS of 4.4
_MICROSECONDS = 1000  # round trips come in microseconds


def figures_of(call: CallId, reply: Body, now: float) -> MediaFigures:
    """The figures of every leg of `call` in `reply`; `now` in seconds since 1970, by the engine's clock."""
    tags = _under(reply, "tags")
    reports = _under(reply, "SSRC")
    told = {tag: _under(_under(reports, str(_rtp(_under(tags, tag)).get("SSRC"))), "average MOS") for tag in tags}
    legs = sorted((tag for tag in tags if is_leg(call, tag)), key=in_order)
    return MediaFigures(tuple(_stream_of(LegId(tag), _under(tags, tag), told, now) for tag in legs))


class Standing(NamedTuple):
    """What an engine tells of itself since its start; `times_asked` is how often it was asked for just this."""

    times_asked: int
    ports_used: int
    packets: int
    packet_errors: int


def standing_of(reply: Body) -> Standing:
    """How an engine stands, from its reply to `statistics`. Raises MediaRefused if that does not say how often it was asked."""
    told = _under(reply, "statistics")
    times = _whole(_under(told, "controlstatistics"), "totalstatscount")
    if times is None:
        raise MediaRefused("rtpengine does not tell how often it was asked: it is no version this was made for.")
    used = sum(_whole(_under(each, "ports"), "used") or 0 for each in _dicts(told.get("interfaces")))
    totals = _under(told, "totalstatistics")
    return Standing(times, used, _whole(totals, "relayedpackets") or 0, _whole(totals, "relayedpacketerrors") or 0)


def _stream_of(leg: LegId, end: Body, told: dict[str, Body], now: float) -> StreamFigures:
    stream = _rtp(end)
    counted = _under(stream, "stats")
    packets = _whole(counted, "packets") or 0
    last = _whole(stream, "last packet")
    codec = _audio(end).get("codec")
    average = _as_heard(end, told) if packets else {}
    mos = _whole(average, "MOS")
    round_trip = _whole(average, "round-trip time")
    return StreamFigures(
        leg=leg,
        codec=codec.split("/")[0] if isinstance(codec, str) else None,
        advertised=_address(_under(stream, "advertised endpoint")),
        # Before the first packet rtpengine repeats here what the SDP said, and the time the port was opened.
        heard_from=_address(_under(stream, "endpoint")) if packets else None,
        packets=packets,
        octets=_whole(counted, "bytes") or 0,
        silent_seconds=max(0.0, now - last) if packets and last is not None else None,
        mos=mos / _MOS_SCALE if mos else None,
        jitter_ms=_fraction(average, "jitter"),
        loss_percent=_fraction(average, "packet loss"),
        round_trip_ms=round_trip / _MICROSECONDS if round_trip else None,
    )


def _audio(end: Body) -> Body:
    return next((each for each in _dicts(end.get("medias")) if each.get("type") == "audio"), {})


def _rtp(end: Body) -> Body:
    return next(_dicts(_audio(end).get("streams")), {})  # the second is its RTCP


def _as_heard(end: Body, told: dict[str, Body]) -> Body:
    """What the phones that hear this end told of it: of several (early media from one, the answer from another) the one that told most."""
    hearing = (told.get(str(each.get("tag")), {}) for each in _dicts(end.get("subscribers")))
    return max(hearing, key=lambda average: _whole(average, "samples") or 0, default={})


def _under(body: Body, key: str) -> Body:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _dicts(value: Value | None) -> Iterator[Body]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _whole(body: Body, key: str) -> int | None:
    value = body.get(key)
    return value if isinstance(value, int) and abs(value) < _GREATEST else None


def _fraction(body: Body, key: str) -> float | None:
    value = _whole(body, key)
    return None if value is None else float(value)


def _address(endpoint: Body) -> str | None:
    address, port = endpoint.get("address"), endpoint.get("port")
    if not address or not port:
        return None
    return f"[{address}]:{port}" if endpoint.get("family") == "IPv6" else f"{address}:{port}"
