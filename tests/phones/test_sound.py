"""G.711, WAV files, change of rate, and what is heard in a sound."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from offhook.phones import tones
from offhook.phones.audio import Sound, SoundUnreadable, au, decode, encode, read_sound, resampled, wav

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

EVERY_SAMPLE = np.arange(65536, dtype=np.uint16).view(np.int16)
BUSY, RINGBACK, OTHER = (480.0, 620.0), (440.0, 480.0), 350.0


CODECS = [("PCMU", audioop.lin2ulaw, audioop.ulaw2lin), ("PCMA", audioop.lin2alaw, audioop.alaw2lin)]


@pytest.mark.parametrize(("codec", "encoding", "decoding"), CODECS)
def test_g711_is_that_of_the_standard_library(codec: str, encoding: object, decoding: object) -> None:
    assert callable(encoding) and callable(decoding)
    assert encode(EVERY_SAMPLE, codec) == encoding(EVERY_SAMPLE.tobytes(), 2)
    every_code = bytes(range(256))
    assert decode(every_code, codec).tobytes() == decoding(every_code, 2)


@pytest.mark.parametrize("form", [wav, au])
@pytest.mark.parametrize("codec", [None, "PCMU", "PCMA"])
def test_a_file_is_read_back(form: Callable[[Sound, str | None], bytes], codec: str | None, tmp_path: Path) -> None:
    samples = tones.tone((440,), 0.5)
    path = tmp_path / "a"
    path.write_bytes(form(Sound(samples, 8000), codec))
    sound = read_sound(path)
    assert sound.rate == 8000
    assert sound.seconds == 0.5
    assert np.max(np.abs(sound.samples.astype(int) - samples)) < (1 if codec is None else 600)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda data: b"", "no RIFF"),
        (lambda data: b"ID3" + data, "no RIFF"),
        (lambda data: data[:-10], "cut short"),
        (lambda data: data[:36], "no sound"),
        (lambda data: data[:20] + b"\x55" + data[21:], "format 85"),
    ],
)
def test_a_damaged_file_is_refused_with_the_reason(damage: object, complaint: str, tmp_path: Path) -> None:
    assert callable(damage)
    path = tmp_path / "a.wav"
    path.write_bytes(damage(wav(Sound(tones.tone((440,), 0.1), 8000))))
    with pytest.raises(SoundUnreadable, match=complaint):
        read_sound(path)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda data: data[:20], "cut short"),
        (lambda data: data[:-10], "cut short"),
        (lambda data: data[:12] + b"\0\0\0\x05" + data[16:], "encoding 5"),
        (lambda data: data[:20] + b"\0\0\0\0" + data[24:], "0 channels"),
    ],
)
def test_a_damaged_au_file_is_refused_with_the_reason(damage: object, complaint: str, tmp_path: Path) -> None:
    assert callable(damage)
    path = tmp_path / "a.au"
    path.write_bytes(damage(au(Sound(tones.tone((440,), 0.1), 8000))))
    with pytest.raises(SoundUnreadable, match=complaint):
        read_sound(path)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_a_tone_keeps_its_pitch_length_and_level_at_another_rate(rate: int) -> None:
    heard = resampled(Sound(tones.tone((1000,), 1.0, -20, 24000), 24000), rate)
    assert heard.seconds == pytest.approx(1.0)
    assert tones.tones_in(heard.samples, (900, 1000, 1100), rate) == {1000}
    assert tones.level(heard.samples) == pytest.approx(-20, abs=0.2)


def test_what_eight_kilohertz_cannot_carry_is_filtered_out_not_folded_down() -> None:
    high = resampled(Sound(tones.tone((5000,), 1.0, -10, 24000), 24000), 8000)
    assert tones.level(high.samples) < -70
    passed = resampled(Sound(tones.tone((3200,), 1.0, -10, 24000), 24000), 8000)
    assert tones.level(passed.samples) == pytest.approx(-10, abs=0.3)


def test_tones_are_told_apart_even_in_g711() -> None:
    asked = {*BUSY, *RINGBACK, OTHER}
    for pitches in (BUSY, RINGBACK, (OTHER,)):
        line = decode(encode(tones.tone(pitches, 1.0), "PCMA"), "PCMA")
        assert tones.tones_in(line, asked) == set(pitches)
    assert tones.tones_in(tones.silence(1.0), asked) == set()
    assert tones.tones_in(tones.speechlike(3.0), asked) == set()


def test_a_full_scale_sine_is_three_decibels_below_full_scale() -> None:
    assert tones.level(tones.tone((1000,), 1.0, -3.01)) == pytest.approx(-3.0, abs=0.1)
    assert tones.level(tones.silence(1.0)) == tones.QUIETEST
    assert tones.level(tones.silence(0)) == tones.QUIETEST


def test_energy_follows_the_sound() -> None:
    sound = np.concatenate([tones.silence(0.5), tones.tone((440,), 0.5, -20), tones.silence(0.7)])
    quiet, loud, after = tones.levels(sound, 0.5)
    assert (quiet, after) == (tones.QUIETEST, tones.QUIETEST)
    assert loud == pytest.approx(-20, abs=0.2)


def test_steady_tones_are_found_without_being_asked_for_by_name() -> None:
    speech, pause = tones.speechlike(2.0), tones.silence(0.5)
    line = np.concatenate([speech, tones.tone(RINGBACK, 2.0), pause, tones.tone((1004,), 1.0), speech, tones.tone((620,), 0.3)])
    heard = tones.steady_tones(decode(encode(line, "PCMU"), "PCMU"))
    assert heard == pytest.approx([440, 480, 1004], abs=5)
    assert tones.steady_tones(speech) == []
    assert tones.steady_tones(tones.key_tones("1234567890")) == []


def test_a_sound_is_known_again_through_the_line_and_told_from_others() -> None:
    wanted, other = tones.speechlike(4.0, seed=1), tones.speechlike(4.0, seed=2)
    line = decode(encode(decode(encode(wanted, "PCMU"), "PCMU"), "PCMA"), "PCMA")
    heard = np.concatenate([other, tones.silence(0.3), line, other])
    assert tones.share_heard(heard, wanted) == 1.0
    assert tones.share_heard(np.concatenate([other, other]), wanted) == 0.0
    assert 0.3 < tones.share_heard(heard[: 4 * 8000 + 2400 + 2 * 8000], wanted) < 0.8
    assert tones.share_heard(tones.silence(5), wanted) == 0.0


def test_segments_are_where_the_sound_is() -> None:
    parts = [
        tones.silence(1),
        tones.tone((440,), 0.5),
        tones.silence(0.1),
        tones.tone((440,), 0.4),
        tones.silence(1),
        tones.tone((440,), 1),
    ]
    sound = np.concatenate(parts)
    first, second = tones.loud_segments(sound)
    assert (first.start, first.end) == pytest.approx((1.0, 2.0), abs=0.03)
    assert (second.start, second.end) == pytest.approx((3.0, 4.0), abs=0.03)


def test_speech_is_told_from_tones_and_silence() -> None:
    assert tones.is_speech(tones.speechlike(3.0))
    interrupted = np.concatenate([tones.tone((440, 480), 0.5), tones.silence(0.5)] * 3)
    for other in (tones.silence(3), tones.tone((440,), 3), interrupted, tones.key_tones("1234567890")):
        assert not tones.is_speech(other)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_keys_are_heard_as_two_tones_each(codec: str) -> None:
    keys = "0123456789*#ABCD1177"
    assert tones.keys_in(decode(encode(tones.key_tones(keys), codec), codec)) == keys


def test_a_voice_presses_no_keys() -> None:
    assert tones.keys_in(tones.speechlike(10.0)) == ""
    assert tones.keys_in(tones.tone((697,), 1.0)) == ""
    assert tones.keys_in(tones.tone(RINGBACK, 1.0)) == ""
