"""The numbers of the sandbox: those that regulators keep free for fiction, so that no person is ever called, and how some misbehave."""

import re
from enum import StrEnum

import phonenumbers

# Ofcom, "Telephone numbers for drama": the last three digits (four for the United Kingdom's cities) are free.
_OFCOM = (
    *(f"{area}4960\\d{{3}}" for area in ("113", "114", "115", "116", "117", "118", "121", "131", "141", "151", "161")),
    "2079460\\d{3}",
    "1914980\\d{3}",
    "2896496\\d{3}",
    "2920180\\d{3}",
    "1632960\\d{3}",
    "7700900\\d{3}",
    "8081570\\d{3}",
    "9098790\\d{3}",
    "3069990\\d{3}",
)
# ARCEP, decision 2018-0881, annex: numbers for audiovisual works.
_ARCEP = ("19900\\d{4}", "26191\\d{4}", "35301\\d{4}", "46571\\d{4}", "53649\\d{4}", "63998\\d{4}")
_FICTIONAL = re.compile(rf"\+1[2-9]\d{{2}}55501\d{{2}}|\+44(?:{'|'.join(_OFCOM)})|\+33(?:{'|'.join(_ARCEP)})", re.ASCII)

NOT_FICTIONAL = "The sandbox has fictional numbers only: North America 555-0100 to 555-0199, the drama ranges of Ofcom and ARCEP"


class Behaviour(StrEnum):
    """What a number does with a call."""

    ECHOES = "answers, says the number, echoes"
    BUSY = "is busy"
    RINGS = "rings for ever"
    DECLINES = "declines"
    UNREACHABLE = "cannot be reached"
    HANGS_UP = "answers and hangs up after two seconds"
    EARLY = "speaks before it answers"


# The last four digits of a North American number.
BEHAVIOURS = {
    "0190": Behaviour.BUSY,
    "0191": Behaviour.RINGS,
    "0192": Behaviour.DECLINES,
    "0193": Behaviour.UNREACHABLE,
    "0194": Behaviour.HANGS_UP,
    "0195": Behaviour.EARLY,
}


def is_fictional(number: str) -> bool:
    """Whether an E.164 number ("+12065550100") belongs to nobody by rule. North American ones need an area code that exists."""
    if not _FICTIONAL.fullmatch(number):
        return False
    return not number.startswith("+1") or phonenumbers.is_valid_number(phonenumbers.parse(number))


def behaviour_of(number: str) -> Behaviour:
    """What a fictional number does."""
    return BEHAVIOURS.get(number[-4:], Behaviour.ECHOES) if number.startswith("+1") else Behaviour.ECHOES
