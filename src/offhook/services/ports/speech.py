"""What we need of a voice, and of the sounds a telephone system makes: files ready to be played to a call."""

from pathlib import Path
from typing import Protocol


class SpeechRefused(Exception):
    """It cannot be said; the text says why and what to do. `languages` are those that can be spoken."""

    def __init__(self, explanation: str, languages: tuple[str, ...] = ()) -> None:
        super().__init__(explanation)
        self.languages = languages


class Speech(Protocol):
    """A voice. The same words give the same file, made once."""

    async def say(self, text: str, language: str, codec: str) -> Path:
        """A sound file of the text spoken, in the form that is played cheapest to a call in `codec`.

        That is G.711 at 8 kHz for "PCMU" and "PCMA", else 16-bit at 16 kHz. `language` is a tag ("en", "en-GB").
        Raises SpeechRefused: no such voice, more than 2,000 characters, nothing in it to say.
        """

    def spelled(self, number: str, language: str) -> str:
        """A telephone number in words for `say`, digit by digit, in groups: "two zero six, five five five, ...". Raises SpeechRefused."""


class Sounds(Protocol):
    """The sounds that are not words, in the same forms as speech. Each may raise SpeechRefused when it cannot be made."""

    async def ringback(self, country: str, codec: str) -> Path:
        """One period of the ringing a caller hears in `country` ("US", "GB", ...), its pause included: to be played over and over."""

    async def music(self, codec: str) -> Path:
        """Music on hold, a minute or more where a recording is installed: to be played over and over."""

    async def beep(self, codec: str) -> Path:
        """A short high tone: speak now."""
