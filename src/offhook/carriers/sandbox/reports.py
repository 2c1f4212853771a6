"""What a call from the public network found: how it was answered, what was heard, how it ended."""

from dataclasses import asdict, dataclass, fields
from typing import Any

ENERGY_STEP_SECONDS = 0.5


class CallRefused(Exception):
    """The carrier does not make this call; the text says why and what to do."""


class CarrierAbsent(Exception):
    """No sandbox carrier answers at the control socket."""


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call in. `energy` is the loudness heard in each half second since the answer, in dBFS (-96: silence); `tones` are in Hz.

    `status` is the SIP status that ended or answered it; `hung_up_by` "us", "them" or "nobody". Seconds count from the INVITE in
    `answered_after` (None: never answered), from the answer in `lasted`.
    """

    caller: str
    called: str
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
        return asdict(self)

    @classmethod
    def of_dict(cls, values: dict[str, Any]) -> "CallReport":
        """The report back from JSON. Raises KeyError where something is missing."""
        return cls(**{field.name: _value(values[field.name]) for field in fields(cls)})


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
