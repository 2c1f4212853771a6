"""G.722 and Opus by ear: what one call speaks in them, another call turns into G.711 for a telephone that knows nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from offhook.domain.calls.ids import leg_id
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.relay import RtpEngine
from tests.engines.rtpengine.calls import CODECS, new_call, spoken
from tests.engines.rtpengine.conftest import eventually
from tests.engines.rtpengine.parties import Party, target_of

pytestmark = pytest.mark.engines

SPEECH = 1700
WIDEBAND = {"G722": (9, "G722/8000"), "opus": (96, "opus/48000/2")}


def speaking(codec: str, target: tuple[str, int]) -> str:
    """The description of a telephone at `target` that speaks only this codec."""
    payload, name = WIDEBAND[codec]
    lines = ["v=0", f"o=- 7 7 IN IP4 {target[0]}", "s=-", f"c=IN IP4 {target[0]}", "t=0 0"]
    return "\r\n".join([*lines, f"m=audio {target[1]} RTP/AVP {payload}", f"a=rtpmap:{payload} {name}", "a=sendrecv", ""])


@pytest.mark.parametrize("codec", sorted(WIDEBAND))
async def test_wideband_sound_is_understood_by_a_telephone_that_knows_only_g711(
    engine: RtpEngine, party: Callable[..., Party], sound: Callable[[int], Path], codec: str
) -> None:
    speaker, listener = new_call(), new_call()
    plain = party()
    wide, answerer = leg_id(listener, 0), leg_id(listener, 1)
    # The two calls speak with each other: each is the other's wideband telephone. The first description is replaced once the port is known.
    offered = await engine.offer(listener, wide, answerer, speaking(codec, (plain.address, plain.port)), MediaShape.PLAIN, CODECS)
    assert "PCMU" in spoken(offered), "G.711 is offered beside what the caller speaks"
    answered = await engine.answer(listener, wide, answerer, plain.sdp("PCMU"), MediaShape.PLAIN)
    assert spoken(answered) == [codec], "the caller keeps its own codec"
    await engine.answer_alone(speaker, leg_id(speaker, 0), speaking(codec, target_of(answered)), MediaShape.PLAIN, codec)
    await engine.play(speaker, leg_id(speaker, 0), sound(SPEECH), repeat=20)
    await eventually(lambda: plain.hears() == {SPEECH}, f"{codec} heard as G.711")
    figures = await engine.close(listener)
    stream = figures.of(wide)
    assert stream is not None and stream.packets > 0 and (stream.codec or "").lower() == codec.lower()
    await engine.close(speaker)
