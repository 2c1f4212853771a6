"""The voice, the sounds and the folder they are kept in: with the real engine, and listened to."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import offhook
from offhook.engines.speech import voices
from offhook.engines.speech.prompts import Prompts, cleaned
from offhook.engines.speech.rendering import is_whole
from offhook.engines.speech.studio import Studio
from offhook.phones import tones
from offhook.phones.audio import Sound, au, read_sound
from offhook.services.ports.speech import Sounds, Speech, SpeechRefused

GREETING = "Welcome to Lumen Works. For Anna, press one."


def kept(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def lives(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_prompts_are_what_the_ports_ask_for(prompts: Prompts) -> None:
    speech: Speech = prompts
    sounds: Sounds = prompts
    assert speech.spelled("102", "en") == "one zero two"
    assert (await sounds.beep("PCMU")).exists()


FORMS = [("PCMU", 8000, "pcmu"), ("PCMA", 8000, "pcma"), ("opus", 16000, "wide"), ("G722", 16000, "wide")]


@pytest.mark.parametrize(("codec", "rate", "form"), FORMS)
async def test_words_become_speech_of_the_right_form_and_loudness(prompts: Prompts, codec: str, rate: int, form: str) -> None:
    path = await prompts.say(GREETING, "en", codec)
    sound = read_sound(path)
    assert path.name.endswith(f".{form}.au")
    assert sound.rate == rate
    assert 2.0 < sound.seconds < 8.0
    assert tones.is_speech(sound.samples, rate)
    loud = [level for level in tones.levels(sound.samples, 0.02, rate) if level > -50]
    assert -24 < 10 * np.log10(np.mean(10 ** (np.asarray(loud) / 10))) < -18
    assert np.abs(sound.samples.astype(int)).max() < 31000
    assert tones.level(sound.samples[: rate // 10]) < -60


async def test_longer_words_take_longer_and_different_words_sound_different(prompts: Prompts) -> None:
    short, long = [read_sound(await prompts.say(text, "en", "PCMU")) for text in ("Goodbye.", GREETING)]
    assert long.seconds > 2 * short.seconds
    assert len(tones.loud_segments(long.samples, bridge=0.2)) > len(tones.loud_segments(short.samples, bridge=0.2))


async def test_the_same_words_are_made_once_however_many_ask(prompts: Prompts) -> None:
    paths = await asyncio.gather(*[prompts.say(GREETING, "en", "PCMU") for _ in range(10)])
    assert len(set(paths)) == 1
    made = paths[0].stat().st_ino
    assert (await prompts.say(f" {GREETING}\n", "en-GB", "PCMU")).stat().st_ino == made
    assert len(list(paths[0].parent.iterdir())) == 1


async def test_the_voice_never_stalls_the_loop(prompts: Prompts) -> None:
    loop = asyncio.get_running_loop()
    await prompts.say("Warm up.", "en", "PCMU")
    speaking = asyncio.create_task(prompts.say(" ".join([GREETING] * 20), "en", "PCMU"))
    turns = 0
    while not speaking.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 20  # in the loop's own thread there would have been none between order and file
    assert (await speaking).exists()
    assert loop.is_running()


async def test_a_damaged_file_is_noticed_and_made_anew(prompts: Prompts) -> None:
    path = await prompts.say("Goodbye.", "en", "PCMU")
    whole = path.read_bytes()
    other = au(Sound(tones.tone((440,), 1), 8000), "PCMA")
    for damaged in (whole[:-100], b"", other, b"X" + whole[1:]):
        path.write_bytes(damaged)
        assert not is_whole(path, "PCMU")
        assert (await prompts.say("Goodbye.", "en", "PCMU")).read_bytes() == whole


async def test_only_so_many_files_are_kept_and_the_least_used_go(tmp_path: Path) -> None:
    prompts = Prompts(tmp_path, most=3)
    paths = []
    for number, word in enumerate(("one", "two", "three")):
        paths.append(await prompts.say(word, "en", "PCMU"))
        os.utime(paths[-1], (number, number))
    await prompts.say("one", "en", "PCMU")
    newest = await prompts.say("four", "en", "PCMU")
    await prompts.close()
    assert set(kept(tmp_path)) == {paths[0], paths[2], newest}


REFUSED = [
    ("Guten Tag", "de", "voices for: en"),
    ("", "en", "nothing to say"),
    (" \x00\x07...!", "en", "nothing to say"),
    ("日本", "en", "nothing in this text"),
    ("a" * 2001, "en", "2001 characters"),
]


async def test_what_cannot_be_said_is_refused_with_the_reason(prompts: Prompts) -> None:
    for text, language, complaint in REFUSED:
        with pytest.raises(SpeechRefused, match=complaint):
            await prompts.say(text, language, "PCMU")
    assert (await prompts.say("Goodbye.", "en", "PCMU")).exists()


def test_the_version_of_a_voice_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def looked_up(package: str) -> str:
        asked.append(package)
        return "9.9"

    monkeypatch.setattr(voices, "version", looked_up)
    voices._version.cache_clear()
    try:
        assert {voices.voice_for("en").key for _ in range(3)} == {"hibari/heart/9.9"}
    finally:
        voices._version.cache_clear()
    assert asked == ["hibari-tts"]


def test_text_is_cleaned_of_control_characters_and_phonetics() -> None:
    assert cleaned("Hello\x00\x1b[31m\u202e  [there](/x/)\n") == "Hello 31m there (/x/)"


async def test_a_voice_that_died_comes_back(tmp_path: Path) -> None:
    studio = Studio()
    prompts = Prompts(tmp_path, studio=studio)
    await prompts.say("one", "en", "PCMU")
    first = studio.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert (await prompts.say("two", "en", "PCMU")).exists()
    assert studio.pid != first
    await prompts.close()
    assert studio.pid is None


async def test_a_folder_that_cannot_be_written_is_a_refusal(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    prompts = Prompts(blocked / "prompts")
    with pytest.raises(SpeechRefused, match=r"NotADirectoryError|FileExistsError"):
        await prompts.say("one", "en", "PCMU")
    await prompts.close()


async def test_the_worker_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, signal, sys; from pathlib import Path; from offhook.engines.speech.prompts import Prompts; "
        "from offhook.engines.speech.studio import Studio\n"
        "async def main():\n"
        "    studio = Studio(); await Prompts(Path(sys.argv[1]), studio=studio).beep('PCMU')\n"
        "    print(studio.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(offhook.__file__).parents[1])}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    await parent.wait()
    deadline = asyncio.get_running_loop().time() + 10
    while lives(worker):
        assert asyncio.get_running_loop().time() < deadline, "the worker outlived its parent"
        await asyncio.sleep(0.05)


RINGING = [("US", {440.0, 480.0}, 6.0), ("gb", {400.0, 450.0}, 3.0), ("FR", {440.0}, 5.0), ("DE", {425.0}, 5.0)]


async def test_ringing_sounds_as_the_country_does(prompts: Prompts) -> None:
    for country, pitches, period in RINGING:
        sound = read_sound(await prompts.ringback(country, "PCMA"))
        assert sound.seconds == pytest.approx(period, abs=0.01)
        ringing, *_ = tones.loud_segments(sound.samples, bridge=0.1)
        part = sound.samples[: int(ringing.end * 8000)]
        assert tones.tones_in(part, {*pitches, 350.0, 620.0}) == pitches


async def test_music_plays_in_every_codec(prompts: Prompts, tmp_path: Path) -> None:
    narrow, wide = [read_sound(await prompts.music(codec)) for codec in ("PCMU", "opus")]
    assert narrow.seconds == pytest.approx(wide.seconds, abs=0.1)
    assert narrow.seconds > 10
    assert -40 < tones.level(narrow.samples) < -20


async def test_without_recordings_a_tune_of_our_own_is_played(tmp_path: Path) -> None:
    (tmp_path / "moh").mkdir()
    (tmp_path / "moh" / "broken.wav").write_bytes(b"RIFF nonsense")
    prompts = Prompts(tmp_path / "prompts", music_folder=tmp_path / "moh")
    sound = read_sound(await prompts.music("PCMU"))
    await prompts.close()
    assert sound.seconds == pytest.approx(32, abs=0.1)
    assert all(level > -50 for level in tones.levels(sound.samples, 0.5))
