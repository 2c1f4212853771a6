"""What a call from the public network found: how it was answered, what was heard, how it ended."""

from dataclasses import asdict, dataclass
from typing import Any

from offhook.domain.errors import Invalid

ENERGY_STEP_SECONDS = 0.5


class CallRefused(Invalid):
    """The carrier does not make this call; the sentence says why and what to do."""

    code = "sandbox.call_refused"


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call in. `energy` is the loudness heard in each half second since the answer, in dBFS (-96: silence); `tones` are in Hz.

    `status` is the SIP status that ended or answered it; `hung_up_by` "us", "them" or "nobody". Seconds count from the INVITE in
    `answered_after` (None: never answered), from the answer in `lasted`.
    """

    from_number: str
    to_number: str
    status: int
    ending: str
    hung_up_by: str
    answered_after: float | None
    lasted: float
    energy: tuple[float, ...]
    heard_speech: bool
    tones: tuple[float, ...]
    digits_sent: str
    packets_heard: int
    packets_lost: int

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
