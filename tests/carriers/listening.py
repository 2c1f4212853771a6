"""Whether a call heard certain words, told by their loudness: there is no recognition of speech here."""

import numpy as np

from offhook.phones import tones
from offhook.phones.audio import read_wav
from offhook.phones.calls import PhoneCall
from offhook.services.ports.speech import Speech

_STEP_SECONDS = 0.1
_FLOOR = -60.0


async def hears_the_words(call: PhoneCall, speech: Speech, words: str) -> None:
    """Wait until what was heard follows the loudness of `words` as the voice says them."""
    ear = call.hears
    spoken = np.asarray(tones.levels(read_wav(await speech.say(words, "en", "PCMU")).samples, _STEP_SECONDS))
    spoken = np.maximum(spoken, _FLOOR)

    def follows() -> bool:
        heard = np.maximum(np.asarray(tones.levels(ear.samples(), _STEP_SECONDS)), _FLOOR)
        if len(heard) < len(spoken):
            return False
        return max(float(np.corrcoef(spoken, heard[at : at + len(spoken)])[0, 1]) for at in range(len(heard) - len(spoken) + 1)) > 0.9

    await ear.until(follows, f"the words {words!r}", 20)
