"""Which voice speaks which language. A further engine is a row here and a way to run it in `worker`."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from offhook.services.ports.speech import SpeechRefused


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice: the engine that has it, the package it comes in, and the languages it speaks."""

    engine: str
    name: str
    package: str
    languages: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names voice and version: the same key, the same sound."""
        return f"{self.engine}/{self.name}/{_version(self.package)}"


@cache
def _version(package: str) -> str:
    # Looked up in files, and that for each sentence said: a third of a millisecond in the loop of the calls, and garbage that only the
    # collector finds.
    return version(package)


VOICES = (Voice("hibari", "heart", "hibari-tts", ("en",)),)


def voice_for(language: str) -> Voice:
    """The voice for a language tag; a region has the voice of its language. Raises SpeechRefused naming the languages there are."""
    asked = language.partition("-")[0].lower()
    for voice in VOICES:
        if asked in voice.languages:
            return voice
    spoken = tuple(language for voice in VOICES for language in voice.languages)
    raise SpeechRefused(f"No voice speaks {language!r}; there are voices for: {', '.join(spoken)}. Record this prompt instead.", spoken)
