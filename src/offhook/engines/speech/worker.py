"""The process that makes sounds: orders as JSON lines on its input, results on its output. It ends with its parent.

A synthesis takes tens of milliseconds of a core, a conversion of music hundreds: beside the calls, it would make every one of them stutter.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hibari import Hibari  # type: ignore[import-untyped]

from offhook.engines.speech.rendering import MUSIC_LEVEL, SPEECH_LEVEL, rendered, write_whole
from offhook.phones.audio import SoundUnreadable, read_sound, to_float
from offhook.phones.tones import silence, tone

Wave = npt.NDArray[np.floating]
_RATE = 16000
_SEED = 1  # the voice's breath is noise: the same seed makes the same file


class Unspeakable(Exception):
    """Nothing came out of this order; the text says why."""


class _Hibari:
    """hibari's voice, loaded with the first words (0.3 s)."""

    def __init__(self) -> None:
        self._voices: dict[str, Hibari] = {}

    def __call__(self, text: str, voice: str) -> tuple[Wave, int]:
        if voice not in self._voices:
            self._voices[voice] = Hibari(voice, threads=1)
        return self._voices[voice](text, seed=_SEED), Hibari.sample_rate


ENGINES: dict[str, Callable[[str, str], tuple[Wave, int]]] = {"hibari": _Hibari()}


def speech(order: dict[str, Any]) -> bytes:
    """`engine`, `voice`, `text`, `codec`: words."""
    sound, rate = ENGINES[order["engine"]](order["text"], order["voice"])
    if len(sound) < rate // 10 or not np.abs(sound).max() > 0:
        raise Unspeakable("there is nothing in this text that the voice can say")
    return rendered(sound, rate, order["codec"], SPEECH_LEVEL, lead=True)


def cadence(order: dict[str, Any]) -> bytes:
    """`parts` ([[frequencies], seconds], ...) and `codec`: tones and pauses."""
    parts = [tone(pitches, seconds, rate=_RATE) if pitches else silence(seconds, _RATE) for pitches, seconds in order["parts"]]
    return rendered(to_float(np.concatenate(parts)), _RATE, order["codec"])


def music(order: dict[str, Any]) -> bytes:
    """`sources` (files, the first readable one is taken) and `codec`: music, a tune of our own if there is none."""
    for source in order["sources"]:
        try:
            found = read_sound(Path(source))
        except (OSError, SoundUnreadable) as reason:
            print(f"music on hold: {reason}", file=sys.stderr)
            continue
        if found.seconds >= 1:
            return rendered(to_float(found.samples), found.rate, order["codec"], MUSIC_LEVEL)
    return rendered(tune(), _RATE, order["codec"], MUSIC_LEVEL)


_CHORDS = ((220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7), (164.8, 196.0, 246.9))


def tune() -> Wave:
    """Half a minute of plucked chords, which ends where it begins."""
    beat = 0.5
    length = round(len(_CHORDS) * 16 * beat * _RATE)
    sound, time = np.zeros(length), np.arange(2 * _RATE) / _RATE
    for number in range(len(_CHORDS) * 16):
        chord = _CHORDS[number // 4 % len(_CHORDS)]
        pitch = chord[(0, 1, 2, 1)[number % 4]] * (2 if number // 16 % 2 else 1)
        pluck = np.sin(2 * np.pi * pitch * time) + 0.4 * np.sin(4 * np.pi * pitch * time)
        place = (round(number * beat * _RATE) + np.arange(len(time))) % length  # the last notes fade out over the first
        sound[place] += pluck * np.exp(-3 * time) * np.minimum(time * 200, 1)
    return np.asarray(sound / np.abs(sound).max())


MAKERS: dict[str, Callable[[dict[str, Any]], bytes]] = {"speech": speech, "cadence": cadence, "music": music}


def fulfil(line: str) -> dict[str, Any]:
    """The result of one order: done, or refused with the reason."""
    order = json.loads(line)
    try:
        write_whole(Path(order["path"]), MAKERS[order["make"]](order))
    except Unspeakable as reason:
        return {"id": order["id"], "refused": str(reason)}
    except Exception as reason:  # the next order may well succeed: say what happened and go on
        return {"id": order["id"], "refused": f"{type(reason).__name__}: {reason}"}
    return {"id": order["id"], "done": True}


def _read_orders(orders: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        orders.put(line)
    os._exit(0)  # the parent is gone or has closed the studio: not even the sound in hand is wanted


def main() -> None:
    """Fulfil orders until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when we end
    os.nice(5)
    replies, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not be taken for a reply
    orders: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    while True:
        print(json.dumps(fulfil(orders.get())), file=replies, flush=True)


if __name__ == "__main__":
    main()
