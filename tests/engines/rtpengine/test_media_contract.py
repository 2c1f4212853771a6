"""What every media engine promises a call; the fake passes it as the real one does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.media import MediaFigures, MediaShape
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.engines.rtpengine.sdp import formats
from offhook.services.ports.media import Media, MediaRefused
from tests.engines.rtpengine.calls import CODECS, new_call, spoken
from tests.engines.rtpengine.conftest import mulaw_wav
from tests.engines.rtpengine.parties import target_of
from tests.fakes.media import FakeMedia

PLAIN = MediaShape.PLAIN


def sdp(port: int, *codecs: str, direction: str = "sendrecv") -> str:
    """What a phone at 127.0.0.9 offers: G.711 by name, other codecs as given ("96 opus/48000/2")."""
    numbers = {"PCMU": "0 PCMU/8000", "PCMA": "8 PCMA/8000"}
    maps = [numbers.get(codec, codec) for codec in (*codecs, "101 telephone-event/8000")]
    return "\r\n".join(
        [
            "v=0",
            "o=anna 1 1 IN IP4 127.0.0.9",
            "s=-",
            "c=IN IP4 127.0.0.9",
            "t=0 0",
            f"m=audio {port} RTP/AVP {' '.join(each.split()[0] for each in maps)}",
            *(f"a=rtpmap:{each}" for each in maps),
            f"a={direction}",
            "",
        ]
    )


class Contract:
    """The promises; each engine fills in `media`."""

    call: CallId
    anna: LegId
    ben: LegId
    chloe: LegId

    @pytest.fixture(autouse=True)
    def _a_new_call(self) -> None:
        self.call = new_call()
        self.anna, self.ben, self.chloe = (leg_id(self.call, number) for number in range(3))

    async def test_offer_names_the_engine_and_not_the_phone(self, media: Media) -> None:
        offered = await media.offer(self.call, self.anna, self.ben, sdp(6000, "PCMU"), PLAIN)
        assert "127.0.0.9" not in offered
        assert target_of(offered)[1] != 6000

    async def test_each_answerer_has_ports_of_its_own(self, media: Media) -> None:
        offers = [await media.offer(self.call, self.anna, leg, sdp(6000, "PCMU"), PLAIN) for leg in (self.ben, self.chloe)]
        assert len({target_of(each) for each in offers}) == 2

    async def test_a_second_answer_keeps_the_port_of_the_offerer(self, media: Media) -> None:
        for leg in (self.ben, self.chloe):
            await media.offer(self.call, self.anna, leg, sdp(6000, "PCMU"), PLAIN)
        early = await media.answer(self.call, self.anna, self.ben, sdp(6002, "PCMU"), PLAIN)
        final = await media.answer(self.call, self.anna, self.chloe, sdp(6004, "PCMU"), PLAIN)
        assert target_of(early) == target_of(final)

    async def test_the_offer_is_as_wide_as_asked_with_the_own_codecs_first(self, media: Media) -> None:
        narrow = await media.offer(self.call, self.anna, self.ben, sdp(6000, "PCMA"), PLAIN)
        wide = await media.offer(self.call, self.anna, self.chloe, sdp(6000, "PCMA"), PLAIN, CODECS)
        assert spoken(narrow) == ["PCMA"]
        assert spoken(wide)[0] == "PCMA"
        assert sorted(spoken(wide)) == sorted(CODECS)

    async def test_hold_and_resume_pass_through_and_ports_stay(self, media: Media) -> None:
        first = await self._connected(media)
        for here, there in (("sendonly", "recvonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv")):
            offered = await media.offer(self.call, self.anna, self.ben, sdp(6000, "PCMU", direction=here), PLAIN)
            answered = await media.answer(self.call, self.anna, self.ben, sdp(6002, "PCMU", direction=there), PLAIN)
            assert f"a={here}" in offered.splitlines()
            assert f"a={there}" in answered.splitlines()
            assert (target_of(offered), target_of(answered)) == first

    async def test_the_answerer_may_hold_too(self, media: Media) -> None:
        to_ben, to_anna = await self._connected(media)
        offered = await media.offer(self.call, self.ben, self.anna, sdp(6002, "PCMU", direction="sendonly"), PLAIN)
        assert "a=sendonly" in offered.splitlines()
        assert target_of(offered) == to_anna
        answered = await media.answer(self.call, self.ben, self.anna, sdp(6000, "PCMU", direction="recvonly"), PLAIN)
        assert target_of(answered) == to_ben

    @pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "opus"])
    async def test_alone_a_leg_is_answered_in_one_codec_and_digits(self, media: Media, codec: str) -> None:
        offer = sdp(6000, "PCMU", "PCMA", "9 G722/8000", "96 opus/48000/2", "97 telephone-event/48000")
        answered = await media.answer_alone(self.call, self.anna, offer, PLAIN, codec)
        assert spoken(answered) == [codec]
        assert [each.clock for each in formats(answered) if each.is_digits] == ["48000" if codec == "opus" else "8000"]

    @pytest.mark.parametrize(("here", "there"), [("sendonly", "recvonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv")])
    async def test_alone_a_leg_may_hold_and_its_port_stays(self, media: Media, here: str, there: str) -> None:
        first = await media.answer_alone(self.call, self.anna, sdp(6000, "PCMU"), PLAIN, "PCMU")
        again = await media.answer_alone(self.call, self.anna, sdp(6000, "PCMU", direction=here), PLAIN, "PCMU")
        assert f"a={there}" in again.splitlines()
        assert target_of(again) == target_of(first)

    async def test_alone_without_digits_offered_none_are_answered(self, media: Media) -> None:
        offer = sdp(6000, "PCMU").replace(" 101", "").replace("a=rtpmap:101 telephone-event/8000\r\n", "")
        answered = await media.answer_alone(self.call, self.anna, offer, PLAIN, "PCMU")
        assert [each.codec for each in formats(answered)] == ["PCMU"]

    async def test_alone_in_a_codec_that_was_not_offered_is_refused(self, media: Media) -> None:
        with pytest.raises(MediaRefused, match="PCMU"):
            await media.answer_alone(self.call, self.anna, sdp(6000, "18 G729/8000"), PLAIN, "PCMU")

    async def test_after_alone_the_port_and_the_codec_stay_for_whoever_comes(self, media: Media) -> None:
        offer = sdp(6000, "PCMU", "PCMA")
        alone = await media.answer_alone(self.call, self.anna, offer, PLAIN, "PCMA")
        offered = await media.offer(self.call, self.anna, self.ben, offer, PLAIN)
        answered = await media.answer(self.call, self.anna, self.ben, sdp(6002, "PCMA"), PLAIN)
        await media.leave_alone(self.call, self.anna)
        assert spoken(offered) == ["PCMA"]
        assert target_of(answered) == target_of(alone)
        assert len((await media.figures(self.call)).streams) == 2

    async def test_sdp_that_is_none_is_refused(self, media: Media) -> None:
        for nonsense in ("", "hello", "v=0\r\n"):
            with pytest.raises(MediaRefused):
                await media.offer(self.call, self.anna, self.ben, nonsense, PLAIN)

    async def test_play_tells_how_long_one_round_lasts(self, media: Media, sound: Callable[[int], Path]) -> None:
        await media.answer_alone(self.call, self.anna, sdp(6000, "PCMU"), PLAIN, "PCMU")
        assert await media.play(self.call, self.anna, sound(700), repeat=3) == 500
        await media.stop(self.call, self.anna)

    async def test_a_bad_sound_file_is_refused_by_name_and_the_call_goes_on(self, media: Media, tmp_path: Path) -> None:
        before = await media.answer_alone(self.call, self.anna, sdp(6000, "PCMU"), PLAIN, "PCMU")
        files = {
            "missing.wav": None,
            "text.wav": b"hello",
            "empty.wav": b"",
            "no_samples.wav": mulaw_wav(b""),
            "cut.wav": mulaw_wav(b"1" * 80)[:30],
        }
        for name, content in files.items():
            if content is not None:
                (tmp_path / name).write_bytes(content)
            with pytest.raises(MediaRefused, match=name):
                await media.play(self.call, self.anna, tmp_path / name)
        again = await media.offer(self.call, self.anna, self.ben, sdp(6000, "PCMU"), PLAIN)
        answered = await media.answer(self.call, self.anna, self.ben, sdp(6002, "PCMU"), PLAIN)
        assert again and target_of(answered) == target_of(before)

    async def test_play_to_a_leg_that_is_not_there_is_refused(self, media: Media, sound: Callable[[int], Path]) -> None:
        await self._connected(media)
        with pytest.raises(MediaRefused):
            await media.play(self.call, self.chloe, sound(700))

    async def test_stop_where_nothing_plays_does_nothing(self, media: Media) -> None:
        await media.stop(self.call, self.anna)
        await self._connected(media)
        await media.stop(self.call, self.anna)

    async def test_an_unknown_call_is_refused(self, media: Media, sound: Callable[[int], Path]) -> None:
        for order in (
            media.answer(self.call, self.anna, self.ben, sdp(6002, "PCMU"), PLAIN),
            media.play(self.call, self.anna, sound(700)),
            media.silence(self.call, self.anna),
            media.unsilence(self.call, self.anna),
        ):
            with pytest.raises(MediaRefused):
                await order

    async def test_removing_and_closing_what_is_not_there_is_no_error(self, media: Media) -> None:
        await media.remove(self.call, self.anna, self.ben)
        await media.leave_alone(self.call, self.anna)
        assert await media.figures(self.call) == MediaFigures()
        assert await media.close(self.call) == MediaFigures()

    async def test_removing_one_leaves_the_others(self, media: Media) -> None:
        to_ben, to_anna = await self._connected(media)
        await media.offer(self.call, self.anna, self.chloe, sdp(6000, "PCMU"), PLAIN)
        await media.remove(self.call, self.anna, self.chloe)
        await media.remove(self.call, self.anna, leg_id(self.call, 9))
        offered = await media.offer(self.call, self.anna, self.ben, sdp(6000, "PCMU"), PLAIN)
        answered = await media.answer(self.call, self.anna, self.ben, sdp(6002, "PCMU"), PLAIN)
        assert (target_of(offered), target_of(answered)) == (to_ben, to_anna)

    async def test_with_the_last_answerer_the_call_is_gone(self, media: Media) -> None:
        await self._connected(media)
        await media.remove(self.call, self.anna, self.ben)
        assert await media.figures(self.call) == MediaFigures()

    async def test_figures_of_a_call_without_sound_claim_nothing(self, media: Media) -> None:
        await self._connected(media)
        figures = await media.figures(self.call)
        assert [stream.leg for stream in figures.streams] == [self.anna, self.ben]
        assert [stream.advertised for stream in figures.streams] == ["127.0.0.9:6000", "127.0.0.9:6002"]
        for stream in figures.streams:
            assert (stream.packets, stream.octets, stream.heard_from, stream.silent_seconds) == (0, 0, None, None)
            assert (stream.mos, stream.jitter_ms, stream.loss_percent, stream.round_trip_ms) == (None,) * 4

    async def test_legs_are_in_their_order_and_the_system_is_no_leg(self, media: Media) -> None:
        await media.answer_alone(self.call, self.anna, sdp(6000, "PCMU"), PLAIN, "PCMU")
        for number in (10, 2, 9):
            await media.offer(self.call, self.anna, leg_id(self.call, number), sdp(6000, "PCMU"), PLAIN)
        legs = [stream.leg for stream in (await media.figures(self.call)).streams]
        assert legs == [leg_id(self.call, number) for number in (0, 2, 9, 10)]

    async def test_close_gives_the_last_figures_once(self, media: Media) -> None:
        await self._connected(media)
        assert len((await media.close(self.call)).streams) == 2
        assert await media.close(self.call) == MediaFigures()

    async def test_it_tells_which_calls_it_holds(self, media: Media) -> None:
        await self._connected(media)
        assert self.call in await media.calls()
        await media.close(self.call)
        assert self.call not in await media.calls()

    async def test_it_knows_a_call_until_it_is_closed(self, media: Media) -> None:
        assert not await media.knows(self.call)
        await self._connected(media)
        assert await media.knows(self.call)
        await media.close(self.call)
        assert not await media.knows(self.call)

    async def test_a_digit_needs_somebody_who_hears_it(self, media: Media) -> None:
        with pytest.raises(MediaRefused):
            await media.press(self.call, self.anna, "5", 100)

    async def _connected(self, media: Media) -> tuple[tuple[str, int], tuple[str, int]]:
        """Anna and ben speak: where ben sends, and where anna sends."""
        offered = await media.offer(self.call, self.anna, self.ben, sdp(6000, "PCMU"), PLAIN)
        answered = await media.answer(self.call, self.anna, self.ben, sdp(6002, "PCMU"), PLAIN)
        return target_of(offered), target_of(answered)


class TestFakeMedia(Contract):
    @pytest.fixture
    def media(self) -> Media:
        return FakeMedia()


@pytest.mark.engines
class TestRtpEngine(Contract):
    @pytest.fixture
    def media(self, engine: RtpEngine) -> Media:
        return engine
