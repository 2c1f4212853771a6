"""The figures of a call's sound, in words a person can act on."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

_GRADES = ((4.3, "excellent"), (4.0, "good"), (3.6, "fair: some would complain"), (3.1, "poor: many would complain"))
"""Lowest MOS of each grade, by ITU-T G.107 annex B table B.1."""
_SILENT_SECONDS = 5.0
_LOSS_PERCENT = 1.0
_JITTER_MS = 30.0
_ROUND_TRIP_MS = 300.0
"""Beyond these people hear it: what concealment and the buffers of telephones can hide, and twice the 150 ms one way of ITU-T G.114."""


def sound_report(media: Sequence[Mapping[str, Any]], parties: Mapping[str, str], heard: Collection[str], *, over: bool) -> Iterator[str]:
    """Sentences about the sound that came from each party. `heard` are the legs whose sound was to be expected."""
    if not media and heard:
        yield "The media engine gave no figures for this call."
    for stream in media:
        party = parties.get(stream["leg"], stream["leg"])
        if stream["packets"] == 0:
            yield from _nothing_came(party, stream, expected=stream["leg"] in heard)
        else:
            yield _came(party, stream)
            yield from _stopped(party, stream, over=over)
            yield _quality(party, stream)


def _nothing_came(party: str, stream: Mapping[str, Any], *, expected: bool) -> Iterator[str]:
    if not expected:
        return
    if stream["advertised"] is None:
        yield f"{party} sent no audio, and its SDP named no address for it."
        return
    yield (
        f"{party} sent no audio: its SDP said {stream['advertised']}, packets never came. "
        "Check its microphone, whether it was on hold, and whether its network lets UDP out to this server."
    )


def _came(party: str, stream: Mapping[str, Any]) -> str:
    codec = f" in {stream['codec']}" if stream.get("codec") else ""
    words = f"{party} sent {stream['packets']} packets of audio{codec} from {stream['heard_from'] or 'an unknown address'}"
    if stream["advertised"] and stream["heard_from"] and stream["advertised"] != stream["heard_from"]:
        words += f"; its SDP said {stream['advertised']}, so an address translator (NAT) stands between, and that was dealt with"
    return words + "."


def _stopped(party: str, stream: Mapping[str, Any], *, over: bool) -> Iterator[str]:
    silent = stream.get("silent_seconds")
    if silent is not None and silent > _SILENT_SECONDS:
        when = "before the end" if over else "ago"
        yield (
            f"{party} stopped sending audio: its last packet came {silent:.0f} s {when}. "
            "Check for hold, mute with silence suppression, or a lost network."
        )


def _quality(party: str, stream: Mapping[str, Any]) -> str:
    mos, loss, jitter, trip = (stream.get(name) for name in ("mos", "loss_percent", "jitter_ms", "round_trip_ms"))
    if mos is None and loss is None and jitter is None:
        return f"Quality of the sound from {party} not measured: no telephone sent RTCP reports about it."
    said = []
    if mos is not None:
        grade = next((words for least, words in _GRADES if mos >= least), "bad: nearly all would complain")
        said.append(f"{grade} (MOS {mos:.1f} of 4.5)")
    if loss is not None:
        said.append(f"{loss:.1f} % of its packets lost" + (", which people hear" if loss > _LOSS_PERCENT else ""))
    if jitter is not None:
        said.append(f"jitter {jitter:.0f} ms" + (", more than telephones even out" if jitter > _JITTER_MS else ""))
    if trip is not None:
        said.append(f"round trip {trip:.0f} ms" + (", so people talk over each other" if trip > _ROUND_TRIP_MS else ""))
    return f"Quality of the sound from {party}: {'; '.join(said)}."
